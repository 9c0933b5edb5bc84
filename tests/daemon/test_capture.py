"""A capture is written from within the node's step: nothing about its file may end that."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from meshnode.daemon.capture import PcapngFile, Seen
from meshnode.errors import UsageError


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "none" / "x", Path("/dev/null")):
        with pytest.raises(UsageError):
            PcapngFile(place)


def test_a_full_disk_ends_the_capture_alone(tmp_path: Path) -> None:
    file = PcapngFile(tmp_path / "c.pcapng")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    took = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        for _ in range(3):
            file.add(Seen("heard", b"x" * 10_000))
            file.flush()
        file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, took)
    assert "cannot be written (File too large)" in file.fault
