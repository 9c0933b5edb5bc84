"""Statements a persona signs about its devices and logs: one frame for certificates, removals and adopted branches.

    version 1 | kind 1 | persona 32 | fields of that kind | signature 64

The signature covers all before it, kind included; it is the persona root's unless the kind says otherwise.
"""

from __future__ import annotations

from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import PersonaKey
from meshnode.core.ports import Sealer
from meshnode.errors import SignatureError, WireError

VERSION = 1
CERTIFICATE, REVOCATION, ADOPTION = 1, 2, 3  # kinds; further ones (several devices) follow
SIGNATURE_SIZE = 64
MAX_STATEMENT = 512

_LABEL = b"mn-statement-v1"


def sign_statement(sealer: Sealer, kind: int, persona: PersonaKey, fields: bytes, secret: bytes) -> bytes:
    """A signed statement."""
    body = bytes((VERSION, kind)) + persona + fields
    return body + sealer.sign(secret, _LABEL + body)


def statement_kind_untrusted(data: bytes) -> int:
    """Which kind of statement this claims to be."""
    if not 2 + 32 + SIGNATURE_SIZE <= len(data) <= MAX_STATEMENT or data[0] != VERSION:
        raise WireError("a statement of unknown version or size")
    return data[1]


def statement_fields_untrusted(data: bytes, kind: int, what: str) -> tuple[PersonaKey, Cursor]:
    """The persona and a cursor over the fields, before any signature is checked."""
    if statement_kind_untrusted(data) != kind:
        raise WireError(f"{what} is of another kind")
    cursor = Cursor(data[2:-SIGNATURE_SIZE], what)
    return PersonaKey(cursor.take(32)), cursor


def check_statement(sealer: Sealer, data: bytes, signer: bytes, what: str) -> None:
    """Refuse a statement that `signer` did not sign."""
    if not sealer.verify(signer, _LABEL + data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]):
        raise SignatureError(f"{what} is not signed by its persona")
