"""Passphrases are stretched as little as can be: how hard they are is tested where they are."""

from __future__ import annotations

import pytest

from meshnode.core.sealing import primitives


@pytest.fixture(autouse=True)
def quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "_ARGON_MEMORY_KIB", 64)
    monkeypatch.setattr(primitives, "_ARGON_PASSES", 1)
