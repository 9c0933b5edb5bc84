"""What stands inside the seal of an envelope, and the padding that hides its length.

    flags 4 bits, kind 4 | conversation seq varint | 8 B of hash of this sender's previous message here | text | padding

Seq and hash make a chain that only the two can see: gaps, order and "exactly once" hang on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meshnode.core.chain.varint import take_varint, varint
from meshnode.core.ids import DeviceKey, Incarnation, MessageId, PersonaKey, hashed
from meshnode.errors import WireError

TEXT, READ, PROBE = 1, 2, 3  # a text; a read note (message ids of 16 B in a row); a probe whose way is traced
GROUP_KEY, GROUP_TEXT = 4, 5  # reserved
FILE = 6  # a text with a file: manifest and words as in manifest.py, "attached"
PROMPT = 1  # flag: somebody waits, the receipt shall not wait for company

PREVIOUS_SIZE = 8
NO_PREVIOUS = bytes(PREVIOUS_SIZE)
_SHORTEST = 2 + PREVIOUS_SIZE  # more than the longest varint, too
FINE_STEP, FINE_UP_TO, COARSE_STEP = 16, 128, 64


@dataclass(frozen=True, slots=True)
class Inner:
    """One message between two persons. `seq` counts this device's messages to that persona, from 1."""

    kind: int
    seq: int
    previous: bytes
    text: bytes = b""
    flags: int = 0

    def encode(self) -> bytes:
        """Padded, ready to be sealed."""
        return pad(bytes((self.flags << 4 | self.kind,)) + varint(self.seq) + self.previous + self.text)


def decode_inner_untrusted(data: bytes) -> Inner:
    """What was inside a seal. Unknown kinds and flags are given back as they are."""
    plain = unpad_untrusted(data)
    if len(plain) < _SHORTEST:
        raise WireError("a sealed message is cut short")
    seq, at = take_varint(plain, 1)
    text = at + PREVIOUS_SIZE
    if len(plain) < text:
        raise WireError("a sealed message is cut short")
    return Inner(plain[0] & 15, seq, plain[at:text], plain[text:], plain[0] >> 4)


def chain_hash(inner: Inner) -> bytes:
    """The 8 B that the next message of this sender carries as `previous`: over the padded bytes, with flags 0.

    Flags are left out because they may differ when a message is sealed again.
    """
    return hashed(b"mn-inner-v1", replace(inner, flags=0).encode(), PREVIOUS_SIZE)


def message_id(device: DeviceKey, incarnation: Incarnation, recipient: PersonaKey, seq: int) -> MessageId:
    """Names a message for both ends, whichever session carries it (protocol rule 7.8)."""
    return MessageId(hashed(b"mn-msgid", device + incarnation + recipient + varint(seq), 16))


def pad(data: bytes) -> bytes:
    """80 00 00 … up to a multiple of 16, above 128 of 64."""
    size = len(data) + 1
    step = FINE_STEP if size <= FINE_UP_TO else COARSE_STEP
    return data + b"\x80" + bytes(-size % step)


def unpad_untrusted(data: bytes) -> bytes:
    """The data before the padding; refuses any padding but the shortest."""
    stripped = data.rstrip(b"\0")
    if stripped[-1:] != b"\x80" or len(pad(stripped[:-1])) != len(data):
        raise WireError("the padding of a sealed message is wrong")
    return stripped[:-1]
