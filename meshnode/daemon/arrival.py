"""A home that becomes another one, from a backup, without losing what it was: a power cut at any moment leaves both.

    restoring/         a backup is unpacked and checked in it; what is left of a try is cleared by the next
    restored/          whole and on the disk: the home will be this (`lay`)
    before-restore-N/  what the home was, moved there file by file once no node runs in it (`take_up`)
    dropped/           laid, and another was before it was taken up; or set aside, and forgotten: half of it must not be
                       there under its name when the power goes
    arriving/          what the home was is out of the way; the new files move in, `keys` last

All of it happens inside the home: a service may write nowhere else. What was there before stays until a person says
that nobody misses it (`forget`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from meshnode.daemon.files import sync_folder
from meshnode.daemon.keyring import SEALED
from meshnode.daemon.lock import LOCK
from meshnode.errors import UsageError

RESTORING, RESTORED, ARRIVING, DROPPED = "restoring", "restored", "arriving", "dropped"
BEFORE: Final = "before-restore-"
STAYS: Final = frozenset(
    {LOCK, "control.sock", "uploads", "restores", "lost+found", RESTORING, RESTORED, ARRIVING, DROPPED}
)  # in a home that is a mount of its own, lost+found is root's


@contextmanager
def unpacking(home: Path) -> Iterator[Path]:
    """An empty folder in a home for what a backup holds; it is gone after the block, unless it was moved on."""
    place = home / RESTORING
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lay(home: Path) -> None:
    """What was unpacked is whole: from now on it is what the home will be, in place of what was laid before."""
    _before(home, _last(home) + 1).mkdir(mode=0o700)
    shutil.rmtree(home / DROPPED, ignore_errors=True)
    if (home / RESTORED).exists():
        os.replace(home / RESTORED, home / DROPPED)
    os.replace(home / RESTORING, home / RESTORED)
    sync_folder(home)
    shutil.rmtree(home / DROPPED, ignore_errors=True)


def is_due(home: Path) -> bool:
    """True where `take_up` has something to do."""
    return (home / RESTORED).exists() or (home / ARRIVING).exists()


def take_up(home: Path) -> bool:
    """Finish what `lay` began, for who holds the lock of the home; whether there was anything to do."""
    if (home / RESTORED).exists():
        before = _before(home, _last(home))
        for one in _files(home):
            os.replace(one, before / one.name)
        sync_folder(before)
        os.replace(home / RESTORED, home / ARRIVING)
        sync_folder(home)
    arriving = home / ARRIVING
    if not arriving.exists():
        return False
    for one in sorted(arriving.iterdir(), key=lambda path: path.name == SEALED):
        os.replace(one, home / one.name)
    sync_folder(home)
    arriving.rmdir()
    return True


def set_aside(home: Path) -> tuple[int, int]:
    """How many homes a restore took the place of, and the bytes of their files."""
    places = _set_aside(home)
    files = [one for place in places for one in place.rglob("*") if one.is_file()]
    return len(places), sum(one.stat().st_size for one in files)


def forget(home: Path) -> None:
    """Remove them; UsageError while one is still being filled."""
    if is_due(home):
        raise UsageError("A backup is about to take the place of this home; wait until the node has begun anew.")
    for place in _set_aside(home):
        shutil.rmtree(home / DROPPED, ignore_errors=True)
        os.replace(place, home / DROPPED)
    shutil.rmtree(home / DROPPED, ignore_errors=True)


def _set_aside(home: Path) -> list[Path]:
    return [place for place in home.glob(f"{BEFORE}*") if place.name.removeprefix(BEFORE).isdecimal()]


def _files(home: Path) -> list[Path]:
    return [one for one in home.iterdir() if one.name not in STAYS and not one.name.startswith(BEFORE)]


def _before(home: Path, number: int) -> Path:
    return home / f"{BEFORE}{number}"


def _last(home: Path) -> int:
    numbers = [one.name.removeprefix(BEFORE) for one in home.glob(f"{BEFORE}*")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
