"""Each vector captured from yggdrasil-go 0.5.12 decodes, and encodes to the same bytes."""

import hashlib
import ipaddress
import json
from pathlib import Path

import pytest
from nacl.bindings import crypto_scalarmult_base

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire import packets
from meshnode.overlay.embedded.wire.beacon import Beacon, decode_beacon_untrusted, encode_beacon
from meshnode.overlay.embedded.wire.filters import EMPTY, encode_filter, mark
from meshnode.overlay.embedded.wire.framing import Frames, frame
from meshnode.overlay.embedded.wire.keys import (
    Identity,
    address_bytes,
    box_key_untrusted,
    lookup_key,
    partial_key,
    signed_by,
    subnet_bytes,
)
from meshnode.overlay.embedded.wire.meta import HEAD, decode_meta_untrusted, encode_meta, meta_size_untrusted
from meshnode.overlay.embedded.wire.murmur import murmur3_128
from meshnode.overlay.embedded.wire.packets import place_signed
from meshnode.overlay.embedded.wire.varint import take_uvarint_untrusted, uvarint

ALL = json.loads((Path(__file__).parents[2] / "vectors/yggdrasil.json").read_text())
KEYS = {name: bytes.fromhex(ALL["nodes"][name]["public_key"]) for name in "ABC"}


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("row", ALL["addresses"]["tuples"], ids=lambda row: row["address"])
def test_a_key_and_what_follows_from_it(row):
    identity = Identity(raw(row["seed"]))
    key = identity.public
    assert key == raw(row["public_key"])
    assert str(ipaddress.IPv6Address(address_bytes(key))) == row["address"]
    assert subnet_bytes(key) == ipaddress.IPv6Network(row["subnet"]).network_address.packed[:8]
    assert partial_key(address_bytes(key)) == raw(row["partial_key_from_address"])
    assert partial_key(subnet_bytes(key)) == lookup_key(key) == raw(row["partial_key_from_subnet"])
    assert address_bytes(partial_key(address_bytes(key))) == address_bytes(key)
    assert box_key_untrusted(key) == raw(row["x25519_public"])
    assert crypto_scalarmult_base(identity.box_secret) == raw(row["x25519_public"])


@pytest.mark.parametrize("row", ALL["uvarint"], ids=lambda row: row["bytes"])
def test_numbers(row):
    assert uvarint(row["value"]) == raw(row["bytes"])
    assert take_uvarint_untrusted(raw(row["bytes"]), 0) == (row["value"], len(raw(row["bytes"])))


def test_a_longer_form_of_a_number_is_taken():
    assert take_uvarint_untrusted(b"\x83\x00", 0) == (3, 2)


NAMES = {"from": "origin", "info_path": "coords", "type": None, "words_nonzero": None}


def in_our_words(fields):
    for name, value in fields.items():
        ours = NAMES.get(name, name)
        if ours is not None:
            yield ours, raw(value) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("row", ALL["frames"], ids=lambda row: row["packet"])
def test_packets(row):
    (content,) = Frames().feed_untrusted(raw(row["frame"]))
    packet = packets.decode_untrusted(content)
    for name, value in in_our_words(row["fields"]):
        assert getattr(packet, name) == value, name
    assert frame(packets.encode(packet)) == raw(row["frame"])


@pytest.mark.parametrize("row", [row for row in ALL["frames"] if "signed_bytes" in row], ids=lambda row: row["packet"])
def test_what_is_signed_in_a_packet(row):
    packet = packets.decode_untrusted(Frames().feed_untrusted(raw(row["frame"]))[0])
    match packet:
        case packets.SigRes(seq, nonce, port, psig):
            signed, sig = place_signed(KEYS[row["receiver"]], KEYS[row["sender"]], seq, nonce, port), psig
            signer = KEYS[row["psig_verifies_with"]]
        case packets.Announce():
            signed = place_signed(packet.key, packet.parent, packet.seq, packet.nonce, packet.port)
            sig, signer = packet.sig, KEYS[row["sig_verifies_with"]]
            assert signed_by(KEYS[row["psig_verifies_with"]], signed, packet.psig)
        case packets.PathNotify():
            signed, sig = packets.notify_signed(packet.seq, packet.coords), packet.sig
            signer = KEYS[row["sig_verifies_with"]]
    assert signed == raw(row["signed_bytes"])
    assert signed_by(signer, signed, sig)
    assert not signed_by(signer, signed + b"\0", sig)


@pytest.mark.parametrize("row", ALL["bloom"]["key_positions"], ids=lambda row: row["public_key"][:8])
def test_positions_in_a_filter(row):
    assert lookup_key(raw(row["public_key"])) == raw(row["transformed_key"])
    expected = 0
    for bit in row["bits"]:
        expected |= 1 << bit
    assert mark(raw(row["transformed_key"])) == expected


def test_the_hash_and_the_empty_filter():
    check = ALL["bloom"]["murmur3_x64_128_check"]
    assert murmur3_128(check["input"].encode()) == (int(check["h1"], 16), int(check["h2"], 16))
    assert b"\x05" + encode_filter(EMPTY) == raw(ALL["bloom"]["empty_filter_packet"])


def test_words_of_ones_and_the_union_a_daemon_made():
    row = ALL["bloom"]["captured_with_all_ones_words"]
    given, made = (packets.decode_untrusted(raw(row[name])) for name in ("filter_in", "filter_out"))
    keys = [KEYS["A"], KEYS["B"], KEYS["C"], raw(row["x_pub"])]
    union = given.filter
    for key in keys:
        union |= mark(lookup_key(key))
    assert made.filter & given.filter == given.filter
    assert made.filter | union == union
    assert packets.encode(given) == raw(row["filter_in"])
    assert packets.encode(made) == raw(row["filter_out"])


@pytest.mark.parametrize("row", ALL["handshake"]["plain_capture"], ids=lambda row: row["sender"])
def test_plain_handshakes(row):
    data = raw(row["bytes"])
    assert meta_size_untrusted(data[:HEAD]) == len(data) - HEAD
    meta = decode_meta_untrusted(data[HEAD:], b"")
    assert (meta.key, meta.priority) == (KEYS[row["sender"]], row["priority"])
    assert encode_meta(Identity(raw(ALL["nodes"][row["sender"]]["seed"])), b"", row["priority"]) == data


@pytest.mark.parametrize("row", ALL["handshake"]["with_password"], ids=lambda row: f"{row['our_priority']}")
def test_handshakes_with_a_password(row):
    password = row["password"].encode()
    meta = decode_meta_untrusted(raw(row["daemon_meta"])[HEAD:], password)
    assert (meta.key, meta.priority) == (raw(row["daemon_public_key"]), row["daemon_priority"])
    assert encode_meta(Identity(raw(row["our_seed"])), password, row["our_priority"]) == raw(row["our_meta"])
    with pytest.raises(WireError, match="password"):
        decode_meta_untrusted(raw(row["daemon_meta"])[HEAD:], password + b"x")


@pytest.mark.parametrize("row", ALL["multicast_beacons"], ids=lambda row: row["password"] or "plain")
def test_beacons(row):
    data, password = raw(row["udp_payload"]), row["password"].encode()
    beacon = decode_beacon_untrusted(data, password)
    assert beacon == Beacon(raw(row["fields"]["public_key"]), row["fields"]["port"])
    assert encode_beacon(beacon, password) == data
    with pytest.raises(WireError):
        decode_beacon_untrusted(data, b"other")


def test_a_password_of_any_allowed_length_makes_a_hash():
    assert hashlib.blake2b(b"k", key=b"").digest() == hashlib.blake2b(b"k").digest()
