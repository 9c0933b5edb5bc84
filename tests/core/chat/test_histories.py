"""The history of a channel that is joined: a page at a time, everything once."""

from __future__ import annotations

from meshnode.core.chain.block import Block, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.chat.histories import PAGE, Histories
from meshnode.core.effects import ReadStored
from meshnode.core.gossip.serve import TOKENS
from meshnode.core.ids import LogId
from meshnode.core.inputs import Stored
from meshnode.core.records import BODY_HELD, BlockRecord
from support.gossip_node import VALLEY, GossipNode


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


def asked(node: GossipNode) -> list[ReadStored]:
    out, node.ctx.out = node.ctx.out, []
    return [effect for effect in out if isinstance(effect, ReadStored)]


def answer(rows: dict[tuple[LogId, int], BlockRecord], question: ReadStored) -> Stored:
    wanted = [(log, seq) for log, first, count in question.blocks for seq in range(first, first + count)]
    return Stored(question.token, tuple(rows[one] for one in wanted if one in rows))


def test_a_long_history_is_read_a_page_at_a_time() -> None:
    node, long, short = GossipNode("me"), written("a", 150), written("b", 3)
    rows, histories, filed = rows_of([*long, *short]), Histories(node.ctx), list[Block]()
    histories.begin(VALLEY, {long[0].log: 150, short[0].log: 3}, 0.0)
    sizes = []
    while questions := asked(node):
        (question,) = questions
        assert question.token < TOKENS, "gossip's questions have other names"
        sizes.append(sum(count for _, _, count in question.blocks))
        filed += histories.stored(answer(rows, question)) or []
    assert sizes == [PAGE, PAGE, 153 - 2 * PAGE]
    assert filed == [*long, *short]


def test_what_is_filed_as_it_comes_is_not_filed_again() -> None:
    node, blocks = GossipNode("me"), written("a", 70)
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
    node, blocks = GossipNode("me"), written("a", 2)
    histories = Histories(node.ctx)
    histories.begin(VALLEY, {}, 0.0)
    assert asked(node) == []
    rows = rows_of(blocks, received_at=5.0)
    histories.begin(VALLEY, {blocks[0].log: 2}, since=6.0)
    (question,) = asked(node)
    assert histories.stored(answer(rows, question)) == []
