"""Laws of the decoders: whatever comes gives a typed value or a WireError, and every value comes back."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire import packets
from meshnode.overlay.embedded.wire.beacon import Beacon, decode_beacon_untrusted, encode_beacon
from meshnode.overlay.embedded.wire.filters import decode_filter_untrusted, encode_filter
from meshnode.overlay.embedded.wire.framing import LARGEST_FRAME, Frames, frame
from meshnode.overlay.embedded.wire.keys import Identity, box_key_untrusted
from meshnode.overlay.embedded.wire.meta import HEAD, decode_meta_untrusted, encode_meta, meta_size_untrusted
from meshnode.overlay.embedded.wire.varint import encode_path, take_path_untrusted, take_uvarint_untrusted, uvarint

numbers = st.integers(0, 2**64 - 1)
ports = st.integers(1, 2**64 - 1)
paths = st.lists(ports, max_size=20).map(tuple)
keys = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)
filters = st.binary(min_size=1024, max_size=1024).map(lambda data: int.from_bytes(data, "big"))
sparse = st.lists(st.integers(0, 8191), max_size=40).map(lambda bits: sum(1 << bit for bit in set(bits)))

SHAPES = {
    "nothing": st.builds(packets.Nothing, st.integers(0, 1)),
    "sig_req": st.builds(packets.SigReq, numbers, numbers),
    "sig_res": st.builds(packets.SigRes, numbers, numbers, numbers, signatures),
    "announce": st.builds(packets.Announce, keys, keys, numbers, numbers, numbers, signatures, signatures),
    "bloom": st.builds(packets.Bloom, filters | sparse),
    "path_lookup": st.builds(packets.PathLookup, keys, keys, paths),
    "path_notify": st.builds(packets.PathNotify, paths, numbers, keys, keys, numbers, paths, signatures),
    "path_broken": st.builds(packets.PathBroken, paths, numbers, keys, keys),
    "traffic": st.builds(packets.Traffic, paths, paths, keys, keys, numbers, st.binary(max_size=300)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_packet_comes_back(name):
    @given(SHAPES[name])
    def comes_back(packet):
        assert packets.decode_untrusted(packets.encode(packet)) == packet

    comes_back()


@pytest.mark.parametrize("name", set(SHAPES) - {"nothing", "traffic"})
def test_a_packet_with_a_byte_more_or_less_is_refused(name):
    @given(SHAPES[name])
    def refused(packet):
        content = packets.encode(packet)
        for wrong in (content + b"\0", content[:-1]):
            with pytest.raises(WireError):
                packets.decode_untrusted(wrong)

    refused()


@given(st.integers(0, 12), st.binary(max_size=400))
def test_noise_is_a_packet_or_a_wire_error(kind, noise):
    try:
        packet = packets.decode_untrusted(bytes((kind,)) + noise)
    except WireError:
        return
    again = packets.decode_untrusted(packets.encode(packet))
    assert again == packet


@given(numbers, st.binary(max_size=4), st.binary(max_size=4))
def test_numbers_come_back_wherever_they_stand(number, before, after):
    data = before + uvarint(number) + after
    assert take_uvarint_untrusted(data, len(before)) == (number, len(data) - len(after))


@given(st.binary(max_size=12))
def test_noise_is_a_number_or_a_wire_error(noise):
    try:
        value, end = take_uvarint_untrusted(noise, 0)
    except WireError:
        return
    assert value < 2**64
    assert 0 < end <= len(noise)


@given(st.lists(ports, max_size=100).map(tuple), st.binary(max_size=4))
def test_paths_come_back(path, after):
    data = b"\xff" + encode_path(path) + after
    assert take_path_untrusted(data, 1) == (path, len(data) - len(after))


@pytest.mark.parametrize("data", [b"\x80\x00", b"\x80\x80\x00"])
def test_a_long_zero_ends_a_path_too(data):
    assert take_path_untrusted(data, 0) == ((), len(data))


def test_a_long_form_inside_a_path_is_not_its_end():
    assert take_path_untrusted(b"\x83\x00\x05\x00", 0) == ((3, 5), 4)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x80", b"\xff" * 9 + b"\x02\x00", b"\xff" * 11 + b"\x00"])
def test_a_path_without_end_or_with_too_large_ports_is_refused(data):
    with pytest.raises(WireError):
        take_path_untrusted(data, 0)


@given(filters | sparse)
def test_filters_come_back(bits):
    assert decode_filter_untrusted(encode_filter(bits)) == bits


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(1, 40))
def test_frames_come_back_however_they_are_cut(contents, piece):
    stream = b"".join(map(frame, contents))
    cutter, found = Frames(), []
    for at in range(0, len(stream), piece):
        found += cutter.feed_untrusted(stream[at : at + piece])
    assert found == contents


@pytest.mark.parametrize("data", [b"\0", uvarint(LARGEST_FRAME + 1), b"\xff" * 10])
def test_frames_of_impossible_sizes_are_refused(data):
    with pytest.raises(WireError):
        Frames().feed_untrusted(data)


def test_the_largest_frame_comes_in_drops():
    stream, cutter, found = frame(b"\x00" * LARGEST_FRAME), Frames(), []
    for at in range(0, len(stream), 50):
        found += cutter.feed_untrusted(stream[at : at + 50])
    assert [len(content) for content in found] == [LARGEST_FRAME]


IDENTITY = Identity(bytes(32))


@given(st.binary(max_size=64), st.integers(0, 255))
def test_handshakes_come_back(password, priority):
    data = encode_meta(IDENTITY, password, priority)
    meta = decode_meta_untrusted(data[HEAD:], password)
    assert (meta.key, meta.priority) == (IDENTITY.public, priority)


@given(st.binary(max_size=200))
def test_noise_is_no_handshake(noise):
    with pytest.raises(WireError):
        decode_meta_untrusted(noise, b"")


def signed(fields: bytes) -> bytes:
    return fields + encode_meta(IDENTITY, b"", 0)[-64:]


def field(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


VERSION = field(0, b"\0\0") + field(1, b"\0\5")
KEY = field(2, IDENTITY.public)


@pytest.mark.parametrize(
    "fields",
    [KEY + field(3, b"\7") + VERSION, VERSION + field(9, b"new") + KEY, VERSION + KEY + b"\0\0\0", VERSION + KEY],
    ids=["order", "unknown", "stray", "no priority"],
)
def test_other_handshakes_the_daemon_takes_are_taken(fields):
    assert decode_meta_untrusted(signed(fields), b"").key == IDENTITY.public


@pytest.mark.parametrize(
    "fields",
    [
        VERSION + KEY + field(3, b""),
        VERSION + KEY + field(3, b"\0\0"),
        VERSION + field(2, IDENTITY.public[:31]),
        VERSION,
        KEY,
        KEY + field(0, b"\0\1") + field(1, b"\0\5"),
        VERSION + KEY + b"\0\3\0\1",
    ],
    ids=["empty priority", "long priority", "short key", "no key", "no version", "version 1.5", "cut off"],
)
def test_wrong_handshakes_are_refused(fields):
    with pytest.raises(WireError):
        decode_meta_untrusted(signed(fields), b"")


@pytest.mark.parametrize("head", [b"HTTP\0\x75", b"meta\0\x3f"])
def test_what_is_no_handshake_is_found_out_by_its_head(head):
    with pytest.raises(WireError):
        meta_size_untrusted(head)


@given(keys, st.integers(1, 65535), st.binary(max_size=64))
def test_beacons_come_back(key, port, password):
    assert decode_beacon_untrusted(encode_beacon(Beacon(key, port), password), password) == Beacon(key, port)


@given(st.binary(max_size=200))
def test_noise_is_no_beacon(noise):
    with pytest.raises(WireError):
        decode_beacon_untrusted(noise, b"")


def test_the_beacon_that_kills_a_daemon_is_refused():
    with pytest.raises(WireError):
        decode_beacon_untrusted(struct.pack(">HH32sHH", 0, 5, bytes(32), 9001, 0xFFFF), b"")


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), b"\xff" * 32, b"\2" + bytes(31)])
def test_a_key_that_is_no_point_seals_nothing(key):
    with pytest.raises(WireError):
        box_key_untrusted(key)
