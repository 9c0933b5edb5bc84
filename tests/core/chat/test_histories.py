"""The history of a channel that is joined: a page at a time, everything once."""

from __future__ import annotations

from meshnode.core.chain.block import Block, write_block
from meshnode.core.chain.compact import MAX_SEQ
from meshnode.core.chain.kinds import POST
from meshnode.core.chat.histories import PAGE, Histories
from meshnode.core.effects import ReadStored
from meshnode.core.gossip.serve import TOKENS
from meshnode.core.ids import ChannelId, LogId
from meshnode.core.inputs import Stored
from meshnode.core.records import BODY_HELD, BlockRecord, FactRecord, Snapshot
from support.gossip_node import VALLEY, GossipNode
from support.trial_disk import TrialDisk


class Reader(GossipNode):
    """A node and its disk."""

    def __init__(self) -> None:
        super().__init__("me")
        self.disk = TrialDisk()


def written(name: str, count: int) -> list[Block]:
    node, blocks = GossipNode(name), list[Block]()
    for seq in range(1, count + 1):
        prev = blocks[-1].ref if blocks else bytes(20)
        text, secret = f"{name} {seq}".encode(), node.keys.device_secret
        blocks.append(write_block(node.log(), seq, prev, POST, text, time=0, secret=secret, sealer=node.ctx.sealer))
    return blocks


def rows_of(blocks: list[Block], received_at: float = 5.0) -> dict[tuple[LogId, int], BlockRecord]:
    return {
        (b.log, b.seq): BlockRecord(
            b.log, b.seq, b.id, b.content, b.signature, b.body or b"", BODY_HELD, b.kind, received_at
        )
        for b in blocks
    }


def asked(node: Reader) -> list[ReadStored]:
    out, node.ctx.out = node.ctx.out, []
    node.disk.commit(out, 0.0)
    return [effect for effect in out if isinstance(effect, ReadStored)]


def started_again(node: Reader, *joined: ChannelId) -> tuple[Histories, list[ReadStored]]:
    histories = Histories(node.ctx)
    histories.restore(Snapshot(records=tuple(node.disk.every(FactRecord))), joined)
    assert histories.wakeup() == (0.0 if joined and node.disk.every(FactRecord) else None)
    histories.tick()
    assert histories.wakeup() is None
    return histories, asked(node)


def answer(rows: dict[tuple[LogId, int], BlockRecord], question: ReadStored) -> Stored:
    there = sorted(rows)
    found = [
        rows[one]
        for log, first, count in question.blocks
        for one in there
        if one[0] == log and 0 <= one[1] - first < count
    ]
    return Stored(question.token, tuple(found[: question.most or None]))


def test_a_long_history_is_read_a_page_at_a_time() -> None:
    node, long, short = Reader(), written("a", 150), written("b", 3)
    rows, histories, filed = rows_of([*long, *short]), Histories(node.ctx), list[Block]()
    histories.begin(VALLEY, {long[0].log: 150, short[0].log: 3}, 0.0)
    sizes = []
    while questions := asked(node):
        (question,) = questions
        assert question.token < TOKENS, "gossip's questions have other names"
        page = answer(rows, question)
        sizes.append(len(page.blocks))
        filed += histories.stored(page) or []
    assert sizes == [PAGE, PAGE, 153 - 2 * PAGE]
    assert filed == [*long, *short]


def test_a_head_far_beyond_what_is_there_costs_no_more_questions() -> None:
    node, blocks = Reader(), written("a", 70)
    rows, histories, filed = rows_of(blocks), Histories(node.ctx), list[Block]()
    log = blocks[0].log
    liars = {LogId(bytes([n]) * 32 + log[32:]): MAX_SEQ for n in range(100)}
    histories.begin(VALLEY, liars | {log: MAX_SEQ}, 0.0)
    questions = 0
    while asking := asked(node):
        questions += 1
        filed += histories.stored(answer(rows, asking[0])) or []
    assert (questions, filed) == (3, blocks)


