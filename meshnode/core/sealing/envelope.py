"""The envelope as relays see it: an immutable header of 16 B and the sealed part. Nothing names sender or recipient.

version 2 bits, kind 3, class 3 | lifetime code 1 | created 3 (minutes since 2026, 0 unknown) | hint 1 | tag 10 | sealed
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from meshnode.core.ids import EnvelopeId, Receipt, Tag, hashed
from meshnode.errors import UsageError, WireError

VERSION = 1
KIND_MESSAGE, KIND_FIRST, KIND_PROBE = 0, 1, 2  # 3 to 7 are for groups and later; carried, never acted upon
HEADER_SIZE = 16
TAG_LENGTH = 10
RECEIPT_SIZE = 16
MAX_ENVELOPE = 5120  # 16 fragments of a 384 B link hold no more
MAX_TEXT = 3600  # bytes of UTF-8: fits a first message

_HOUR, _DAY = 3600, 86400
LIFETIMES_S = (
    600,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    *(days * _DAY for days in (1, 2, 3, 5, 7, 10, 14, 21, 28)),
)  # few, so that a lifetime tells little
LONGEST_S = LIFETIMES_S[-1]
_LIFETIME_S = (*LIFETIMES_S, *(LONGEST_S,) * (256 - len(LIFETIMES_S)))  # by code; of later versions the longest
_LATELY = 64  # envelopes: each is heard from several neighbours within a second or two


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """The immutable header. Its bytes are the associated data of the seal."""

    kind: int
    cls: int
    lifetime: int  # code
    created: int
    hint: int
    tag: Tag
    version: int = VERSION

    @property
    def understood(self) -> bool:
        """A version and kind that may be acted upon; others are only carried."""
        return self.version == VERSION and self.kind in (KIND_MESSAGE, KIND_FIRST, KIND_PROBE)

    @property
    def lifetime_s(self) -> int:
        """How long this may travel; codes of later versions count as the longest."""
        return _LIFETIME_S[self.lifetime]

    def encode(self) -> bytes:
        """The 16 B."""
        byte0 = self.version << 6 | self.kind << 3 | self.cls
        return bytes((byte0, self.lifetime)) + self.created.to_bytes(3, "big") + bytes((self.hint,)) + self.tag


@dataclass(frozen=True, slots=True)
class Terms:
    """What the sender chooses for one envelope: class, lifetime code, minutes since 2026 (0 unknown), hint."""

    cls: int = 2
    lifetime: int = LIFETIMES_S.index(14 * _DAY)
    created: int = 0
    hint: int = 0

    def header(self, kind: int, tag: Tag) -> EnvelopeHeader:
        """The header of an envelope on these terms."""
        return EnvelopeHeader(kind, self.cls, self.lifetime, self.created, self.hint, tag)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed envelope: bytes to send, its tag, the receipt that will prove its arrival, its place in the chain."""

    data: bytes
    tag: Tag
    receipt: Receipt
    index: int

    @property
    def id(self) -> EnvelopeId:
        """The envelope's id."""
        return envelope_id(self.data)


def read_envelope_untrusted(data: bytes) -> EnvelopeHeader:
    """The header of an envelope of allowed size."""
    if not HEADER_SIZE < len(data) <= MAX_ENVELOPE:
        raise WireError("an envelope is too short or too long")
    return EnvelopeHeader(
        version=data[0] >> 6,
        kind=data[0] >> 3 & 7,
        cls=data[0] & 7,
        lifetime=data[1],
        created=int.from_bytes(data[2:5], "big"),
        hint=data[5],
        tag=Tag(data[6:16]),
    )


@lru_cache(_LATELY)
def envelope_id(data: bytes) -> EnvelopeId:
    """16 B of hash over header and sealed part."""
    return EnvelopeId(hashed(b"mn-env-v1", data, 16))


def lifetime_code(seconds: float) -> int:
    """The code of the longest lifetime that is not above `seconds`."""
    code = bisect_right(LIFETIMES_S, seconds) - 1
    if code < 0:
        raise UsageError(f"an envelope lives at least {LIFETIMES_S[0]} seconds")
    return code


def max_copies(cls: int) -> int:
    """The largest copy budget of a class: urgent 16, direct 8, bulk 4 (protocol rule 9.7)."""
    return {1: 16, 2: 8}.get(cls, 4)


def receipt_tag(receipt: bytes) -> Tag:
    """The tag that a receipt of 16 B opens (protocol rule 7.2)."""
    return Tag(hashed(b"mn-tag", receipt, TAG_LENGTH))


def opens(tag: Tag, receipt: bytes) -> bool:
    """Anyone can check a receipt; only the two ends can make one (rule 9.1)."""
    return len(receipt) == RECEIPT_SIZE and receipt_tag(receipt) == tag
