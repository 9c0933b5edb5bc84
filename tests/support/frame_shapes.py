"""Hypothesis strategies for every frame there is."""

from __future__ import annotations

from hypothesis import strategies as st

from meshnode.core.chain.compact import MAX_SEQ, Compact
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.reconcile import ANSWERED, FINGERPRINT, LISTED, SKIP, Range
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    BridgeNews,
    Change,
    ChunkPiece,
    ChunkWant,
    Date,
    Delta,
    Done,
    Echo,
    Elements,
    EnvelopeFrame,
    FileHave,
    FileSeek,
    ForkFrame,
    Fragment,
    FragmentWant,
    Frame,
    Handover,
    Heads,
    Hello,
    Need,
    Offer,
    Proof,
    Proofs,
    Ranges,
    Receipts,
    Refs,
    RefWant,
    Run,
    SessionBeacon,
    Took,
    TookProof,
    Trace,
    Unknown,
    Want,
    Wish,
)


def raw(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def row(of: st.SearchStrategy, most: int = 6) -> st.SearchStrategy[tuple]:
    return st.lists(of, max_size=most).map(tuple)


byte = st.integers(0, 255)
seqs = st.integers(1, MAX_SEQ)
heads = st.integers(0, MAX_SEQ)
refs = st.one_of(raw(4), raw(52))
changes = st.builds(Change, raw(4), heads, st.booleans())


@st.composite
def compacts(draw: st.DrawFn, seq: int = 0, alone: bool = False) -> Compact:
    seq = seq or draw(seqs)
    prev = b"" if seq == 1 else draw(raw(20) if alone else st.one_of(st.just(b""), raw(20)))
    body = draw(st.one_of(st.none(), st.binary(max_size=200)))
    size = draw(st.integers(1, 16_384)) if body is None else len(body)
    body_hash = draw(raw(32)) if body is None else b""
    kind, version = draw(byte), draw(st.sampled_from((1, 1, 1, 2, 255)))
    return Compact(
        kind, draw(st.integers(0, 4)), seq, draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 31)), prev, size, body,
        body_hash, draw(raw(64)), version,
    )  # fmt: skip


@st.composite
def runs(draw: st.DrawFn) -> Run:
    first = draw(st.integers(1, MAX_SEQ - 8))
    return Run(draw(refs), first, tuple(draw(compacts(first + at)) for at in range(draw(st.integers(1, 5)))))


@st.composite
def forks(draw: st.DrawFn) -> ForkFrame:
    shared = draw(raw(56))
    a, b = (draw(raw(1)) + shared + draw(raw(63)) for _ in range(2))
    return ForkFrame(shared[:52], a, draw(raw(64)), b, draw(raw(64)))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    upper, mode = draw(st.binary(max_size=8)), draw(st.sampled_from((SKIP, FINGERPRINT, LISTED, ANSWERED)))
    fingerprint = draw(raw(8)) if mode == FINGERPRINT else b""
    return Range(upper, mode, fingerprint, draw(row(raw(8))) if mode in (LISTED, ANSWERED) else ())


@st.composite
def spans(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Ascending, apart, at least one."""
    ends = sorted(draw(st.sets(st.integers(0, 65_535), min_size=2, max_size=32)))
    return tuple(zip(ends[::2], ends[1::2], strict=False))


kilobytes = st.integers(0, 2**24 - 1)
KNOWN_TYPES = {0x15, 0x16, *range(0x01, 0x13), *range(0x18, 0x1C), *range(0x20, 0x26), *range(0x40, 0x46)}

SHAPES: dict[str, st.SearchStrategy[Frame]] = {
    "hello": st.builds(Hello, raw(32), raw(32), st.integers(0, 2**24 - 1), raw(64)),
    "beacon": st.builds(
        Beacon,
        st.integers(0, 15),
        st.integers(0, 15),
        byte,
        raw(8),
        raw(4),
        row(st.builds(Echo, raw(2), raw(2)), 8),
        row(changes, 8),
    ),
    "delta": st.builds(Delta, raw(8), row(changes, 30)),
    "want": st.builds(Want, row(st.builds(Wish, refs, seqs, seqs, st.booleans()))),
    "block": st.builds(BlockFrame, refs, compacts(alone=True)),
    "run": runs(),
    "fragment": st.integers(1, 16).flatmap(
        lambda count: st.builds(
            Fragment, raw(8), st.integers(0, count - 1), st.just(count), st.binary(min_size=1, max_size=50)
        )
    ),
    "fragment want": st.builds(FragmentWant, raw(8), st.integers(0, 65_535)),
    "receipts": st.builds(Receipts, row(raw(16)), byte),
    "proofs": st.builds(Proofs, row(st.builds(Proof, raw(4), raw(8)))),
    "fork": forks(),
    "ref want": st.builds(RefWant, row(raw(4))),
    "refs": st.builds(Refs, row(raw(52))),
    "trace": st.builds(Trace, raw(8), byte, byte, raw(6)),
    "date": st.builds(Date, raw(2), st.integers(0, 2**32 - 1), st.integers(0, 65_535)),
    "bridge news": st.builds(
        BridgeNews, raw(6), raw(6), st.integers(0, 2**32 - 1), byte, st.integers(0, 65_535), kilobytes, kilobytes, byte
    ),
    "offer": st.builds(Offer, row(raw(6))),
    "need": st.builds(Need, row(raw(6))),
    "envelope": st.builds(
        EnvelopeFrame,
        st.binary(min_size=32, max_size=300),
        st.integers(0, 65_535),
        byte,
        st.one_of(st.none(), st.builds(TookProof, raw(2), raw(8))),
        row(st.builds(Handover, raw(2), st.integers(0, 31), st.integers(0, 7)), 2),
    ),
    "file seek": st.builds(FileSeek, raw(32), st.integers(0, 15)),
    "file have": st.builds(
        FileHave,
        raw(32),
        st.one_of(st.integers(0, 15), st.just(255)),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=250),
    ),
    "chunk want": st.builds(ChunkWant, raw(32), st.one_of(st.integers(0, 1999), st.just(65_535)), byte, spans()),
    "chunk piece": st.builds(
        ChunkPiece,
        raw(4),
        st.integers(0, 65_535),
        st.integers(0, 65_535),
        st.integers(0, 65_535),
        st.binary(min_size=1, max_size=200),
    ),
    "ranges": st.builds(Ranges, raw(4), row(ranges())),
    "elements": st.builds(Elements, raw(4), row(raw(5))),
    "heads": st.builds(Heads, row(st.builds(Element, raw(52), heads, st.booleans()))),
    "done": st.builds(Done, raw(8)),
    "took": st.builds(Took, row(raw(16))),
    "session beacon": st.builds(SessionBeacon, raw(8), raw(4)),
    "unknown": st.builds(
        Unknown, st.integers(0, 127).filter(lambda kind: kind not in KNOWN_TYPES), st.binary(max_size=40)
    ),
}

any_frame = st.one_of(*SHAPES.values())
