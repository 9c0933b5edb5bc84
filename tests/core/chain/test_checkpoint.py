"""Checkpoints: the author's claim, its form, and whether it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain.checkpoint import (
    EVERY,
    Checkpoint,
    agrees,
    claim_over,
    decode_checkpoint_untrusted,
    merkle_root,
)
from meshnode.core.chain.kinds import CHECKPOINT
from meshnode.core.chain.log import Log
from meshnode.core.ids import BlockId, hashed
from meshnode.errors import WireError
from support.chain_fakes import Writer


def author(blocks: int) -> tuple[Writer, Log]:
    """A log whose author sets a checkpoint whenever one is due."""
    ann = Writer()
    log = Log(ann.log)
    for _ in range(blocks):
        claim = claim_over(log.rows)
        log.offer(ann.write(claim.encode(), kind=CHECKPOINT) if claim else ann.write())
    return ann, log


def test_the_root_is_a_tree_over_the_ids() -> None:
    ids = [BlockId(bytes([number]) * 32) for number in range(3)]
    leaves = [hashed(b"mn-leaf", one) for one in ids]
    assert merkle_root([]) == bytes(32)
    assert merkle_root(ids[:1]) == leaves[0]
    assert merkle_root(ids) == hashed(b"mn-knot", hashed(b"mn-knot", leaves[0] + leaves[1]) + leaves[2])


@given(st.integers(1, 40), st.integers(0, 39), st.integers(0, 255))
def test_any_changed_id_changes_the_root(count: int, which: int, bit: int) -> None:
    ids = [BlockId(hashed(b"x", bytes([number]))) for number in range(count)]
    changed = list(ids)
    at = which % count
    changed[at] = BlockId((int.from_bytes(ids[at], "big") ^ 1 << bit).to_bytes(32, "big"))
    assert merkle_root(changed) != merkle_root(ids)


def test_a_checkpoint_is_due_every_64_blocks_and_links_back() -> None:
    ann, log = author(300)
    seqs = list(log.rows.of_kind(CHECKPOINT))
    assert seqs == [EVERY + 1, 130, 195, 260]
    claims = [decode_checkpoint_untrusted(ann.blocks[seq - 1].body or b"", seq) for seq in seqs]
    assert [claim.last_seq for claim in claims] == [0, *seqs[:-1]]
    assert claims[-1].half_seq == max(seq for seq in seqs if seq <= (seqs[-1] - 1) // 2)
    for claim, seq in zip(claims, seqs, strict=True):
        assert claim.first + claim.count == seq
        assert agrees(claim, log.rows)
    assert log.head == 300


def test_a_claim_that_contradicts_held_headers_is_seen() -> None:
    ann, log = author(200)
    claim = claim_over(log.rows) or decode_checkpoint_untrusted(ann.blocks[129].body or b"", 130)
    for wrong in (
        replace(claim, root=bytes(32)),
        replace(claim, last=bytes(20)),
        replace(claim, half_seq=65, half=bytes(20)),
    ):
        assert not agrees(wrong, log.rows)
    assert agrees(replace(claim, first=5000, last_seq=6000, half_seq=0), log.rows)


def test_nothing_is_claimed_of_a_short_log() -> None:
    _, log = author(EVERY - 1)
    assert claim_over(log.rows) is None


CLAIM = Checkpoint(3, 4, bytes(32), 2, b"r" * 20)


@pytest.mark.parametrize(
    "claim",
    [
        replace(CLAIM, count=0),
        replace(CLAIM, count=5),
        replace(CLAIM, first=0, count=7),
        replace(CLAIM, last_seq=7),
        replace(CLAIM, last_seq=0),
        replace(CLAIM, half_seq=9, half=b"r" * 20),
        replace(CLAIM, half=b"r" * 20),
    ],
)
def test_impossible_claims_are_refused(claim: Checkpoint) -> None:
    with pytest.raises(WireError):
        decode_checkpoint_untrusted(claim.encode(), 7)


def test_claims_come_back() -> None:
    assert decode_checkpoint_untrusted(CLAIM.encode(), 7) == CLAIM
    assert len(CLAIM.encode()) == 88
    with pytest.raises(WireError):
        decode_checkpoint_untrusted(CLAIM.encode() + b"x", 7)
    with pytest.raises(WireError):
        decode_checkpoint_untrusted(Checkpoint(1, 5000, bytes(32)).encode(), 5001)