def test_what_is_filed_as_it_comes_is_not_filed_again() -> None:
    node, blocks = Reader(), written("a", 70)
    histories, rows = Histories(node.ctx), rows_of(blocks)
    histories.begin(VALLEY, {blocks[0].log: 70}, 0.0)
    histories.came(VALLEY, blocks[65])
    (question,) = asked(node)
    first = histories.stored(answer(rows, question)) or []
    (question,) = asked(node)
    rest = histories.stored(answer(rows, question)) or []
    assert [post.seq for post in (*first, *rest)] == [*range(1, 66), *range(67, 71)]
    assert histories.stored(answer(rows, question)) is None, "nobody asks for it any more"


def test_nothing_to_read_is_not_asked_for_and_what_was_read_before_is_left_out() -> None:
    node, blocks = Reader(), written("a", 2)
    histories = Histories(node.ctx)
    histories.begin(VALLEY, {}, 0.0)
    assert asked(node) == []
    rows = rows_of(blocks, received_at=5.0)
    histories.begin(VALLEY, {blocks[0].log: 2}, since=6.0)
    (question,) = asked(node)
    assert histories.stored(answer(rows, question)) == []


def test_what_came_meanwhile_is_not_filed_again_after_a_start_either() -> None:
    node, blocks = Reader(), written("a", 70)
    histories, rows, log = Histories(node.ctx), rows_of(blocks), blocks[0].log
    histories.begin(VALLEY, {log: 70}, 0.0)
    asked(node)
    for place in (65, 0, 2, 69):
        histories.came(VALLEY, blocks[place])
    assert asked(node) == []
    histories, (question,) = started_again(node, VALLEY)
    assert question.blocks == ((log, 2, 1), (log, 4, 62), (log, 67, 3))
    first = histories.stored(answer(rows, question)) or []
    (question,) = asked(node)
    rest = histories.stored(answer(rows, question)) or []
    assert [post.seq for post in (*first, *rest)] == [2, *range(4, 66), 67, 68, 69]
    assert asked(node) == node.disk.every(FactRecord) == []


def test_a_left_channel_goes_on_where_it_stopped_and_the_rest_is_read_since_the_leaving() -> None:
    node, blocks = Reader(), written("a", 70)
    histories, log = Histories(node.ctx), blocks[0].log
    rows = rows_of(blocks, received_at=5.0)
    histories.begin(VALLEY, {log: 68}, 0.0)
    (question,) = asked(node)
    histories.stored(answer(rows, question))
    (question,) = asked(node)
    histories.leave(VALLEY)
    assert histories.stored(answer(rows, question)) is None
    histories, questions = started_again(node)
    assert questions == []
    rows |= rows_of(blocks[68:], received_at=7.0)  # while away
    histories.begin(VALLEY, {log: 70}, since=6.0)
    filed = list[Block]()
    while questions := asked(node):
        filed += histories.stored(answer(rows, questions[0])) or []
    assert [post.seq for post in filed] == [65, 66, 67, 68, 69, 70]


def test_what_was_left_unread_from_the_first_block_on_is_asked_for_once() -> None:
    node, blocks = Reader(), written("a", 4)
    histories, log = Histories(node.ctx), blocks[0].log
    histories.begin(VALLEY, {log: 3}, 0.0)
    histories.leave(VALLEY)
    asked(node)
    histories.begin(VALLEY, {log: 4}, since=6.0)
    (question,) = asked(node)
    assert question.blocks == ((log, 1, 3), (log, 4, 1))


def test_a_channel_left_right_after_a_start_is_not_taken_up() -> None:
    node, blocks = Reader(), written("a", 3)
    histories = Histories(node.ctx)
    histories.begin(VALLEY, {blocks[0].log: 3}, 0.0)
    asked(node)
    histories = Histories(node.ctx)
    histories.restore(Snapshot(records=tuple(node.disk.every(FactRecord))), [VALLEY])
    histories.leave(VALLEY)
    histories.tick()
    assert asked(node) == []


def test_of_a_log_that_is_gone_nothing_is_asked_and_nothing_is_kept() -> None:
    node, gone, here = Reader(), written("a", 70), written("b", 2)
    histories, rows = Histories(node.ctx), rows_of([*gone, *here])
    histories.begin(VALLEY, {gone[0].log: 70, here[0].log: 2}, 0.0)
    (question,) = asked(node)
    histories.log_gone(gone[0].log)
    assert histories.stored(answer(rows, question)) == []
    (question,) = asked(node)
    assert histories.stored(answer(rows, question)) == here
    assert asked(node) == node.disk.every(FactRecord) == []
