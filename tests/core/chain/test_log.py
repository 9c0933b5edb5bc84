"""One log: what each block means for it, gaps, splits, floors, checkpoints, restarts."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import Block, without_body
from meshnode.core.chain.checkpoint import Checkpoint, claim_over
from meshnode.core.chain.fork import Adoption, prove
from meshnode.core.chain.kinds import (
    BODY_DROPPED,
    BODY_HELD,
    BODY_MISSING,
    BODY_REMOVED,
    CHECKPOINT,
    FLOOR,
    PREKEY,
)
from meshnode.core.chain.log import MAX_BEYOND, MAX_BEYOND_STRANGERS, STRANGERS, Held, Log
from meshnode.core.chain.prune import encode_floor
from meshnode.core.chain.verdict import Verdict
from meshnode.core.ids import PERSON_CHANNEL
from support.chain_fakes import Writer


def held_of(writer: Writer, count: int = 0) -> Log:
    log = Log(writer.log)
    for block in writer.blocks[: count or None]:
        assert log.offer(block).kept
    return log


def split(shared: int, ours: int, theirs: int) -> tuple[Writer, Writer]:
    """Two copies of one device that went on separately."""
    ann = Writer()
    ann.post(shared)
    clone = ann.fork()
    ann.post(ours)
    for number in range(theirs):
        clone.write(b"the clone writes %d" % number)
    return ann, clone


def test_blocks_in_order_raise_the_head() -> None:
    ann = Writer()
    log = Log(ann.log)
    for block in ann.post(3):
        assert log.offer(block) is Verdict.NEW
        assert log.head == block.seq
    assert log.offer(ann.blocks[1]) is Verdict.DUPLICATE
    assert log.id_at(2) == ann.blocks[1].id
    assert log.id_at(4) is None
    assert (log.last, log.highest) == (3, 3)


def test_a_floor_of_a_later_version_is_carried_and_not_acted_upon() -> None:
    ann = Writer()
    ann.post(3)
    later = ann.write(encode_floor(3), kind=FLOOR)._replace(version=2)
    log = held_of(ann, 3)
    assert log.offer(without_body(later)) is Verdict.NEW
    assert log.offer(later) is Verdict.BODY
    assert log.floor == 0
    straight = held_of(ann, 3)
    assert straight.offer(later) is Verdict.NEW
    assert straight.floor == 0


def test_blocks_beyond_a_gap_are_kept_but_do_not_count() -> None:
    ann = Writer()
    one, two, three, four = ann.post(4)
    log = Log(ann.log)
    assert log.offer(three) is Verdict.BEYOND_GAP
    assert log.offer(four) is Verdict.BEYOND_GAP
    assert log.offer(three) is Verdict.DUPLICATE
    assert (log.head, log.highest) == (0, 4)
    assert log.gaps(6) == [(1, 2), (5, 2)]
    assert log.offer(one) is Verdict.NEW
    assert (log.head, log.gaps(3)) == (1, [(2, 1)])
    assert log.offer(two) is Verdict.NEW
    assert (log.head, log.beyond, log.gaps(4)) == (4, {}, [])


def test_gaps_between_blocks_beyond_the_gap_are_told_too() -> None:
    ann = Writer()
    ann.post(9)
    log = Log(ann.log)
    for seq in (1, 4, 5, 8):
        log.offer(ann.blocks[seq - 1])
    assert log.gaps(9) == [(2, 2), (6, 2), (9, 1)]
    assert log.gaps(3) == [(2, 2)]
    assert log.gaps(1) == []


@pytest.mark.parametrize(("ring", "bound"), [(2, MAX_BEYOND), (STRANGERS, MAX_BEYOND_STRANGERS)])
def test_what_waits_beyond_a_gap_is_bounded(ring: int, bound: int) -> None:
    ann = Writer()
    ann.post(bound + 2)
    log = Log(ann.log, ring)
    for block in ann.blocks[1:-1]:
        assert log.offer(block) is Verdict.BEYOND_GAP
    assert log.offer(ann.blocks[-1]) is Verdict.TOO_FAR
    assert log.offer(ann.blocks[0]) is Verdict.NEW
    assert log.head == bound + 1


def test_the_backlink_expected_of_a_block() -> None:
    ann = Writer()
    one, _, three, _ = ann.post(4)
    log = Log(ann.log)
    log.offer(one)
    log.offer(three)
    assert log.ref_before(1) == bytes(20)
    assert log.ref_before(2) == one.ref
    assert log.ref_before(3) is None
    assert log.ref_before(4) == three.ref


def test_a_missing_body_is_wanted_until_it_comes() -> None:
    ann = Writer()
    one, two, three = ann.post(3)
    log = Log(ann.log)
    assert log.offer(without_body(one)) is Verdict.NEW
    assert log.offer(without_body(three)) is Verdict.BEYOND_GAP
    assert log.state_at(3) == log.state_at(7) == BODY_MISSING
    assert log.offer(three) is Verdict.BODY
    assert not Verdict.BODY.fresh
    assert log.state_at(3) == BODY_HELD
    assert log.offer(two) is Verdict.NEW
    assert list(log.missing_bodies()) == [1]
    assert log.offer(without_body(one)) is Verdict.DUPLICATE
    assert log.offer(one) is Verdict.BODY
    assert log.offer(one) is Verdict.DUPLICATE
    assert list(log.missing_bodies()) == []
    assert log.head == 3


def test_a_body_dropped_for_room_is_not_wanted() -> None:
    ann = Writer()
    ann.post(2)
    log = held_of(ann)
    log.drop_body(1)
    log.drop_body(9)
    assert log.state_at(1) == BODY_DROPPED
    assert log.offer(ann.blocks[0]) is Verdict.DUPLICATE
    log.drop_body(1)
    assert log.state_at(1) == BODY_DROPPED


def test_a_floor_allows_to_drop_and_stops_wanting() -> None:
    ann = Writer()
    ann.post(3)
    ann.write(b"key", kind=PREKEY)
    ann.write(encode_floor(5), kind=FLOOR)
    log = Log(ann.log)
    log.offer(without_body(ann.blocks[0]))
    log.offer(ann.blocks[1])
    log.offer(ann.blocks[2])
    log.offer(without_body(ann.blocks[3]))
    log.offer(ann.blocks[4])
    assert log.floor == 5
    assert log.state_at(1) == BODY_REMOVED
    assert list(log.missing_bodies()) == [4]
    assert list(log.droppable()) == [2, 3]
    log.drop_body(2)
    assert log.state_at(2) == BODY_REMOVED
    assert log.state_at(3) == BODY_HELD


def test_a_floor_never_falls_nor_lies_above_its_block() -> None:
    ann = Writer()
    ann.post(4)
    ann.write(encode_floor(4), kind=FLOOR)
    ann.write(encode_floor(2), kind=FLOOR)
    ann.write(encode_floor(9), kind=FLOOR)
    ann.write(b"not a floor", kind=FLOOR)
    assert held_of(ann).floor == 4


def test_a_floor_whose_body_comes_late_counts_from_then() -> None:
    ann = Writer()
    ann.post(2)
    ann.write(encode_floor(3), kind=FLOOR)
    log = held_of(ann, 2)
    assert log.offer(without_body(ann.blocks[2])) is Verdict.NEW
    assert log.floor == 0
    assert log.offer(ann.blocks[2]) is Verdict.BODY
    assert log.floor == 3


def test_a_floor_does_not_touch_a_person_log() -> None:
    ann = Writer(channel=PERSON_CHANNEL)
    ann.post(3)
    ann.write(encode_floor(4), kind=FLOOR)
    log = held_of(ann)
    assert log.floor == 4
    assert list(log.droppable()) == []


def test_two_blocks_at_one_seq_are_a_fork() -> None:
    ann, clone = split(2, 2, 3)
    log = held_of(ann)
    assert log.offer(clone.blocks[2]) is Verdict.FORK
    assert not log.forked
    assert log.convict(prove(ann.blocks[2], clone.blocks[2]))
    assert (log.head, log.last, log.forked, log.limit) == (2, 4, True, 2)
    assert log.offer(clone.blocks[4]) is Verdict.FROZEN
    assert log.offer(clone.blocks[2]) is Verdict.FROZEN
    assert log.offer(ann.blocks[3]) is Verdict.DUPLICATE
    assert log.gaps(9) == []
    assert log.below is None


def test_a_block_that_links_past_our_head_shows_a_split_further_down() -> None:
    ann, clone = split(2, 1, 2)
    log = held_of(ann)
    assert log.offer(clone.blocks[3]) is Verdict.FORK_BELOW
    assert (log.head, log.below) == (3, (1, 3))
    assert log.offer(ann.write()) is Verdict.FORK
    assert log.offer(clone.blocks[2]) is Verdict.FORK
    assert log.convict(prove(ann.blocks[2], clone.blocks[2]))
    assert (log.head, log.below) == (2, None)


def test_a_split_shows_when_a_gap_closes_on_another_branch() -> None:
    ann, clone = split(2, 2, 3)
    log = held_of(ann, 2)
    assert log.offer(clone.blocks[4]) is Verdict.BEYOND_GAP
    assert log.offer(ann.blocks[2]) is Verdict.NEW
    assert log.offer(ann.blocks[3]) is Verdict.NEW
    assert (log.head, log.suspect) == (4, 5)
    assert log.below == (1, 4)


def test_the_look_below_reaches_farther_each_time() -> None:
    ann, clone = split(1, 400, 402)
    log = held_of(ann)
    assert log.offer(clone.blocks[401]) is Verdict.FORK_BELOW
    assert log.below == (386, 16)
    assert log.convict(prove(ann.blocks[385], clone.blocks[385]))
    assert log.below == (322, 64)
    assert log.convict(prove(ann.blocks[321], clone.blocks[321]))
    assert log.below == (66, 256)
    assert log.convict(prove(ann.blocks[65], clone.blocks[65]))
    assert log.below == (1, 65)
    assert log.convict(prove(ann.blocks[1], clone.blocks[1]))
    assert log.below is None


def test_a_proof_is_replaced_by_lower_ones_three_times_and_by_the_place_of_the_split() -> None:
    ann, clone = split(1, 9, 9)
    log = held_of(ann)
    for seq in (9, 8, 7, 6):
        assert log.convict(prove(ann.blocks[seq - 1], clone.blocks[seq - 1]))
    for seq in (6, 9, 5):
        assert not log.convict(prove(ann.blocks[seq - 1], clone.blocks[seq - 1]))
    assert (log.head, log.frozen_at) == (5, 6)
    assert log.below is not None
    assert log.convict(prove(ann.blocks[1], clone.blocks[1]))
    assert (log.head, log.frozen_at, log.below) == (1, 2, None)


def test_an_adopted_branch_is_taken_from_its_named_end_down() -> None:
    ann, clone = split(2, 3, 3)
    log = held_of(ann)
    log.convict(prove(ann.blocks[2], clone.blocks[2]))
    assert log.adopt(Adoption(ann.log, 5, clone.blocks[4].id))
    assert log.settle() == (3, 5)
    assert log.gaps(9) == [(3, 3)]
    assert log.offer(ann.blocks[4]) is Verdict.FROZEN
    assert log.offer(clone.blocks[2]) is Verdict.FROZEN
    assert log.offer(clone.blocks[4]) is Verdict.BEYOND_GAP
    assert log.offer(ann.blocks[3]) is Verdict.FROZEN
    assert log.offer(clone.blocks[3]) is Verdict.BEYOND_GAP
    assert log.settle() == (3, 5)
    for seq in (5, 4, 3):
        assert log.offer(clone.blocks[seq - 1]).kept
    assert (log.head, log.forked) == (5, True)
    assert log.settle() is None
    assert log.offer(clone.write()) is Verdict.FROZEN


def test_adopting_the_branch_we_hold_costs_nothing() -> None:
    ann, clone = split(2, 3, 3)
    log = held_of(ann)
    log.convict(prove(ann.blocks[2], clone.blocks[2]))
    assert log.adopt(Adoption(ann.log, 4, ann.blocks[3].id))
    assert log.settle() is None
    assert (log.head, log.limit) == (4, 4)
    assert not log.adopt(Adoption(ann.log, 3, ann.blocks[2].id))
    assert log.offer(clone.blocks[3]) is Verdict.FROZEN


def test_of_two_adoptions_the_one_that_reaches_highest_holds() -> None:
    ann, clone = split(2, 3, 3)
    statements = [Adoption(ann.log, 4, ann.blocks[3].id), Adoption(ann.log, 5, clone.blocks[4].id)]
    for order in (statements, statements[::-1]):
        log = held_of(ann)
        log.convict(prove(ann.blocks[2], clone.blocks[2]))
        for statement in order:
            log.adopt(statement)
        assert (log.adopted_seq, log.adopted_id) == (5, clone.blocks[4].id)


def test_an_adoption_without_a_split_changes_nothing() -> None:
    ann = Writer()
    ann.post(3)
    log = held_of(ann)
    assert log.adopt(Adoption(ann.log, 2, ann.blocks[1].id))
    assert log.settle() is None
    assert log.head == 3


def checkpointed(count: int = 70) -> tuple[Writer, Block]:
    ann = Writer()
    ann.post(count)
    claim = claim_over(held_of(ann).rows)
    assert claim is not None
    return ann, ann.write(claim.encode(), kind=CHECKPOINT)


def test_a_true_checkpoint_joins_the_row() -> None:
    ann, checkpoint = checkpointed()
    log = held_of(ann, 70)
    assert log.offer(checkpoint) is Verdict.NEW
    assert (log.head, log.forked) == (71, False)


@pytest.mark.parametrize("body_first", [True, False])
def test_a_checkpoint_that_contradicts_its_log_freezes_it(body_first: bool) -> None:
    ann = Writer()
    ann.post(5)
    bad = ann.write(Checkpoint(1, 5, bytes(32)).encode(), kind=CHECKPOINT)
    log = held_of(ann, 5)
    if not body_first:
        assert log.offer(without_body(bad)) is Verdict.NEW
    assert log.offer(bad) is Verdict.BAD_CHECKPOINT
    assert (log.head, log.frozen_at, log.forked, log.below) == (5, 6, True, None)
    assert log.offer(ann.write()) is Verdict.FROZEN


def test_a_contradiction_counts_in_any_order_of_arrival() -> None:
    ann = Writer()
    ann.post(5)
    ann.write(Checkpoint(1, 5, bytes(32)).encode(), kind=CHECKPOINT)
    log = Log(ann.log)
    for block in reversed(ann.blocks):
        log.offer(block)
    assert (log.head, log.frozen_at) == (5, 6)


def restored(log: Log, blocks: list[Block], *, links: bool) -> Log:
    fresh = Log(log.id)
    fresh.restore(log.floor, log.frozen_at, log.adopted)
    for block in blocks:
        state = log.state_at(block.seq)
        held = Held(block.id, block.prev if links else b"", block.kind, state, block.body_len, b"")
        fresh.restore_block(block.seq, held)
    return fresh


def test_a_restart_changes_nothing() -> None:
    ann, clone = split(3, 4, 4)
    log = held_of(ann)
    log.drop_body(2)
    log.convict(prove(ann.blocks[3], clone.blocks[3]))
    log.adopt(Adoption(ann.log, 5, ann.blocks[4].id))
    again = restored(log, ann.blocks, links=True)
    assert again.element == log.element
    assert (again.last, again.adopted, again.frozen_at) == (log.last, log.adopted, log.frozen_at)
    assert again.state_at(2) == BODY_DROPPED
    assert restored(log, ann.blocks, links=False).element == log.element


def test_a_restart_keeps_what_waits_beyond_a_gap_where_links_are_known() -> None:
    ann = Writer()
    ann.post(5)
    log = Log(ann.log)
    for seq in (1, 3, 4):
        log.offer(ann.blocks[seq - 1])
    stored = [ann.blocks[0], ann.blocks[2], ann.blocks[3]]
    again = restored(log, stored, links=True)
    assert (again.head, again.highest) == (1, 4)
    again.offer(ann.blocks[1])
    assert again.head == 4
    assert restored(log, stored, links=False).highest == 1


def test_a_restart_keeps_apart_what_does_not_link() -> None:
    ann, clone = split(2, 1, 2)
    log = held_of(ann)
    log.offer(clone.blocks[3])
    again = restored(log, [*ann.blocks, clone.blocks[3]], links=True)
    assert (again.head, again.highest) == (3, 4)


def test_ten_thousand_blocks_with_every_third_body_dropped_stay_one_chain() -> None:
    ann = Writer()
    ann.post(10_000)
    log = Log(ann.log)
    for block in ann.blocks:
        log.offer(without_body(block) if block.seq % 3 == 0 else block)
    assert log.head == 10_000
    assert list(log.missing_bodies()) == list(range(3, 10_001, 3))
