"""What neighbours tell each other: ten types of packets, each a type byte and a body.

    0 dummy       ignored                       5 bloom        filters.py
    1 keepalive   ignored                       6 path_lookup  source, dest, path from
    2 sig_req     seq, nonce                    7 path_notify  path, watermark, source, dest, seq, path coords, sig
    3 sig_res     seq, nonce, port, psig        8 path_broken  path, watermark, source, dest
    4 announce    key, parent, seq, nonce,      9 traffic      path, path from, source, dest, watermark, payload
                  port, psig, sig

Keys are 32 bytes, signatures 64, numbers uvarint. Bytes behind the end of a body are refused but for 0, 1 and 9. The
watermark is the tree distance left at the last hop; it is all that changes on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.filters import Filter, decode_filter_untrusted, encode_filter
from meshnode.overlay.embedded.wire.keys import KEY_SIZE, SIGNATURE_SIZE
from meshnode.overlay.embedded.wire.varint import (
    LARGEST,
    Path,
    encode_path,
    take_path_untrusted,
    take_uvarint_untrusted,
    uvarint,
)

DUMMY: Final = 0
KEEPALIVE: Final = 1
SIG_REQ: Final = 2
SIG_RES: Final = 3
ANNOUNCE: Final = 4
BLOOM: Final = 5
PATH_LOOKUP: Final = 6
PATH_NOTIFY: Final = 7
PATH_BROKEN: Final = 8
TRAFFIC: Final = 9

START = LARGEST  # the watermark before the first hop


@dataclass(frozen=True, slots=True)
class Nothing:
    """Dummy and keepalive: a sign of life."""

    kind: int


@dataclass(frozen=True, slots=True)
class SigReq:
    """Please sign me as your child."""

    seq: int
    nonce: int


@dataclass(frozen=True, slots=True)
class SigRes:
    """The responder's signature and the port it gave to who asked."""

    seq: int
    nonce: int
    port: int
    psig: bytes


@dataclass(frozen=True, slots=True)
class Announce:
    """Where a node hangs in the tree, signed by its parent and itself. The root is its own parent, at port 0."""

    key: bytes
    parent: bytes
    seq: int
    nonce: int
    port: int
    psig: bytes
    sig: bytes


@dataclass(frozen=True, slots=True)
class Bloom:
    """Who can be reached through the sender, over the tree."""

    filter: Filter


@dataclass(frozen=True, slots=True)
class PathLookup:
    """Where is `dest` (a key, perhaps in part)? `origin` is where the asker sits."""

    source: bytes
    dest: bytes
    origin: Path


@dataclass(frozen=True, slots=True)
class PathNotify:
    """`source` sits at `coords`, it says; routed to `dest` at `path`."""

    path: Path
    watermark: int
    source: bytes
    dest: bytes
    seq: int
    coords: Path
    sig: bytes


@dataclass(frozen=True, slots=True)
class PathBroken:
    """Traffic from `source` to `dest` found no next hop."""

    path: Path
    watermark: int
    source: bytes
    dest: bytes


@dataclass(frozen=True, slots=True)
class Traffic:
    """Something for `dest` at `path`, from `source` at `origin`."""

    path: Path
    origin: Path
    source: bytes
    dest: bytes
    watermark: int
    payload: bytes


Packet = Nothing | SigReq | SigRes | Announce | Bloom | PathLookup | PathNotify | PathBroken | Traffic


def place_signed(key: bytes, parent: bytes, seq: int, nonce: int, port: int) -> bytes:
    """What parent and child sign."""
    return key + parent + uvarint(seq) + uvarint(nonce) + uvarint(port)


def notify_signed(seq: int, coords: Path) -> bytes:
    """What the source of a path_notify signs."""
    return uvarint(seq) + encode_path(coords)


def encode(packet: Packet) -> bytes:
    """Type byte and body."""
    match packet:
        case Traffic(path, origin, source, dest, watermark, payload):
            return encode_traffic(path, origin, source, dest, watermark, payload)
        case Nothing(kind):
            return bytes((kind,))
        case SigReq(seq, nonce):
            return b"\x02" + uvarint(seq) + uvarint(nonce)
        case SigRes(seq, nonce, port, psig):
            return b"\x03" + uvarint(seq) + uvarint(nonce) + uvarint(port) + psig
        case Announce(key, parent, seq, nonce, port, psig, sig):
            return b"\x04" + place_signed(key, parent, seq, nonce, port) + psig + sig
        case Bloom(bits):
            return b"\x05" + encode_filter(bits)
        case PathLookup(source, dest, origin):
            return b"\x06" + source + dest + encode_path(origin)
        case PathNotify(path, watermark, source, dest, seq, coords, sig):
            head = b"\x07" + encode_path(path) + uvarint(watermark)
            return head + source + dest + notify_signed(seq, coords) + sig
        case PathBroken(path, watermark, source, dest):
            return b"\x08" + encode_path(path) + uvarint(watermark) + source + dest


def encode_traffic(path: Path, origin: Path, source: bytes, dest: bytes, watermark: int, payload: bytes) -> bytes:
    """Type byte and body of a traffic packet, which is nearly all that a node ever sends."""
    return b"".join((b"\x09", encode_path(path), encode_path(origin), source, dest, uvarint(watermark), payload))


def decode_untrusted(content: bytes) -> Packet:
    """A packet of type byte and body; WireError for anything else."""
    if not content:
        raise WireError("a packet without a type")
    kind = content[0]
    if kind == TRAFFIC:
        return _traffic(content)
    if kind <= KEEPALIVE:
        return Nothing(kind)
    reader = _Reader(content)
    packet = _rest(kind, reader)
    if reader.at != len(content):
        raise WireError(f"a packet of type {kind} is longer than it says")
    return packet


def _traffic(content: bytes) -> Traffic:
    path, at = take_path_untrusted(content, 1)
    origin, at = take_path_untrusted(content, at)
    middle, end = at + KEY_SIZE, at + 2 * KEY_SIZE
    watermark, start = take_uvarint_untrusted(content, end)
    return Traffic(path, origin, content[at:middle], content[middle:end], watermark, content[start:])


def _rest(kind: int, reader: _Reader) -> Packet:
    number, path, key, signature = reader.number, reader.path, reader.key, reader.signature
    match kind:
        case 2:
            return SigReq(number(), number())
        case 3:
            return SigRes(number(), number(), number(), signature())
        case 4:
            return Announce(key(), key(), number(), number(), number(), signature(), signature())
        case 5:
            return Bloom(decode_filter_untrusted(reader.remaining()))
        case 6:
            return PathLookup(key(), key(), path())
        case 7:
            return PathNotify(path(), number(), key(), key(), number(), path(), signature())
        case 8:
            return PathBroken(path(), number(), key(), key())
        case _:
            raise WireError(f"a packet of type {kind}")


class _Reader:
    """Takes the fields of a body one after another."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 1

    def number(self) -> int:
        value, self.at = take_uvarint_untrusted(self._content, self.at)
        return value

    def path(self) -> Path:
        value, self.at = take_path_untrusted(self._content, self.at)
        return value

    def key(self) -> bytes:
        return self._bytes(KEY_SIZE)

    def signature(self) -> bytes:
        return self._bytes(SIGNATURE_SIZE)

    def remaining(self) -> bytes:
        return self._bytes(len(self._content) - self.at)

    def _bytes(self, size: int) -> bytes:
        value = self._content[self.at : self.at + size]
        if len(value) < size:
            raise WireError("a packet is cut off")
        self.at += size
        return value
