"""The archive of a backup: whatever its bytes are, files of ours come of them below one folder, or WireError."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshnode.daemon.unpacking import ABOUT, MEMBER, About, unpack_untrusted
from meshnode.errors import WireError

FIELD = st.binary(min_size=12, max_size=12)


def head(name: bytes, size: bytes, kind: bytes) -> bytes:
    """A header of POSIX ustar whose sum fits."""
    block = bytearray(name.ljust(100, b"\0")[:100] + bytes(24) + size + bytes(20) + kind + bytes(355))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@given(name=st.binary(max_size=100), size=FIELD, kind=st.binary(min_size=1, max_size=1), rest=st.binary(max_size=2000))
@example(name=b"keys", size=b"00000000003\0", kind=b"0", rest=b"abc" + bytes(509 + 1024))
@example(name=b"backup.json", size=b"\xff" * 12, kind=b"0", rest=b"{}")
def test_any_header_is_taken_or_refused(name: bytes, size: bytes, kind: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack_untrusted(io.BytesIO(head(name, size, kind) + rest), Path(folder))
        except WireError:
            pass
        found = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert all(MEMBER.fullmatch(path.relative_to(folder).as_posix()) for path in found)
        assert sum(path.stat().st_size for path in found) <= len(rest)


def test_a_file_that_is_no_header_at_all() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for noise in (b"", b"\0" * 511, b"x" * tarfile.BLOCKSIZE, bytes(tarfile.BLOCKSIZE)):
            try:
                unpack_untrusted(io.BytesIO(noise), Path(folder))
            except WireError:
                continue
            raise AssertionError(noise)


def packed(homes: list[str], *names: str) -> io.BytesIO:
    """An archive that says it has these homes, and has these files."""
    archive = io.BytesIO()
    about = msgspec.json.encode(About("9", "Mia", "00" * 32, homes))
    for name, data in ((ABOUT, about), *((name, b"x") for name in names)):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.write(member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
    archive.write(bytes(tarfile.BLOCKSIZE))
    archive.seek(0)
    return archive


@pytest.mark.parametrize(
    "name", ["store.db-journal", "arriving", "restored", "uploads", "lock", "profiles", "before-restore-3", "keys.new"]
)
@pytest.mark.parametrize("folder", ["", "profiles/guests/"])
def test_a_file_that_means_something_where_it_lies_is_refused(tmp_path: Path, name: str, folder: str) -> None:
    """A home with a file `arriving` in it never opens again; SQLite plays a journal back into the store."""
    homes = sorted({"", folder.removeprefix("profiles/").rstrip("/")})
    with pytest.raises(WireError, match="no backup holds"):
        unpack_untrusted(packed(homes, folder + name), tmp_path)


@pytest.mark.parametrize("homes", [[], [""], ["", "guests", "guests"], ["", "guests", "0" * 32]])
def test_a_backup_names_each_home_in_it_once(tmp_path: Path, homes: list[str]) -> None:
    """What it does not name would not be looked into; what it names a thousand times, a thousand times."""
    with pytest.raises(WireError, match="other homes than it holds"):
        unpack_untrusted(packed(homes, "keys", "profiles/guests/keys"), tmp_path)


def test_the_homes_that_it_names_are_there(tmp_path: Path) -> None:
    names = ("keys", "store.db", "store.db-wal", "config.backup.toml", "profiles/guests/keys")
    unpack_untrusted(packed(["", "guests"], *names), tmp_path)
    assert all((tmp_path / name).read_bytes() == b"x" for name in names)
