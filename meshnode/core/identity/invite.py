"""Invites: `mesh:c…` hands on a contact, `mesh:m…` hands on membership. As URI, in a QR code, or as words.

    payload = kind 1 ("c" or "m") | version 1 | fields | checksum 4
    contact: persona 32 | name length 1 | name | later fields are skipped
    mesh:    flags 1 (1 open, 2 early) | key number 1 | secret 32 unless open | name length 1 | name
             | [roots 40, when the secret is not the mesh's first] | later fields are skipped

The URI is `mesh:` and the kind in clear, then the rest in base32, so that case does not matter and a QR code of
capitals stays small. Words are proquints over the whole payload. A contact invite never carries the mesh secret (2.8).
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from dataclasses import dataclass, field
from unicodedata import category

from meshnode.core.identity.octets import Cursor
from meshnode.core.identity.words import from_words_untrusted, to_words
from meshnode.core.ids import PersonaKey, hashed
from meshnode.errors import UsageError, WireError

VERSION = 1
MAX_NAME = 64  # bytes of UTF-8
MAX_TEXT = 1024  # characters of an invite as typed
OPEN, EARLY = 1, 2  # flags of a mesh invite

_CONTACT, _MESH = b"c", b"m"
_CHECKSUM = 4
_ROOTS = 8 + 32  # mesh id, digest subkey
_PREFIX = "mesh:"
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@dataclass(frozen=True, slots=True)
class ContactInvite:
    """A person to add."""

    persona: PersonaKey
    name: str


@dataclass(frozen=True, slots=True)
class MeshInvite:
    """A mesh to join. `secret` is None when it is open: whoever knows the name is in. `roots`: of its first secret.

    `early`: a secret that members shall hold, and not speak before all of them do.
    """

    name: str
    secret: bytes | None = field(repr=False)
    number: int = 0
    roots: bytes = field(default=b"", repr=False)
    early: bool = False


def contact_uri(persona: PersonaKey, name: str) -> str:
    """My contact, to hand out freely."""
    return _uri(_CONTACT, persona + _named(name))


def mesh_uri(name: str, secret: bytes | None, number: int = 0, roots: bytes = b"", *, early: bool = False) -> str:
    """Membership of a mesh: whoever holds this is in."""
    flags = OPEN if secret is None else EARLY * early
    return _uri(_MESH, bytes((flags, number)) + (secret or b"") + _named(name) + roots)


def invite_words(uri: str) -> str:
    """The same invite as words to read aloud."""
    payload = _payload_untrusted(uri)
    return " ".join(to_words(payload + bytes(len(payload) % 2)))


def read_invite_untrusted(text: str) -> ContactInvite | MeshInvite:
    """An invite from a URI or from words, in any case and spacing."""
    payload = _payload_untrusted(text)
    if len(payload) < 2 + _CHECKSUM:
        raise WireError("the invite is incomplete")
    if payload[1] != VERSION:
        raise WireError("the invite was made by a newer meshnode")
    cursor = Cursor(payload[2:-_CHECKSUM], "the invite")
    if payload[:1] == _CONTACT:
        return ContactInvite(PersonaKey(cursor.take(32)), _name_untrusted(cursor))
    if payload[:1] == _MESH:
        return _mesh_untrusted(cursor)
    raise WireError("the invite is of a kind this meshnode does not know")


def check_name(name: str) -> bytes:
    """The name as UTF-8; refuses what does not fit an invite."""
    data = name.encode() if one_line(name) else b""
    if not 0 < len(data) <= MAX_NAME:
        raise UsageError(f"a name is one line of 1 to {MAX_NAME} bytes, without control characters")
    return data


def _uri(kind: bytes, fields: bytes) -> str:
    body = kind + bytes((VERSION,)) + fields
    body += _checksum(body)
    return _PREFIX + kind.decode() + b32encode(body[1:]).decode().rstrip("=").lower()


def _named(name: str) -> bytes:
    data = check_name(name)
    return bytes((len(data),)) + data


def _checksum(body: bytes) -> bytes:
    return hashed(b"mn-invite-v1", body, _CHECKSUM)


def _payload_untrusted(text: str) -> bytes:
    """Kind to checksum, with the checksum verified."""
    if len(text) > MAX_TEXT:
        raise WireError("this is too long for an invite")
    squeezed = re.sub(r"\s", "", text).lower()
    payloads = [_from_uri_untrusted(squeezed)] if squeezed.startswith(_PREFIX) else _from_words_untrusted(text)
    for payload in payloads:
        if payload[-_CHECKSUM:] == _checksum(payload[:-_CHECKSUM]):
            return payload
    raise WireError("the invite has a mistake in it: its checksum does not fit, please compare it once more")


def _from_uri_untrusted(uri: str) -> bytes:
    kind, coded = uri[len(_PREFIX) : len(_PREFIX) + 1], uri[len(_PREFIX) + 1 :]
    try:
        return kind.encode("ascii") + b32decode(coded.upper() + "=" * (-len(coded) % 8))
    except (NotBase32, ValueError):
        raise WireError("the invite has a letter in it that does not belong there, or is cut short") from None


def _from_words_untrusted(text: str) -> list[bytes]:
    """Both readings of the words: a payload of odd length was padded by one byte."""
    data = from_words_untrusted(text)
    return [data, data[:-1]] if data[-1:] == b"\0" else [data]


def _name_untrusted(cursor: Cursor) -> str:
    size = cursor.number(1)
    data = cursor.take(size)
    if not 0 < size <= MAX_NAME:
        raise WireError("the name in the invite is too long or missing")
    try:
        name = data.decode()
    except UnicodeDecodeError:
        raise WireError("the name in the invite is not text") from None
    if not one_line(name):
        raise WireError("the name in the invite is not text")
    return name


def one_line(name: str) -> bool:
    """True without control characters, line ends, half characters, and marks that turn the direction of writing."""
    return not any(category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in _TURNING for sign in name)


def _mesh_untrusted(cursor: Cursor) -> MeshInvite:
    flags, number = cursor.number(1), cursor.number(1)
    if flags not in (0, OPEN, EARLY) or number > 3:
        raise WireError("the invite was made by a newer meshnode")
    secret = None if flags & OPEN else cursor.take(32)
    name, rest = _name_untrusted(cursor), cursor.rest()
    roots = rest[:_ROOTS] if secret and len(rest) >= _ROOTS else b""
    return MeshInvite(name, secret, number, roots, bool(flags & EARLY))
