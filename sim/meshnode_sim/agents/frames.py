"""What reference agents say to each other, and what a host tells them beside the inputs of the core.

    HELLO  who                    OFFER, YOURS  who, ids, octets of each   LACK  id
    WANT   id that arrived, id    MESSAGE  id, copies, hops, time left, octets, class, from, to, text

YOURS are offers of what is for the one it is told. A checksum ends each frame and stands in for the seal: what was
damaged on its way is as good as lost.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from meshnode.core.effects import Send
from meshnode.core.inputs import Compose, Tick

CHECKSUM_SIZE: Final = 4  # CRC-32 behind every frame
HEAD_SIZE: Final = 33  # of an offer: what it is, and who says it

HELLO, OFFER, YOURS, WANT, MESSAGE, LACK = b"HOYWML"
ENTRY_SIZE: Final = 12  # of an offer: an id, and octets
WANTED: Final = struct.Struct("<BQQ")
LACKED: Final = struct.Struct("<BQ")
CARRIED: Final = struct.Struct("<BQHHdIB32s32s")


@dataclass(frozen=True, slots=True)
class Words(Compose):
    """Something written whose size is not that of its text: `octets` stands for what nobody needs to hold."""

    octets: int = 0


@dataclass(frozen=True, slots=True)
class Bulk(Send):
    """A frame that takes the air of `octets`, though `data` is shorter."""

    octets: int = 0


@dataclass(frozen=True, slots=True)
class Lacking(Send):
    """Contacts: nothing to send; `to` has something one lacks (`yours`: that is for oneself), so give one a Turn."""

    yours: bool = False


@dataclass(frozen=True, slots=True)
class Turn(Tick):
    """Contacts: you and `peer` are both free, so ask it for one message: one for you (`yours`), or any other."""

    peer: str
    yours: bool


@dataclass(frozen=True, slots=True)
class Incoming(Tick):
    """Contacts: a message of so many octets begins to arrive, and needs room."""

    octets: int


def checked(data: bytes) -> bytes:
    """A frame with its checksum."""
    return data + crc32(data).to_bytes(CHECKSUM_SIZE, "big")


def is_whole(frame: bytes) -> bool:
    """Whether the checksum is that of the frame."""
    return crc32(frame[:-CHECKSUM_SIZE]).to_bytes(CHECKSUM_SIZE, "big") == frame[-CHECKSUM_SIZE:]


def offered(keys: list[int], octets: list[int]) -> bytes:
    """The entries of an offer: all ids, then how long each is."""
    return struct.pack(f"<{len(keys)}Q{len(keys)}I", *keys, *octets)


def entries(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids and octets of an offer, from what `offered` made."""
    count = len(data) // ENTRY_SIZE
    found = struct.unpack(f"<{count}Q{count}I", data)
    return found[:count], found[count:]
