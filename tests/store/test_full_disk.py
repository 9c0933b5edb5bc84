"""The disk is full because of others: the reserve is given up for what must be written, and comes back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from meshnode.core.effects import Persist
from meshnode.core.records import FactRecord
from meshnode.errors import StoreFullError
from meshnode.store import ballast
from meshnode.store.ballast import RESERVE, Ballast
from meshnode.store.store import Store
from support.store_fakes import LIMIT, FakeKey, fact, open_store


class FullVfs(apsw.VFS):
    """A disk with no room: files do not grow while it is `full`, unless the reserve has been given up."""

    def __init__(self, name: str, reserve: Path | None) -> None:
        self.name = name
        self.full = False
        self.reserve = reserve
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return FullFile(self, name, flags)


class FullFile(apsw.VFSFile):
    def __init__(self, disk: FullVfs, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        relieved = self._disk.reserve is not None and not self._disk.reserve.exists()
        if self._disk.full and not relieved and offset + len(data) > self.xFileSize():
            raise apsw.FullError("no space left on device")
        super().xWrite(data, offset)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FullVfs]:
    vfs = FullVfs(f"full-{tmp_path.name}", tmp_path / "store.reserve")
    yield vfs
    vfs.unregister()


def opened(folder: Path, disk: FullVfs, reserve: bool) -> Store:
    return Store(folder / "store.db", FakeKey(), LIMIT, vfs=disk.name, reserve=reserve)


def test_without_a_reserve_nothing_is_acknowledged_and_nothing_breaks(tmp_path: Path, disk: FullVfs) -> None:
    disk.reserve = None
    store = opened(tmp_path, disk, reserve=False)
    store.commit([Persist((fact("before"),))], 1.0, True)
    disk.full = True
    with pytest.raises(StoreFullError):
        store.commit([Persist((fact("during", bytes(50_000)),))], 2.0, True)
    assert [record.name for record in store.reads.every(FactRecord)] == ["before"]
    disk.full = False
    store.commit([Persist((fact("after"),))], 3.0, True)
    store.close()
    again = open_store(tmp_path)
    assert {record.name for record in again.reads.every(FactRecord)} == {"before", "after"}
    again.close()


def test_the_reserve_is_given_up_for_what_must_be_written(
    tmp_path: Path, disk: FullVfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path, disk, reserve=True)
    assert not store.make_room(1.0).refusing
    assert (tmp_path / "store.reserve").stat().st_size == RESERVE
    disk.full = True
    monkeypatch.setattr(Ballast, "_free", lambda self: 0)
    store.commit([Persist((fact("own words", bytes(50_000)),))], 2.0, True)
    assert not (tmp_path / "store.reserve").exists()
    assert store.make_room(2.0).refusing
    monkeypatch.setattr(Ballast, "_free", lambda self: 10 * RESERVE)
    assert not store.make_room(3.0).refusing
    assert (tmp_path / "store.reserve").exists()
    store.close()


def test_a_disk_that_is_nearly_full_is_refused_before_a_write_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    store.make_room(1.0)
    monkeypatch.setattr(Ballast, "_free", lambda self: RESERVE // 6)
    assert store.make_room(2.0).refusing
    store.close()


def test_a_reserve_that_cannot_be_laid_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ballast.os, "posix_fallocate", no_room)
    reserve = Ballast(tmp_path / "store.reserve")
    assert not reserve.lay()
    assert os.listdir(tmp_path) == []
