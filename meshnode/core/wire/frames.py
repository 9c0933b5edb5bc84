"""The frames: what stands in a datagram, a session record or a parcel. Codecs are in `codec.py`.

A plaintext is frames in a row: `type 1 | [length varint, when bit 7 of type is set] | body`. Without bit 7 the body
reaches to the end. Integers are big-endian; varints are LEB128, shortest form only. Unknown types with bit 7 are
skipped; without it the rest is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.chain.compact import Compact
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.reconcile import Range
from meshnode.core.ids import EnvelopeId, FileId, LogId, NodeKey, Receipt

VERSION = 2  # of the frames; a beacon says the lowest and highest spoken. 2: echoes under the pairwise key
OLDEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """0x01. node key 32 | X25519 key 32 | epoch 3 | signature 64.

    Signed is "mn-hello-v1" | mesh id | link id | both keys | epoch.
    """

    node: NodeKey
    exchange: bytes
    epoch: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Echo:
    """4 B: 2 of a heard neighbour's link id, 2 of K(pairwise key, "mn-hears", nonce of the last beacon heard from it |
    nonce of this datagram). To a neighbour of version 1: of H("mn-echo", nonce of the last beacon).
    """

    neighbour: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """7 B: log handle 4 | mark 3: 23 bits of contiguous head, top bit set when the log split (chain/frontier.py)."""

    handle: bytes
    head: int
    forked: bool = False


@dataclass(frozen=True, slots=True)
class Beacon:
    """0x02. versions 1 (oldest << 4 | newest) | flags 1 | frontier digest 8 | envelope digest 4 |
    counts 1 (echoes << 4 | changes) | echoes 4 each, at most 8 | changes 7 each, at most 8 | further bytes ignored
    (room for later versions).

    flags: 1 busy (queue above half a second), 2 storage refusing, 4 lonely or carrying (answer soon), 8 no hint given,
    16 no sure date (tell me yours).
    """

    oldest: int
    newest: int
    flags: int
    frontier: bytes
    envelopes: bytes
    echoes: tuple[Echo, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """0x03. frontier digest 8 this refers to | changes 7 each: what the sender has, newest first."""

    frontier: bytes
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """flags 1 (1 full reference, 2 bodies only) | handle 4 or log id 52 | first seq varint | count varint."""

    log: bytes
    first: int
    count: int
    bodies_only: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """0x04. wishes in a row."""

    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class BlockFrame:
    """0x05 handle 4, or 0x15 log id 52 | compact block with its seq and its backlink: one block, as in a flood.

    `log` is the 4 B handle or the 52 B id; the block is not verified yet: chain/block.py does that, with the log known.
    """

    log: bytes
    block: Compact


@dataclass(frozen=True, slots=True)
class Run:
    """0x06 handle 4, or 0x16 log id 52 | first seq varint | count varint (1 to 256) | compact blocks without seq.

    Blocks of one log in a row of seqs. The first gives its backlink, the others only where they do not link to the one
    before (chain/ranges.py).
    """

    log: bytes
    first: int
    blocks: tuple[Compact, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """0x07. item id 8 | index 1 | count 1 (at most 16) | bytes. The item is one whole frame, type included."""

    item: bytes
    index: int
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FragmentWant:
    """0x08. item id 8 | bitmap 2 of the indices that are missing."""

    item: bytes
    missing: int


@dataclass(frozen=True, slots=True)
class Receipts:
    """0x09. Receipts of 16 B in a row | hops 1, or nothing: how far the one that comes farthest has come, at most 255.

    0 is said by leaving it off: not known, as in a parcel.
    """

    receipts: tuple[Receipt, ...]
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """12 B: first 4 of the envelope id | 8 of K(K_ab, "mn-took", envelope id | taker link id)."""

    envelope: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Proofs:
    """0x0A. Custody proofs in a row, unicast to the giver, sealed pairwise."""

    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class ForkFrame:
    """0x0B. log id 52 | seq 4 | two times: version 1 | what follows the seq in the signed content 63 | signature 64.

    312 B, so that it fits the smallest datagram. Lower id first. Answers a WANT that reaches past a split.
    """

    log: LogId
    content_a: bytes
    signature_a: bytes
    content_b: bytes
    signature_b: bytes


@dataclass(frozen=True, slots=True)
class RefWant:
    """0x0C. Log handles of 4 B in a row whose full id is asked for."""

    handles: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refs:
    """0x0D. Log ids of 52 B in a row."""

    logs: tuple[LogId, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """0x0E. 8 of a probe's envelope id | hop 1 | carrier 1 (0 link, 1 overlay, 2 parcel) | link id 6 of the hop."""

    envelope: bytes
    hop: int
    carrier: int
    neighbour: bytes


