"""Logs: what is taken from the air, what is written, what is told of changes, what has to go."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import Block, compact_of, without_body, write_block
from meshnode.core.chain.fork import Adoption, prove
from meshnode.core.chain.kinds import POST
from meshnode.core.chain.verdict import Verdict
from meshnode.core.effects import Forget, Persist
from meshnode.core.gossip import shares
from meshnode.core.gossip.history import DIGESTS
from meshnode.core.gossip.logs import RECENT, Logs
from meshnode.core.ids import NeighbourId, PersonaKey, channel_id, log_handle
from meshnode.core.neighbours.table import Heard
from meshnode.core.records import (
    BODY_HELD,
    BODY_MISSING,
    BlockRecord,
    ContactRecord,
    DeviceRecord,
    ForkProofRecord,
    LogRecord,
    Snapshot,
)
from meshnode.core.settings import Settings
from meshnode.errors import SignatureError, WireError
from support.gossip_node import GossipNode, keys_of
from support.world import Disk

AIR = Heard(NeighbourId(b"sender"), None, False, "halow0", "x", True, ())


class Writer:
    """A device that writes posts."""

    def __init__(self, name: str = "w", channel: str = "valley") -> None:
        self.node = GossipNode(name)
        self.channel = channel_id(channel)
        self.blocks: list[Block] = []

    def write(self, text: str) -> Block:
        prev = self.blocks[-1].ref if self.blocks else bytes(20)
        block = write_block(
            self.node.log(self.channel), len(self.blocks) + 1, prev, POST, text.encode(), time=0,
            secret=self.node.keys.device_secret, sealer=self.node.ctx.sealer,
        )  # fmt: skip
        self.blocks.append(block)
        return block

    def many(self, count: int) -> list[Block]:
        return [self.write(f"post {index}") for index in range(count)]


def take(logs: Logs, block: Block, *, full: bool = True) -> Verdict | None:
    ref = block.log if full else log_handle(block.log)
    return logs.take_untrusted(ref, compact_of(block, elide=False), AIR).verdict


def effects(node: GossipNode, kind: type) -> list[object]:
    return [
        record
        for effect in node.ctx.out
        if isinstance(effect, Persist)
        for record in effect.records
        if isinstance(record, kind)
    ]


def test_a_new_block_is_verified_kept_and_written() -> None:
    node, writer = GossipNode("me"), Writer()
    logs = node.gossip.logs
    assert take(logs, writer.write("one")) is Verdict.NEW
    assert take(logs, writer.write("two"), full=False) is Verdict.NEW
    logs.flush()
    rows = effects(node, BlockRecord)
    assert [(row.seq, row.body, row.body_state) for row in rows] == [(1, b"one", BODY_HELD), (2, b"two", BODY_HELD)]  # type: ignore[attr-defined]
    (row,) = effects(node, LogRecord)
    assert (row.start, row.head, row.ring) == (1, 2, 3)  # type: ignore[attr-defined]


def test_a_repetition_is_known_without_its_signature() -> None:
    node, writer = GossipNode("me"), Writer()
    block = writer.write("one")
    compact = compact_of(block, elide=False)
    node.gossip.logs.take_untrusted(block.log, compact, AIR)
    again = node.gossip.logs.take_untrusted(block.log, compact, AIR)
    assert again.duplicate
    assert again.verdict is None
    wrong = compact._replace(time=7)
    with pytest.raises(SignatureError):
        node.gossip.logs.take_untrusted(block.log, wrong, AIR)


def test_right_content_with_a_wrong_signature_shuts_nothing_out() -> None:
    node, writer = GossipNode("me"), Writer()
    block = writer.write("one")
    with pytest.raises(SignatureError):
        node.gossip.logs.take_untrusted(block.log, compact_of(block, elide=False)._replace(signature=bytes(64)), AIR)
    assert take(node.gossip.logs, block) is Verdict.NEW


def test_the_memory_of_repetitions_is_bounded() -> None:
    node, writer = GossipNode("me"), Writer()
    for block in writer.many(RECENT + 1):
        take(node.gossip.logs, block)
    assert take(node.gossip.logs, writer.blocks[0]) is Verdict.DUPLICATE
    assert take(node.gossip.logs, writer.blocks[-1]) is None


def test_an_unknown_handle_is_said_so() -> None:
    node, writer = GossipNode("me"), Writer()
    block = writer.write("one")
    assert node.gossip.logs.take_untrusted(log_handle(block.log), compact_of(block, elide=False), AIR).unknown


def test_twins_of_a_handle_are_told_apart_by_the_signature() -> None:
    node, one, two = GossipNode("me"), Writer("w"), Writer("v")
    logs = node.gossip.logs
    take(logs, one.write("a"))
    take(logs, two.write("b"))
    handle = b"same"
    logs.book._by_handle[handle] = list(logs.book.logs.values())
    taken = logs.take_untrusted(handle, compact_of(two.write("c"), elide=False), AIR)
    assert taken.block is not None
    assert taken.block.log == two.blocks[0].log
    with pytest.raises(WireError):
        logs.take_untrusted(handle, compact_of(Writer("x").write("d"), elide=False), AIR)


def test_nothing_refused_is_opened_and_a_full_store_takes_own_words_only() -> None:
    node, writer = GossipNode("me"), Writer()
    block = writer.write("one")
    node.gossip.logs.admission.refuse(block.log)
    assert take(node.gossip.logs, block) is None
    node.ctx.store_refusing = True
    assert take(node.gossip.logs, Writer("v").write("x")) is None
    own = node.write("mine")
    assert take(node.gossip.logs, own) is Verdict.NEW
    assert node.ctx.counters["block_refused"] == 2


def test_a_strangers_third_log_is_not_opened() -> None:
    node = GossipNode("me")
    for channel in ("one", "two"):
        assert take(node.gossip.logs, Writer(channel=channel).write("x")) is Verdict.NEW
    assert take(node.gossip.logs, Writer(channel="three").write("x")) is None
    assert len(node.gossip.logs.book) == 2


def test_our_own_words_are_on_disk_first() -> None:
    node = GossipNode("me")
    node.gossip.logs.take_own(node.write("one"))
    (effect,) = [effect for effect in node.ctx.out if isinstance(effect, Persist)]
    assert effect.promise
    assert [type(record) for record in effect.records] == [BlockRecord, LogRecord]
    assert node.ahead == []


def test_a_second_copy_of_this_home_is_noticed() -> None:
    node, clone = GossipNode("me"), GossipNode("me")
    node.gossip.logs.take_own(node.write("one"))
    clone.gossip.logs.take_own(clone.write("one"))
    ahead = clone.write("two, written by the clone")
    take(node.gossip.logs, ahead)
    assert node.ahead == [ahead]
    take(node.gossip.logs, ahead)
    assert len(node.ahead) == 1
    lost_store = GossipNode("me")
    take(lost_store.gossip.logs, ahead)
    assert lost_store.ahead == [ahead]


def test_changes_are_told_newest_first_and_exactly_since_a_digest() -> None:
    node, one, two = GossipNode("me"), Writer("w"), Writer("v")
    logs = node.gossip.logs
    take(logs, one.write("a"))
    before = logs.digest()
    node.ctx.now = 10.0
    take(logs, two.write("b"))
    assert [log.id for log in logs.history.newest()] == [two.blocks[0].log, one.blocks[0].log]
    assert [log.id for log in logs.history.changed_after(5.0)] == [two.blocks[0].log]
    assert [log.id for log in logs.history.changed_since(before) or ()] == [two.blocks[0].log]
    assert logs.history.changed_since(b"never...") is None
    assert logs.history.changed_since(logs.digest()) == []
    for index in range(DIGESTS + 1):
        take(logs, one.write(str(index)))
        logs.digest()
    assert logs.history.changed_since(before) is None


def test_a_digest_we_came_to_or_that_lags_by_what_is_in_flight_is_no_difference() -> None:
    node, writer = GossipNode("me"), Writer()
    logs = node.gossip.logs
    take(logs, writer.write("a"))
    old = logs.digest()
    node.ctx.now = 100.0
    take(logs, writer.write("b"))
    newer = logs.digest()
    assert logs.history.passed(newer, told_at=99.0, in_flight_s=2.0), "they were ahead, we caught up"
    assert logs.history.passed(old, told_at=101.0, in_flight_s=2.0), "it was on its way when they spoke"
    assert not logs.history.passed(old, told_at=110.0, in_flight_s=2.0), "they still lack it"
    assert not logs.history.passed(b"never...", told_at=110.0, in_flight_s=2.0)


def test_a_body_that_comes_later_is_news_too() -> None:
    node, writer = GossipNode("me"), Writer()
    block = writer.write("one")
    assert take(node.gossip.logs, without_body(block)) is Verdict.NEW
    node.gossip.logs.flush()
    row = effects(node, BlockRecord)[0]
    assert row.body_state == BODY_MISSING  # type: ignore[attr-defined]
    assert take(node.gossip.logs, block) is Verdict.BODY
    node.gossip.logs.flush()
    assert effects(node, BlockRecord)[-1].body == b"one"  # type: ignore[attr-defined]


def restored(node: GossipNode) -> GossipNode:
    disk = Disk()
    node.gossip.logs.flush()
    for effect in node.ctx.out:
        if isinstance(effect, Persist):
            for record in effect.records:
                disk.write(record)
        elif isinstance(effect, Forget):
            for key in effect.keys:
                disk.rows.pop((key.table, key.key), None)
    return GossipNode("me", epoch=2, snapshot=disk.snapshot(0.0))


def test_after_a_restart_the_frontier_is_the_same() -> None:
    node, one, two = GossipNode("me"), Writer("w"), Writer("v")
    for block in [*one.many(5), *two.many(3)]:
        take(node.gossip.logs, block)
    again = restored(node)
    assert again.gossip.logs.digest() == node.gossip.logs.digest()
    assert again.gossip.logs.history.changed_after(-1.0) == [], "nothing of it is news"
    assert take(again.gossip.logs, one.write("next"), full=False) is Verdict.NEW


def test_a_split_is_kept_over_a_restart_and_a_damaged_proof_left_out() -> None:
    node, writer, clone = GossipNode("me"), Writer(), Writer()
    writer.write("same")
    clone.write("same")
    take(node.gossip.logs, writer.blocks[0])
    take(node.gossip.logs, writer.write("this"))
    other = clone.write("that")
    assert take(node.gossip.logs, other) is Verdict.FORK
    proof = prove(writer.blocks[1], other)
    assert node.gossip.logs.convict(proof)
    assert not node.gossip.logs.convict(proof)
    held = node.gossip.logs.book.logs[other.log]
    assert (held.head, held.forked) == (1, True)
    again = restored(node)
    assert again.gossip.logs.digest() == node.gossip.logs.digest()
    assert again.gossip.logs.book.logs[other.log].proof == proof
    broken = ForkProofRecord(proof.log, 2, proof.content_a, bytes(64), proof.content_b, bytes(64), 0)
    logs = Logs(node.ctx, node.rings)
    logs.restore(Snapshot(records=(broken,)))
    assert node.ctx.counters["stored_proof_damaged"] == 1


def test_an_adopted_branch_thaws_and_rows_of_the_other_go() -> None:
    node, writer, clone = GossipNode("me"), Writer(), Writer()
    for one in (writer, clone):
        one.write("same")
        take(node.gossip.logs, one.blocks[0])
    take(node.gossip.logs, writer.write("this"))
    other = clone.write("that")
    node.gossip.logs.convict(prove(writer.blocks[1], other))
    node.ctx.out = []
    adoption = Adoption(other.log, 2, other.id)
    node.gossip.adopt(adoption)
    node.gossip.adopt(adoption)
    gone = [key.key for effect in node.ctx.out if isinstance(effect, Forget) for key in effect.keys]
    assert gone == [(other.log, 2)]
    assert take(node.gossip.logs, other) is Verdict.NEW
    assert node.gossip.logs.book.logs[other.log].head == 2


def test_proofs_from_the_air_need_a_log_and_news() -> None:
    node, writer, clone = GossipNode("me"), Writer(), Writer()
    proof = prove(writer.write("this"), clone.write("that"))
    what = (proof.log, proof.content_a, proof.signature_a, proof.content_b, proof.signature_b)
    logs = node.gossip.logs
    assert logs.convict_untrusted(*what) is None, "nothing of it is held here"
    take(logs, writer.blocks[0])
    with pytest.raises(WireError):
        logs.convict_untrusted(proof.log, proof.content_b, proof.signature_b, proof.content_a, proof.signature_a)
    assert logs.convict_untrusted(*what) == proof
    assert logs.convict_untrusted(*what) is None
    third = Writer()
    later = prove(writer.blocks[0], third.write("a third"))
    assert (
        logs.convict_untrusted(later.log, later.content_a, later.signature_a, later.content_b, later.signature_b)
        is None
    )


def test_beyond_their_places_the_least_used_strangers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MAX_STRANGERS", 2)
    node = GossipNode("me")
    logs = node.gossip.logs
    writers = [Writer(name) for name in ("u", "v", "w")]
    for index, writer in enumerate(writers):
        node.ctx.now = float(index)
        take(logs, writer.write("x"))
    assert [log in logs.book for log in (writer.blocks[0].log for writer in writers)] == [False, True, True]
    assert take(logs, writers[0].blocks[0]) is None, "refused for a day"
    assert node.ctx.counters["log_evicted"] == 1


def test_a_log_that_goes_in_the_step_it_came_in_leaves_no_row() -> None:
    node, stays, goes = GossipNode("me"), Writer("v"), Writer("w")
    logs = node.gossip.logs
    for writer in (stays, goes):
        take(logs, writer.write("x"))
    logs.evict(goes.blocks[0].log)
    node.ctx.out = []
    logs.flush()
    assert [row.log for row in effects(node, LogRecord)] == [stays.blocks[0].log]  # type: ignore[attr-defined]


def test_strangers_share_a_tenth_of_the_store() -> None:
    node = GossipNode("me", settings=Settings(store_limit=20_000))
    one, two = Writer("v"), Writer("w")
    for block in one.many(10):
        take(node.gossip.logs, block)
    assert take(node.gossip.logs, two.write("x")) is Verdict.NEW
    assert one.blocks[0].log not in node.gossip.logs.book
    assert two.blocks[0].log in node.gossip.logs.book
    assert node.gossip.logs.shares.strangers == node.gossip.logs.shares.bytes[two.blocks[0].log]


def test_one_stranger_who_fills_the_share_is_wanted_no_longer() -> None:
    node, writer = GossipNode("me", settings=Settings(store_limit=20_000)), Writer()
    taken = [take(node.gossip.logs, block) for block in writer.many(20)]
    assert taken[0] is Verdict.NEW
    assert taken[-1] is None
    assert node.gossip.logs.admission.refuses(writer.blocks[0].log)
    assert writer.blocks[0].log in node.gossip.logs.book, "what was taken stays"


def test_an_evicted_split_takes_its_proof_along() -> None:
    node, writer, clone = GossipNode("me"), Writer(), Writer()
    take(node.gossip.logs, writer.write("this"))
    node.gossip.logs.convict(prove(writer.blocks[0], clone.write("that")))
    node.ctx.out = []
    node.gossip.logs.evict(writer.blocks[0].log)
    tables = {key.table for effect in node.ctx.out if isinstance(effect, Forget) for key in effect.keys}
    assert ForkProofRecord in tables


def test_logs_follow_their_writer_between_rings() -> None:
    node, writer = GossipNode("me"), Writer()
    keys = keys_of("w")
    block = writer.write("one")
    take(node.gossip.logs, block)
    log = node.gossip.logs.book.logs[block.log]
    assert log.ring == 3
    node.rings.device_known(keys.device, keys.persona)
    node.rings.contact_set(keys.persona, False)
    assert log.ring == 1
    assert node.gossip.logs.shares.strangers == 0
    node.rings.contact_removed(PersonaKey(keys.persona))
    assert log.ring == 3
    node.rings.contact_set(keys.persona, True)
    assert block.log not in node.gossip.logs.book
    assert take(node.gossip.logs, block) is None
    node.rings.contact_set(keys.persona, False)
    assert take(node.gossip.logs, block) is Verdict.NEW


def test_rings_come_back_from_disk() -> None:
    node, writer = GossipNode("me"), Writer()
    keys = keys_of("w")
    node.ctx.persist(
        DeviceRecord(keys.device, keys.persona, b"", b"", b""), ContactRecord(keys.persona, "W", True, False, 0.0)
    )
    take(node.gossip.logs, writer.write("one"))
    again = restored(node)
    assert again.gossip.logs.book.logs[writer.blocks[0].log].ring == 1
