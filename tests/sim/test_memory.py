"""The store of a simulated node: transactions, what a power cut takes, bodies kept once."""

from __future__ import annotations

from meshnode.core.effects import Forget, Persist, ReadStored
from meshnode.core.ids import BlockId, EnvelopeId, LogId
from meshnode.core.records import BODY_HELD, BlockRecord, FactRecord, RecordKey, RefusedRecord
from meshnode_sim.memory import Memory, Pool

LOG = LogId(b"l" * 68)


def fact(name: str, value: bytes) -> FactRecord:
    return FactRecord(name, value)


def block(seq: int, body: bytes) -> BlockRecord:
    return BlockRecord(LOG, seq, BlockId(bytes([seq]) * 32), b"c" * 84, b"s" * 64, body, BODY_HELD, 1, 0.0)


def value(memory: Memory, name: str) -> bytes | None:
    found = memory.get(FactRecord, name)
    return None if found is None else found.value


def test_a_promise_survives_and_the_newest_of_the_rest_is_lost() -> None:
    memory = Memory(Pool())
    memory.commit([Persist((fact("a", b"1"),))], 1.0)
    memory.commit([Persist((fact("b", b"1"),), promise=True)], 2.0)
    memory.commit([Persist((fact("a", b"2"),))], 3.0)
    memory.commit([Forget((RecordKey(FactRecord, ("b",)),)), Persist((fact("c", b"3"),))], 4.0)
    memory.lose_power(lambda n: n - 1)
    assert [value(memory, name) for name in "abc"] == [b"2", b"1", None]
    assert memory.now == 3.0


def test_all_unsynced_commits_may_be_lost_whole() -> None:
    memory = Memory(Pool())
    memory.commit([Persist((fact("a", b"1"),), promise=True)], 1.0)
    memory.commit([Persist((fact("a", b"2"), fact("b", b"2")))], 2.0)
    memory.lose_power(lambda n: 0)
    assert (value(memory, "a"), value(memory, "b"), memory.now) == (b"1", None, 1.0)
    assert memory.count() == 1


def test_after_thirty_seconds_a_commit_is_on_disk() -> None:
    memory = Memory(Pool())
    memory.commit([Persist((fact("a", b"1"),))], 1.0)
    memory.commit([Persist((fact("a", b"2"),))], 40.0)
    memory.lose_power(lambda n: 0)
    assert value(memory, "a") == b"1"


def test_the_time_is_written_even_when_nothing_else_is() -> None:
    memory = Memory(Pool())
    memory.commit([], 500.0)
    assert memory.now == 0.0
    memory.commit([], 601.0)
    assert memory.now == 601.0


def test_each_start_has_a_higher_epoch_and_power_cannot_take_it() -> None:
    memory = Memory(Pool())
    assert [memory.raise_epoch(), memory.raise_epoch()] == [1, 2]
    memory.lose_power(lambda n: 0)
    assert memory.raise_epoch() == 3


def test_equal_bodies_are_one_object_in_all_stores() -> None:
    pool = Pool()
    one, other = Memory(pool), Memory(pool)
    one.commit([Persist((block(1, bytes(bytearray(b"hello"))),))], 0.0)
    other.commit([Persist((block(1, bytes(bytearray(b"hello"))),))], 0.0)
    [mine], [theirs] = one.every(BlockRecord), other.every(BlockRecord)
    assert mine.body is theirs.body
    assert mine.signature is theirs.signature


def test_reads_give_what_is_there_however_much_is_asked() -> None:
    memory = Memory(Pool())
    memory.commit([Persist(tuple(block(seq, b"x") for seq in (3, 1, 2)))], 0.0)
    few = memory.answer(ReadStored(7, ((LOG, 2, 2),), (EnvelopeId(b"none" * 8),)))
    assert (few.token, [row.seq for row in few.blocks], few.envelopes) == (7, [2, 3], ())
    assert [row.seq for row in memory.answer(ReadStored(8, ((LOG, 1, 1 << 40),))).blocks] == [1, 2, 3]


def test_a_snapshot_lists_blocks_in_order_and_every_other_row() -> None:
    memory = Memory(Pool())
    memory.commit([Persist((block(2, b""), block(1, b"abc"), RefusedRecord(LOG, 9.0)))], 5.0)
    snapshot = memory.snapshot()
    assert [(row.seq, row.body_len) for row in snapshot.blocks] == [(1, 3), (2, 0)]
    assert snapshot.records == (RefusedRecord(LOG, 9.0),)
    assert snapshot.now == 5.0