@dataclass(frozen=True, slots=True)
class BridgeNews:
    """0x12. link id 6 of a bridge | uplink 6 | number 4 | state 1 | minutes 2 | kB 3 | kB 3 | hops 1.

    `uplink`: first 3 B of the link ids of its two ends, the lower first; zeros: none is open. `number` grows. `minutes`
    until it opens; 0: it is open, or nobody knows. Then what is left of its day, to send and to receive, 0xFFFFFF: no
    limit. `hops`: how often it was passed on.
    """

    bridge: bytes
    uplink: bytes
    number: int
    state: int
    minutes: int
    sent_left: int
    received_left: int
    hops: int


@dataclass(frozen=True, slots=True)
class Offer:
    """0x10. First 6 B of envelope ids in a row: what I carry and may hand on."""

    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """0x11. First 6 B of envelope ids in a row, out of an offer."""

    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Handover:
    """3 B: 2 of the taker's link id | copies 5 bits, reply time 3 bits (0 within 1 s, 1 within 10 s).

    No copies: nothing is promised, the proof says only that the envelope arrived.
    """

    taker: bytes
    copies: int
    reply: int


@dataclass(frozen=True, slots=True)
class TookProof:
    """10 B in a forwarded envelope: 2 of the giver's link id | 8 as in `Proof`. For the giver who overhears it."""

    giver: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class EnvelopeFrame:
    """0x40 + (1 proof) + (2 x number of handovers, 0 to 2). [proof 10] | handovers 3 each | age 2 | spread 1 | data.

    data = immutable header 16 | sealed. Age in minutes. `spread`: from a neighbour, how many hops it may go, this one
    counted, 0 for no limit; in a parcel, the copies it brings.
    """

    data: bytes
    age: int
    spread: int
    proof: TookProof | None = None
    handovers: tuple[Handover, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSeek:
    """0x18. file id 32 | hops 1 that the question may still go. Who has some of the file, or a way to it?"""

    file: FileId
    hops: int


@dataclass(frozen=True, slots=True)
class FileHave:
    """0x19. file id 32 | distance 1 | size 4 | bitmap of the chunks held, the first in the top bit; none: all.

    Distance 0: held here. 1 to 15: it can be got through here, from that many hops away. 255: not any more.
    """

    file: FileId
    distance: int
    size: int
    held: bytes = b""


@dataclass(frozen=True, slots=True)
class ChunkWant:
    """0x1A. file id 32 | index 2 (65,535: the list of hashes) | delay 1 | spans (from 2, to 2) in a row, 1 to 16.

    The bytes of a chunk that are asked for. `delay`: how long pieces from here stood in line lately, in 4 ms.
    """

    file: FileId
    index: int
    delay: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ChunkPiece:
    """0x1B. file id cut to 4 | index 2 | moment 2 | offset 2 | bytes. An answer to a ChunkWant, in order of its spans.

    `moment`: milliseconds of the sender's clock, cut to 16 bits, by which the receiver sees the line grow.
    """

    file: bytes
    index: int
    moment: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ranges:
    """0x20. Sessions only. nonce 4 of the round | ranges in a row, from the lowest key up (chain/reconcile.py):
    mode (4 bits), size of the upper bound (4 bits, 0 to 8) | upper bound, exclusive, 0 B: the end |
    mode 1: fingerprint 8; modes 2 and 3: count varint, elements 8 each (handle 5 | mark 3).
    """

    nonce: bytes
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """0x21. Sessions only. Keyed handles 5 B of the round whose full log ids the sender asks for."""

    nonce: bytes
    handles: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Heads:
    """0x22. Sessions only. Full elements: log id 52 | mark 3, in a row."""

    heads: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """0x23. Sessions only. The sender wants nothing more; frontier digest 8 as it is now. Both said so: resolved."""

    frontier: bytes


@dataclass(frozen=True, slots=True)
class Took:
    """0x24. Sessions only. Ids of envelopes handed over in this session and taken into custody, 16 B each, in a row."""

    envelopes: tuple[EnvelopeId, ...]


@dataclass(frozen=True, slots=True)
class Date:
    """0x0F. H("mn-echo", nonce of the beacon that asked)[:2] | seconds since 2026, 4 | may be off by, in seconds, 2."""

    asked: bytes
    seconds: int
    error_s: int


@dataclass(frozen=True, slots=True)
class SessionBeacon:
    """0x25. Kept-open sessions only: frontier digest 8 | envelope digest 4, when they changed and no item told so."""

    frontier: bytes
    envelopes: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame type of a later version: counted, never acted upon."""

    type: int
    body: bytes


Frame = (
    Hello
    | Beacon
    | Delta
    | Want
    | BlockFrame
    | Run
    | Fragment
    | FragmentWant
    | Receipts
    | Proofs
    | ForkFrame
    | RefWant
    | Refs
    | Trace
    | Date
    | BridgeNews
    | Offer
    | Need
    | EnvelopeFrame
    | FileSeek
    | FileHave
    | ChunkWant
    | ChunkPiece
    | Ranges
    | Elements
    | Heads
    | Done
    | Took
    | SessionBeacon
    | Unknown
)
