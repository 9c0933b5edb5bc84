"""The archive of a backup: whatever its bytes are, files of ours come of them below one folder, or WireError."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from meshnode.daemon.unpacking import MEMBER, unpack_untrusted
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
