"""The codec: every frame comes back, each has one encoding, and nothing but WireError comes of noise."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain.compact import Compact
from meshnode.core.sealing.envelope import MAX_ENVELOPE
from meshnode.core.wire.codec import (
    decode_frames_untrusted,
    encode_frame,
    encode_frames,
    is_single,
    join_frames,
    joined_size,
)
from meshnode.core.wire.frames import Beacon, BlockFrame, Done, Fragment, Frame, Run, Unknown
from meshnode.core.wire.limits import MAX_FRAMES, MAX_PLAINTEXT
from meshnode.errors import UsageError, WireError
from support.frame_shapes import SHAPES, any_frame

BEACON = Beacon(1, 1, 0, b"frontier", b"envs")


@pytest.mark.parametrize("name", SHAPES)
def test_every_frame_comes_back(name: str) -> None:
    @given(SHAPES[name])
    def comes_back(frame: Frame) -> None:
        encoded = encode_frame(frame)
        assert encoded[0] < 0x80
        assert decode_frames_untrusted(encoded) == (frame,)

    comes_back()


def test_every_frame_has_a_shape_here() -> None:
    assert len(SHAPES) == len(get_args(Frame))


@given(st.lists(any_frame, max_size=6))
def test_frames_in_a_row_come_back(frames: list[Frame]) -> None:
    encoded = [encode_frame(frame) for frame in frames]
    data = encode_frames(frames, MAX_PLAINTEXT)
    assert data == join_frames(encoded, MAX_PLAINTEXT)
    assert len(data) == joined_size([len(one) for one in encoded])
    assert is_single(data) == (len(frames) == 1)
    assert decode_frames_untrusted(data) == tuple(frames)


def test_too_many_bytes_for_a_carrier_are_our_own_mistake() -> None:
    with pytest.raises(UsageError):
        encode_frames([Done(b"frontier")] * 3, 28)
    assert len(encode_frames([Done(b"frontier")] * 3, 29)) == 29


@given(st.binary(max_size=400))
def test_noise_is_frames_or_a_wire_error(noise: bytes) -> None:
    try:
        frames = decode_frames_untrusted(noise)
    except WireError:
        return
    assert decode_frames_untrusted(encode_frames(frames, MAX_PLAINTEXT)) == frames


@given(any_frame, st.data())
def test_a_mutated_frame_is_another_frame_or_a_wire_error(frame: Frame, data: st.DataObject) -> None:
    mutated = bytearray(encode_frame(frame))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(("set", "cut", "add"))):
            case "set":
                mutated[at] = data.draw(st.integers(0, 255))
            case "cut":
                del mutated[max(1, at) :]
            case _:
                mutated[at:at] = data.draw(st.binary(max_size=8))
    try:
        frames = decode_frames_untrusted(bytes(mutated))
    except WireError:
        return
    for one in frames:
        assert decode_frames_untrusted(encode_frame(one)) == (one,)


@given(any_frame)
def test_a_body_has_one_encoding(frame: Frame) -> None:
    """Whatever decodes from a known type encodes to the same bytes again; only a beacon may carry more."""
    encoded = encode_frame(frame)
    for at in range(1, len(encoded)):
        changed = bytearray(encoded)
        changed[at] ^= 0xFF
        try:
            (other,) = decode_frames_untrusted(bytes(changed))
        except WireError:
            continue
        if not isinstance(other, Beacon):
            assert encode_frame(other) == bytes(changed)


@given(any_frame)
def test_every_truncation_is_a_shorter_frame_or_a_wire_error(frame: Frame) -> None:
    encoded = encode_frame(frame)
    for size in range(len(encoded)):
        try:
            assert decode_frames_untrusted(encoded[:size]) != (frame,)
        except WireError:
            continue


def test_nothing_is_no_frame() -> None:
    assert decode_frames_untrusted(b"") == ()


def test_a_beacon_may_grow() -> None:
    assert decode_frames_untrusted(encode_frame(BEACON) + b"of a later version") == (BEACON,)


def test_unknown_types_are_carried_past() -> None:
    unknown = Unknown(0x7E, b"later")
    data = encode_frames([unknown, BEACON, Unknown(0x7F, b"rest")], 100)
    assert decode_frames_untrusted(data) == (unknown, BEACON, Unknown(0x7F, b"rest"))


def test_sizes_come_first() -> None:
    with pytest.raises(WireError, match="too many bytes"):
        decode_frames_untrusted(bytes(MAX_PLAINTEXT + 1))
    with pytest.raises(WireError, match="too many frames"):
        decode_frames_untrusted(b"\xfe\x00" * (MAX_FRAMES + 1))
    assert len(decode_frames_untrusted(b"\xfe\x00" * MAX_FRAMES)) == MAX_FRAMES


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("length past the end", b"\x83\x09frontie"),
        ("length past a body that would do", b"\xa3\x09frontier"),
        ("length without end", b"\x83\xff\xff\xff\xff\x01"),
        ("length missing", b"\x83"),
        ("hello too long", b"\x01" + bytes(132)),
        ("beacon with nine echoes", b"\x02" + bytes(14) + b"\x90" + bytes(36)),
        ("beacon with nine changes", b"\x02" + bytes(14) + b"\x09" + bytes(63)),
        ("beacon shorter than it says", b"\x02" + bytes(14) + b"\x01" + bytes(6)),
        ("delta with half a change", b"\x03" + bytes(8) + bytes(6)),
        ("wish with unknown flags", b"\x04\x04hand\x01\x01"),
        ("wish from seq 0", b"\x04\x00hand\x00\x01"),
        ("wish for nothing", b"\x04\x00hand\x01\x00"),
        ("wishes without end", b"\x04" + b"\x00hand\x01\x01" * 129),
        ("run of no blocks", b"\x06hand\x01\x00"),
        ("run of 257 blocks", b"\x06hand\x01\x81\x02" + (b"\x01" + bytes(4) + b"\x00" + bytes(64)) * 257),
        ("run from seq 0", b"\x06hand\x00\x01" + bytes(80)),
        ("fragment 2 of 2", b"\x07" + bytes(8) + b"\x02\x02x"),
        ("fragment of none", b"\x07" + bytes(8) + b"\x00\x00x"),
        ("fragment of 17", b"\x07" + bytes(8) + b"\x00\x11x"),
        ("fragment of nothing", b"\x07" + bytes(8) + b"\x00\x01"),
        ("receipt and a half", b"\x09" + bytes(24)),
        ("fork proof too short", b"\x0b" + bytes(311)),
        ("trace too long", b"\x0e" + bytes(17)),
        ("envelope without a seal", b"\x40\x00\x00\x08" + bytes(31)),
        ("envelope too large", b"\x40\x00\x00\x08" + bytes(16_385)),
        ("ranges without a nonce", b"\x20abc"),
        ("range of mode 4", b"\x20once\x40"),
        ("range with a bound of 9", b"\x20once\x09" + bytes(9)),
        ("range with half a fingerprint", b"\x20once\x10" + bytes(4)),
        ("range that lists what is not there", b"\x20once\x20\xff\xff\xff\x7f"),
        ("range with half a bound", b"\x20once\x08" + bytes(4)),
        ("elements without a nonce", b"\x21abc"),
        ("half a head", b"\x22" + bytes(54)),
        ("done too long", b"\x23" + bytes(9)),
    ],
)
def test_impossible_frames_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(WireError):
        decode_frames_untrusted(data)


def test_a_block_alone_gives_its_backlink() -> None:
    block = Compact(1, 3, 2, 0, 0, b"", 1, b"x", b"", bytes(64))
    with pytest.raises(WireError, match="backlink"):
        decode_frames_untrusted(encode_frame(BlockFrame(b"hand", block)))


def test_a_run_ends_with_its_last_block() -> None:
    block = Compact(1, 3, 2, 0, 0, b"", 1, b"x", b"", bytes(64))
    encoded = encode_frame(Run(b"hand", 2, (block,)))
    for data in (encoded + b"x", encoded[:-1]):
        with pytest.raises(WireError):
            decode_frames_untrusted(data)


def test_a_whole_frame_may_travel_in_fragments() -> None:
    whole = encode_frame(BEACON)
    parts = [Fragment(b"item 123", index, 2, whole[index * 10 : index * 10 + 10]) for index in range(2)]
    assert decode_frames_untrusted(b"".join(part.data for part in parts)) == (BEACON,)


def test_an_envelope_is_no_longer_than_one_may_be() -> None:
    assert decode_frames_untrusted(b"\x40\x00\x00\x01" + bytes(MAX_ENVELOPE))
    with pytest.raises(WireError):
        decode_frames_untrusted(b"\x40\x00\x00\x01" + bytes(MAX_ENVELOPE + 1))


@pytest.mark.parametrize(
    "body",
    [
        b"\x18" + bytes(32) + b"\x10",
        b"\x19" + bytes(32) + b"\x10" + bytes(4),
        b"\x19" + bytes(32) + b"\x00" + bytes(4 + 251),
        b"\x1a" + bytes(32) + b"\x07\xd0\x00" + bytes.fromhex("00000001"),
        b"\x1a" + bytes(32) + b"\x00\x00\x00",
        b"\x1a" + bytes(32) + b"\x00\x00\x00" + bytes.fromhex("00010001"),
        b"\x1a" + bytes(32) + b"\x00\x00\x00" + bytes.fromhex("0001000200020003"),
        b"\x1a" + bytes(32) + b"\x00\x00\x00" + b"".join(bytes((0, 2 * at, 0, 2 * at + 1)) for at in range(17)),
        b"\x1b" + bytes(10),
    ],
    ids=[
        "too far",
        "no distance",
        "too many chunks",
        "no such chunk",
        "no span",
        "empty",
        "touching",
        "17",
        "no bytes",
    ],
)
def test_what_cannot_be_said_of_files(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_frames_untrusted(body)
