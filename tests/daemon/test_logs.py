"""The log is never worth the node."""

from __future__ import annotations

import errno
import io
import sys

import pytest
import structlog

from meshnode.config import LogSection
from meshnode.daemon.logs import set_up


class Full(io.StringIO):
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    set_up(LogSection(format="json"))
    structlog.get_logger("test").warning("something")


def test_a_line_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    set_up(LogSection(format="json"))
    structlog.get_logger("test").warning("something", part="link")
    assert '"event": "something"' in log.getvalue()
