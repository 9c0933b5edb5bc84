"""A store that nears its limit: who goes first, who never goes, and what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from meshnode.core.chain.kinds import POST
from meshnode.core.chain.prune import UNTOUCHABLE
from meshnode.core.effects import Persist
from meshnode.core.ids import PERSON_CHANNEL
from meshnode.core.records import (
    BODY_DROPPED,
    BODY_HELD,
    ROLE_CUSTODY,
    ROLE_OWN,
    ROLE_TRANSIT,
    BlockIndex,
    ContactRecord,
    EnvelopeRecord,
    RefusedRecord,
    SeenRecord,
    TombstoneRecord,
)
from meshnode.errors import StoreFullError
from meshnode.store import room
from meshnode.store.ballast import RESERVE
from meshnode.store.store import Store
from support.store_fakes import block, envelope, fact, log, message, open_store, state

LIMIT = 8_000_000
BODY = bytes(20_000)


def evict_all(store: Store, now: float = 100.0) -> list[str]:
    """Evict to the end; what kinds of rows went in each portion."""
    order = []
    while True:
        before = census(store)
        if not room.evict_once(store._database, now, 10**9, []):
            return order
        after = census(store)
        order.append("+".join(sorted(name for name in before if after[name] < before[name])))


def census(store: Store) -> dict[str, int]:
    held = [index for index in store.snapshot().blocks if index.body_state == BODY_HELD]
    ring = {log: record.ring for record in store.reads.every(type(LOG)) for log in [record.log]}
    bodies = {f"bodies of ring {number}": 0 for number in range(4)}
    for index in held:
        bodies[f"bodies of ring {ring[index.log]}"] += 1
    roles = {f"envelopes {role}": 0 for role in range(3)}
    for record in store.reads.every(EnvelopeRecord):
        roles[f"envelopes {record.role}"] += 1
    return {**store.reads.counts(), **bodies, **roles}


LOG = log(0, 0)
LOG3 = log(3, 3).log


def test_strangers_go_before_contacts_and_what_is_mine_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    contact = ContactRecord(b"b" * 32, "Bo", False, False, 0.0)
    store.commit(
        [
            Persist(tuple(log(ring, ring) for ring in range(4))),
            Persist(tuple(block(ring, seq) for ring in range(4) for seq in (1, 2))),
            Persist((envelope(1, ROLE_OWN, 50.0), envelope(2, ROLE_CUSTODY, 50.0))),  # expired
            Persist((envelope(3, ROLE_CUSTODY), TombstoneRecord(envelope(3, 1).tag, b"r" * 16, 1e9))),  # delivered
            Persist((envelope(4, ROLE_TRANSIT), envelope(5, ROLE_CUSTODY), envelope(6, ROLE_OWN))),
            Persist((SeenRecord(b"s" * 16, 50.0), RefusedRecord(b"l" * 52, 50.0), SeenRecord(b"t" * 16, 150.0))),
            Persist((contact, message(1), message(2, channel=b"c" * 16), state(2, "read"))),
            Persist((message(3, channel=b"c" * 16, peer=contact.persona),)),
            Persist((message(4, channel=b"c" * 16, outgoing=True),)),
        ],
        1.0,
        False,
    )
    first = [(one.kind, one.id[-1]) for one in store.reads.next_to_go(100.0, 99)]
    assert first[:4] == [("expired", 1), ("expired", 2), ("delivered", 3), ("transit", 4)]
    assert [kind for kind, _ in first[4:]] == ["body"] * 4 + ["post"]
    assert len(store.reads.next_to_go(100.0, 3)) == 3
    assert evict_all(store) == [
        "envelope+envelopes 0+envelopes 1+refused+seen",
        "envelope+envelopes 1",
        "envelope+envelopes 2",
        "bodies of ring 2+bodies of ring 3",
        "message+state",
    ]
    assert store.reads.next_to_go(100.0, 99) == []
    left = census(store)
    assert {name: left[f"bodies of ring {name}"] for name in range(4)} == {0: 2, 1: 2, 2: 0, 3: 0}
    assert (left["envelopes 0"], left["envelopes 1"], left["block"], left["seen"]) == (1, 1, 8, 1)
    assert [filed.cursor for filed, _ in store.reads.inbox()] == [1, 3, 4]
    store.close()


def test_the_farthest_and_oldest_bodies_go_first(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    store.commit([Persist((log(2, 2), log(3, 3), block(2, 1), block(3, 1), block(3, 2), block(3, 3)))], 1.0, False)
    told: room.Dropped = []
    first = [one.id for one in store.reads.next_to_go(2.0, 2)]
    assert first == [block(3, 1).id, block(3, 2).id]
    assert room.evict_once(store._database, 1.0, 5, told)
    assert told == [(LOG3, 1), (LOG3, 2)]
    dropped = [(i.log[0], i.seq) for i in store.snapshot().blocks if i.body_state == BODY_DROPPED]
    assert dropped == [(3, 1), (3, 2)]
    assert isinstance(store.snapshot().blocks[0], BlockIndex)
    store.close()


def test_what_a_writer_is_judged_by_keeps_its_body(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    statements = [replace(block(3, seq), kind=kind) for seq, kind in enumerate(sorted(UNTOUCHABLE), 1)]
    person = LOG3[:36] + PERSON_CHANNEL
    in_person_log = [replace(block(3, 1), log=person), replace(log(3, 3), log=person)]
    post = replace(block(3, 90), kind=POST)
    store.commit([Persist((log(3, 3), *statements, *in_person_log, post))], 1.0, False)
    dropped: room.Dropped = []
    assert room.evict_once(store._database, 1.0, 10**9, dropped)
    assert dropped == [(LOG3, 90)]
    assert not room.evict_once(store._database, 1.0, 10**9, dropped)
    store.close()


def test_the_node_is_told_once_which_bodies_went(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    store.commit([Persist((log(3, 3), *(block(3, seq, BODY) for seq in range(1, 201))))], 1.0, False)
    store.make_room(2.0)
    told = store.take_dropped().blocks
    assert [seq for _, seq in told] == list(range(1, len(told) + 1))
    assert told
    gone = [(i.log, i.seq) for i in store.snapshot().blocks if i.body_state == BODY_DROPPED]
    assert gone == list(told)
    assert store.take_dropped().blocks == ()
    assert store.snapshot().blocks[0].prev == block(3, 1).content[64:84]
    store.close()


def test_a_flood_of_strangers_is_kept_within_the_limit(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    store.commit([Persist((log(0, 0), log(3, 3), *(block(0, seq, BODY) for seq in range(1, 21))))], 1.0, False)
    for seq in range(1, 1001, 20):
        store.commit([Persist(tuple(block(3, n, BODY) for n in range(seq, seq + 20)))], 1.0, False)
        assert not store.make_room(2.0).refusing
        assert store.used <= LIMIT - RESERVE
    held = [index for index in store.snapshot().blocks if index.body_state == BODY_HELD]
    assert [index.log[0] for index in held].count(0) == 20
    assert max(index.seq for index in held if index.log[0] == 3) == 1000
    store.close()


def test_what_may_not_go_fills_the_store_and_is_then_refused_but_the_reserve_is_left(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    number = 0
    while not store.make_room(2.0).refusing:
        number += 1
        store.commit([Persist((envelope(number, ROLE_CUSTODY, size=100_000),))], 1.0, True)
    assert store.state().refusing
    assert LIMIT - RESERVE < store.used < LIMIT - RESERVE + 400_000
    for words in range(1, 200):
        store.commit([Persist((message(words, text="own words" * 1000, outgoing=True),))], 2.0, True)
    assert len(store.reads.inbox(limit=1000)) == 199
    assert len(list(store.reads.every(EnvelopeRecord))) == number
    store.close()


def test_at_the_very_end_nothing_is_half_written(tmp_path: Path) -> None:
    store = open_store(tmp_path, LIMIT, reserve=False)
    written = 0

    def fill() -> None:
        nonlocal written
        while True:
            store.commit([Persist((message(written + 1, text="x" * 100_000), fact(str(written + 1))))], 2.0, True)
            written += 1

    with pytest.raises(StoreFullError, match="full; free some space"):
        fill()
    assert len(store.reads.inbox(limit=10**6)) == written
    assert store.reads.counts()["fact"] == written
    small = replace(message(1), text="still here")
    store.commit([Persist((small,))], 3.0, True)
    store.close()
    again = open_store(tmp_path, LIMIT, reserve=False)
    assert again.reads.message(small.id) == (small, None)
    again.close()
