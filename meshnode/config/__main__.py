"""Writes docs/how-to/configuration.md to standard output."""

from __future__ import annotations

import sys

from meshnode.config import documentation

sys.stdout.write(documentation())
