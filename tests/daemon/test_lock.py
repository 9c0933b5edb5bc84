"""One meshnode at a time in a home."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.daemon.lock import LOCK, Lock, is_held
from meshnode.errors import HomeBusyError


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    assert not is_held(tmp_path / LOCK)
    held = Lock(tmp_path / LOCK)
    assert is_held(tmp_path / LOCK)
    with pytest.raises(HomeBusyError):
        Lock(tmp_path / LOCK)
    held.release()
    assert not is_held(tmp_path / LOCK)
    Lock(tmp_path / LOCK).release()
