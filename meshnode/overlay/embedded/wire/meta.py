"""The first words on a link: who I am, in which version, signed.

    "meta"   4 bytes
    length   2 bytes, big-endian, of all that follows
    fields   type (2), length (2), value: 0 major (2), 1 minor (2), 2 public key (32), 3 priority (1)
    sig      64 bytes, by the key, over BLAKE2b-512 of the key, keyed with the password

Both sides send it at once, then read. Nothing in it is fresh: whoever saw it can send it again, but cannot sign what
comes next.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from meshnode.errors import WireError
from meshnode.overlay.embedded.wire.keys import KEY_SIZE, SIGNATURE_SIZE, Identity, signed_by

PREAMBLE = b"meta"
MAJOR, MINOR = 0, 5
HEAD = len(PREAMBLE) + 2
LONGEST_PASSWORD = hashlib.blake2b.MAX_KEY_SIZE

_SIZES = {0: 2, 1: 2, 2: KEY_SIZE, 3: 1}


@dataclass(frozen=True, slots=True)
class Meta:
    """What a handshake says: a proven key, and the priority its side gives the link (lower is preferred)."""

    key: bytes
    priority: int


def password_hash(password: bytes, key: bytes) -> bytes:
    """What is signed in a handshake and shown in a beacon: 64 bytes. An empty password is none."""
    return hashlib.blake2b(key, key=password).digest()


def encode_meta(identity: Identity, password: bytes, priority: int) -> bytes:
    """Our handshake; the same each time."""
    fields = struct.pack(">HHHHHHHH32sHHB", 0, 2, MAJOR, 1, 2, MINOR, 2, KEY_SIZE, identity.public, 3, 1, priority)
    body = fields + identity.sign(password_hash(password, identity.public))
    return PREAMBLE + struct.pack(">H", len(body)) + body


def meta_size_untrusted(head: bytes) -> int:
    """How many bytes follow the first six; WireError for something else than a handshake."""
    size: int = struct.unpack(">H", head[4:HEAD])[0]
    if head[:4] != PREAMBLE or size < SIGNATURE_SIZE:
        raise WireError("the other side speaks something else")
    return size


def decode_meta_untrusted(body: bytes, password: bytes) -> Meta:
    """A handshake of our version whose signature fits the password; WireError otherwise."""
    fields = _fields_untrusted(body[:-SIGNATURE_SIZE])
    key = fields.get(2, b"")
    if not key or not signed_by(key, password_hash(password, key), body[-SIGNATURE_SIZE:]):
        raise WireError("the handshake is not signed as it should be; is the password the same?")
    version = tuple(int.from_bytes(fields.get(kind, b""), "big") for kind in (0, 1))
    if version != (MAJOR, MINOR):
        raise WireError(f"the other side speaks version {version[0]}.{version[1]}")
    return Meta(key, int.from_bytes(fields.get(3, b""), "big"))


def _fields_untrusted(data: bytes) -> dict[int, bytes]:
    """Values by type. Unknown ones are passed over, and so are up to three stray bytes at the end."""
    fields, at = {}, 0
    while len(data) - at >= 4:
        kind, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if len(value) < size or _SIZES.get(kind, size) != size:
            raise WireError(f"field {kind} of the handshake has a wrong length")
        fields[kind] = value
        at += 4 + size
    return fields
