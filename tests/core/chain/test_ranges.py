"""Runs with elided backlinks."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import without_body
from meshnode.core.chain.ranges import build_run
from meshnode.errors import SignatureError, UsageError, WireError
from support.chain_fakes import FAST, Writer, verify_run


def test_only_the_first_block_of_a_run_gives_its_backlink() -> None:
    ann = Writer()
    ann.post(6)
    run = build_run(ann.blocks[2:])
    assert [bool(block.prev) for block in run] == [True, False, False, False]
    assert list(verify_run(ann.log, run, FAST)) == ann.blocks[2:]
    assert not any(block.prev for block in build_run(ann.blocks))


def test_a_run_with_dropped_bodies_verifies() -> None:
    ann = Writer()
    ann.post(300)
    kept = [without_body(block) if block.seq % 3 == 0 else block for block in ann.blocks]
    assert list(verify_run(ann.log, build_run(kept), FAST)) == kept


def test_what_comes_before_a_bad_block_stands() -> None:
    ann, bo = Writer("ann"), Writer("bo")
    ann.post(4)
    bo.post(4)
    run = (*build_run(ann.blocks[:3]), build_run(bo.blocks)[3])
    blocks = verify_run(ann.log, run, FAST)
    assert [next(blocks) for _ in range(3)] == ann.blocks[:3]
    with pytest.raises(SignatureError):
        next(blocks)


def test_a_run_across_a_split_gives_the_backlink_again() -> None:
    ann = Writer()
    ann.post(2)
    clone = ann.fork()
    ann.post(1)
    clone.post(0)
    clone.write(b"other")
    clone.write(b"more")
    mixed = [*ann.blocks, clone.blocks[3]]
    run = build_run(mixed)
    assert [bool(block.prev) for block in run] == [False, False, False, True]
    assert list(verify_run(ann.log, run, FAST)) == mixed


def test_a_run_that_elides_everything_needs_the_block_before() -> None:
    ann = Writer()
    ann.post(3)
    run = build_run(ann.blocks)[1:]
    assert list(verify_run(ann.log, run, FAST, ann.blocks[0].ref)) == ann.blocks[1:]
    with pytest.raises(WireError, match="needs the block before"):
        list(verify_run(ann.log, run, FAST))


def test_a_run_is_made_of_consecutive_blocks_of_one_log() -> None:
    ann, bo = Writer("ann"), Writer("bo")
    ann.post(3)
    bo.post(2)
    for blocks in ([ann.blocks[0], ann.blocks[2]], [ann.blocks[0], bo.blocks[1]]):
        with pytest.raises(UsageError):
            build_run(blocks)
