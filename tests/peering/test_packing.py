"""Frames in a record: shorter where zstd helps, and bounded however they were made."""

from hashlib import shake_256

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import UsageError, WireError
from meshnode.peering.packing import MAX_UNPACKED, pack, unpack_untrusted

REPEATED = st.builds(lambda part, times: part * times, st.binary(max_size=20), st.integers(0, 900))


@given(st.one_of(st.binary(max_size=300), REPEATED))
def test_what_is_packed_comes_back_and_never_grows_by_more_than_a_byte(frames):
    packed = pack(frames)
    assert unpack_untrusted(packed) == frames
    assert len(packed) <= len(frames) + 1


@given(st.binary(max_size=200), st.sampled_from([b"", b"\0", b"\1", b"\1\x28\xb5\x2f\xfd"]))
def test_noise_raises_wire_errors_only(data, head):
    try:
        unpack_untrusted(head + data)
    except WireError:
        pass


@pytest.mark.parametrize(
    "packed",
    [
        b"\1" + zstd.compress(bytes(MAX_UNPACKED + 1)),
        b"\1" + zstd.compress(bytes(100_000_000), options={zstd.CompressionParameter.window_log: 27}),
        b"\1" + zstd.compress(b"x" * 500)[:-3],
        b"\1" + zstd.compress(b"x" * 500) + b"more",
        b"\1",
        b"",
        b"\2abc",
    ],
)
def test_bombs_and_bad_ends_are_refused(packed):
    with pytest.raises(WireError):
        unpack_untrusted(packed)


def test_more_than_a_record_holds_is_the_callers_fault():
    with pytest.raises(UsageError):
        pack(bytes(MAX_UNPACKED + 1))
    with pytest.raises(UsageError):
        pack(bytes(range(256)) * 250 + bytes(hash_noise(70_000)))
    assert len(pack(bytes(MAX_UNPACKED))) < 100


def hash_noise(size: int) -> bytes:
    return shake_256(b"noise").digest(size)
