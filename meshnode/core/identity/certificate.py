"""The device certificate and its removal: which devices write under a persona, said by the persona's root key."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.identity.statement import (
    CERTIFICATE,
    REVOCATION,
    SIGNATURE_SIZE,
    check_statement,
    sign_statement,
    statement_fields_untrusted,
)
from meshnode.core.ids import DeviceKey, Incarnation, PersonaKey, hashed
from meshnode.core.ports import Sealer

CAN_POST, CAN_MESSAGE = 1, 2  # capabilities; the other bits are for later
ALL_CAPABILITIES = CAN_POST | CAN_MESSAGE

CERTIFICATE_SIZE = 2 + 32 + 32 + 2 + 3 + 3 + SIGNATURE_SIZE
SHORT_CERTIFICATE_SIZE = CERTIFICATE_SIZE - 64

NO_INCARNATION = Incarnation(bytes(4))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verified certificate. Times in minutes since 2026; 0 means unknown (issued), never (expires)."""

    persona: PersonaKey
    device: DeviceKey
    capabilities: int
    issued: int
    expires: int
    data: bytes

    @property
    def id(self) -> bytes:
        """8 B that name it where it is known."""
        return certificate_id(self.data)

    def valid_at(self, minutes: int) -> bool:
        """Not expired at that minute since 2026; 0 (date unknown) counts as valid."""
        return not self.expires or minutes < self.expires


@dataclass(frozen=True, slots=True)
class Revocation:
    """A verified removal. What a device wrote after (incarnation, seq) of its person log counts no more; 0 unknown."""

    persona: PersonaKey
    device: DeviceKey
    incarnation: Incarnation
    seq: int
    made: int
    data: bytes


def issue_certificate(
    sealer: Sealer,
    persona: PersonaKey,
    persona_secret: bytes,
    device: DeviceKey,
    *,
    capabilities: int = ALL_CAPABILITIES,
    issued: int = 0,
    expires: int = 0,
) -> bytes:
    """The persona says: this device is mine."""
    fields = device + capabilities.to_bytes(2, "big") + issued.to_bytes(3, "big") + expires.to_bytes(3, "big")
    return sign_statement(sealer, CERTIFICATE, persona, fields, persona_secret)


def read_certificate_untrusted(data: bytes, sealer: Sealer) -> Certificate:
    """A certificate whose signature fits the persona it names."""
    what = "a device certificate"
    persona, cursor = statement_fields_untrusted(data, CERTIFICATE, what)
    device = DeviceKey(cursor.take(32))
    capabilities, issued, expires = cursor.number(2), cursor.number(3), cursor.number(3)
    cursor.end()
    check_statement(sealer, data, persona, what)
    return Certificate(persona, device, capabilities, issued, expires, data)


def certificate_id(data: bytes) -> bytes:
    """8 B of hash over a whole certificate."""
    return hashed(b"mn-cert-id", data, 8)


def shorten(data: bytes) -> bytes:
    """A certificate without persona and device, for where both stand beside it."""
    return data[:2] + data[66:]


def lengthen(short: bytes, persona: PersonaKey, device: DeviceKey) -> bytes:
    """The whole certificate again; still to be verified."""
    return short[:2] + persona + device + short[2:]


def revoke_device(
    sealer: Sealer,
    persona: PersonaKey,
    persona_secret: bytes,
    device: DeviceKey,
    *,
    incarnation: Incarnation = NO_INCARNATION,
    seq: int = 0,
    made: int = 0,
) -> bytes:
    """The persona says: this device is no longer mine; the last I accept of it, where known, is (incarnation, seq)."""
    fields = device + incarnation + seq.to_bytes(4, "big") + made.to_bytes(3, "big")
    return sign_statement(sealer, REVOCATION, persona, fields, persona_secret)


def read_revocation_untrusted(data: bytes, sealer: Sealer) -> Revocation:
    """A removal whose signature fits the persona it names."""
    what = "a removal of a device"
    persona, cursor = statement_fields_untrusted(data, REVOCATION, what)
    device, incarnation = DeviceKey(cursor.take(32)), Incarnation(cursor.take(4))
    seq, made = cursor.number(4), cursor.number(3)
    cursor.end()
    check_statement(sealer, data, persona, what)
    return Revocation(persona, device, incarnation, seq, made, data)
