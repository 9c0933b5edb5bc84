"""What a node multicasts on a link so that neighbours dial it: 104 bytes of UDP to [ff02::114]:9001.

    major, minor, key (32), port, size of hash, hash (64)      numbers 2 bytes, big-endian

The hash is that of a handshake's password over the key. Beacons are not signed; the dial checks the key.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.meta import MAJOR, MINOR, password_hash

GROUP, PORT = "ff02::114", 9001
LARGEST = 2048  # more is not read

_LAYOUT = struct.Struct(">HH32sHH")


@dataclass(frozen=True, slots=True)
class Beacon:
    """Dial me: a TLS listener on `port` of the address this came from."""

    key: bytes
    port: int


def encode_beacon(beacon: Beacon, password: bytes) -> bytes:
    """The payload of a datagram."""
    digest = password_hash(password, beacon.key)
    return _LAYOUT.pack(MAJOR, MINOR, beacon.key, beacon.port, len(digest)) + digest


def decode_beacon_untrusted(data: bytes, password: bytes) -> Beacon:
    """A beacon of our version and password; WireError otherwise."""
    if len(data) < _LAYOUT.size:
        raise WireError("a beacon is cut off")
    major, minor, key, port, size = _LAYOUT.unpack_from(data)
    digest = data[_LAYOUT.size : _LAYOUT.size + size]
    if (major, minor) != (MAJOR, MINOR) or not port:
        raise WireError("a beacon of another version")
    if len(digest) != size or not hmac.compare_digest(digest, password_hash(password, key)):
        raise WireError("a beacon of another group")
    return Beacon(key, port)
