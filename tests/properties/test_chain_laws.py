"""Laws of the chain: any order of arrival converges, splits included."""

from __future__ import annotations

import random
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain.block import Block, compact_of, verify_untrusted, without_body
from meshnode.core.chain.checkpoint import claim_over
from meshnode.core.chain.fork import ForkProof, prove
from meshnode.core.chain.kinds import BODY_HELD, BODY_MISSING, CHECKPOINT, FLOOR, POST
from meshnode.core.chain.logbook import Logbook
from meshnode.core.chain.prune import encode_floor
from meshnode.core.chain.ranges import build_run
from meshnode.core.chain.verdict import Verdict
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import BlockFrame, Run
from meshnode.core.wire.limits import MAX_RUN
from meshnode.errors import WireError
from support.chain_fakes import FAST, REAL, Writer, verify_run

KEY = b"d" * 32


@st.composite
def histories(draw: st.DrawFn) -> list[Writer]:
    """A few authors who post, set floors and checkpoints."""
    writers = []
    for name in range(draw(st.integers(1, 3))):
        writer, book = Writer(str(name)), Logbook()
        for kind in draw(st.lists(st.sampled_from((POST, POST, POST, FLOOR, CHECKPOINT)), min_size=1, max_size=12)):
            claim = claim_over(book.open(writer.log).rows) if kind == CHECKPOINT else None
            body = encode_floor(len(writer.blocks)) if kind == FLOOR else b"post %d" % len(writer.blocks)
            book.offer(writer.write(claim.encode() if claim else body, kind if claim or kind == FLOOR else POST))
        writers.append(writer)
    return writers


def states(book: Logbook) -> dict:
    return {
        log.id: (log.head, log.floor, log.frozen_at, [log.state_at(seq) for seq in range(1, log.last + 1)])
        for log in book.logs.values()
    }


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_any_order_of_arrival_converges(writers: list[Writer], shuffler: random.Random, data: st.DataObject) -> None:
    blocks = [block for writer in writers for block in writer.blocks]
    stripped = data.draw(st.sets(st.sampled_from(range(len(blocks)))))
    first = [without_body(block) if at in stripped else block for at, block in enumerate(blocks)]
    second = list(first)
    shuffler.shuffle(second)
    books = Logbook(), Logbook()
    for book, order in zip(books, (first, second), strict=True):
        for block in order:
            assert book.offer(block).kept
        for block in order:
            assert book.offer(block) is Verdict.DUPLICATE
    assert books[0].digest(KEY) == books[1].digest(KEY)
    assert all(book.logs[writer.log].head == len(writer.blocks) for book in books for writer in writers)
    if not any(block.kind == FLOOR and block.body is None for block in first):
        assert states(books[0]) == states(books[1])
    for book in books:
        for block in blocks:
            book.offer(block)
        assert all(BODY_MISSING not in row[3] for row in states(book).values())
    assert books[0].digest(KEY) == books[1].digest(KEY)


def spread(book: Logbook, stored: dict, blocks: list[Block], proofs: list[ForkProof]) -> None:
    """What a node does with what arrives: keep it, and prove a fork with the header it holds."""
    for block in blocks:
        verdict = book.offer(block)
        if verdict.kept:
            stored[block.log, block.seq] = block
        if verdict is Verdict.FORK:
            book.convict(prove(stored[block.log, block.seq], block))
    for proof in proofs:
        book.convict(proof)


@given(st.integers(0, 5), st.integers(1, 5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_nodes_on_both_sides_of_a_split_agree_once_all_has_spread(
    shared: int, ours: int, theirs: int, shuffler: random.Random
) -> None:
    ann = Writer()
    ann.post(shared)
    clone = ann.fork()
    ann.post(ours)
    for number in range(theirs):
        clone.write(b"clone %d" % number)
    nodes = []
    for start in (ann.blocks, clone.blocks, []):
        book, stored = Logbook(), {}
        spread(book, stored, start, [])
        order = [*ann.blocks, *clone.blocks[shared:]]
        shuffler.shuffle(order)
        spread(book, stored, order, [])
        nodes.append((book, stored))
    proofs = [book.logs[ann.log].proof for book, _ in nodes]
    for book, stored in nodes:
        spread(book, stored, [*ann.blocks, *clone.blocks], [proof for proof in proofs if proof])
    log = nodes[0][0].logs[ann.log]
    assert (log.head, log.frozen_at) == (shared, shared + 1)
    assert len({book.digest(KEY) for book, _ in nodes}) == 1


@given(st.permutations(range(2, 6)))
def test_fork_proofs_converge_whichever_order_they_come_in(order: list[int]) -> None:
    ann = Writer()
    ann.post(1)
    clone = ann.fork()
    ann.post(4)
    for number in range(4):
        clone.write(b"clone %d" % number)
    book = Logbook()
    for seq in order:
        book.convict(prove(ann.blocks[seq - 1], clone.blocks[seq - 1]))
    log = book.logs[ann.log]
    assert (log.frozen_at, log.proof) == (2, prove(ann.blocks[1], clone.blocks[1]))


@given(st.data())
def test_any_flipped_bit_of_a_frame_of_blocks_changes_nothing_here(data: st.DataObject) -> None:
    ann = Writer(signer=REAL)
    ann.post(3)
    frames = [Run(ann.log, 1, build_run(ann.blocks)), BlockFrame(ann.log, compact_of(ann.blocks[1], elide=False))]
    wire = bytearray(encode_frame(data.draw(st.sampled_from(frames))))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    taken: list[Block] = []
    with suppress(WireError):
        for frame in decode_frames_untrusted(bytes(wire)):
            match frame:
                case Run(log=ann.log):
                    taken.extend(verify_run(ann.log, frame.blocks, REAL))
                case BlockFrame(log=ann.log):
                    taken.append(verify_untrusted(ann.log, frame.block, None, REAL))
    assert all(block in ann.blocks for block in taken)
    assert len(taken) < len(frames[0].blocks)


def test_ten_thousand_blocks_with_every_third_body_dropped_verify_over_the_wire() -> None:
    ann = Writer()
    ann.post(10_000)
    kept = [without_body(block) if block.seq % 3 == 0 else block for block in ann.blocks]
    book = Logbook()
    for first in range(0, len(kept), MAX_RUN):
        run = build_run(kept[first : first + MAX_RUN])
        (frame,) = decode_frames_untrusted(encode_frame(Run(ann.log, first + 1, run)))
        assert isinstance(frame, Run)
        for block in verify_run(ann.log, frame.blocks, FAST):
            assert book.offer(block) is Verdict.NEW
    log = book.logs[ann.log]
    assert log.head == 10_000
    assert sum(log.state_at(seq) == BODY_HELD for seq in range(1, 10_001)) == 6_667
    assert log.id_at(10_000) == ann.blocks[-1].id
