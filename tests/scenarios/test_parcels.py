"""Parcels: a stick between two islands. Twice changes nothing; what comes in it is believed no more than the air."""

from __future__ import annotations

from meshnode.core.records import BlockRecord, EnvelopeRecord, MessageRecord
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import Beacon, Need, Offer, Proof, Proofs, Took, Want, Wish
from support.trial_member import block_of, person_log
from support.trial_world import Box, TrialWorld


def _islands(seed: int) -> tuple[TrialWorld, Box, Box]:
    """Contacts who met once, and live on two islands."""
    world = TrialWorld(seed)
    a, b = world.line("ab")
    world.run(60)
    world.part("a", "b")
    world.run(400)
    return world, a, b


def _ship(world: TrialWorld, source: Box, target: Box) -> list[bytes]:
    records = source.export()
    world.run(2)
    target.import_(records)
    world.run(2)
    return records


def _kept(box: Box) -> object:
    return {key: row for key, row in box.disk.rows.items() if key[0] in (MessageRecord, BlockRecord, EnvelopeRecord)}


def test_messages_posts_and_receipts_travel_by_stick() -> None:
    world, a, b = _islands(1)
    message = a.write(b, "by stick")
    a.post("posted on the stick")
    world.run(5)
    _ship(world, a, b)
    assert b.inbox() == ["by stick"]
    assert b.posts() == ["posted on the stick"]
    assert a.state(message) in ("kept", "on_air")
    _ship(world, b, a)
    assert a.state(message) == "delivered"


def test_importing_twice_changes_nothing() -> None:
    world, a, b = _islands(2)
    for number in range(5):
        a.write(b, f"message {number}")
        a.post(f"post {number}")
    records = _ship(world, a, b)
    kept = _kept(b)
    for _ in range(2):
        b.import_(records)
        world.run(2)
    assert {
        key: row for key, row in b.disk.rows.items() if key[0] in (MessageRecord, BlockRecord, EnvelopeRecord)
    } == kept
    assert b.inbox() == [f"message {n}" for n in range(5)]
    assert b.posts() == [f"post {n}" for n in range(5)]


def test_a_stick_carried_by_somebody_else() -> None:
    """C knows neither: it takes the stick, has it in its box, and hands it on."""
    world, a, b = _islands(3)
    c = world.add("c")
    message = a.write(b, "through C")
    world.run(2)
    _ship(world, a, c)
    _ship(world, c, b)
    assert b.inbox() == ["through C"]
    _ship(world, b, c)
    _ship(world, c, a)
    assert a.state(message) == "delivered"


def test_after_the_stick_both_meet_and_nothing_comes_twice() -> None:
    world, a, b = _islands(4)
    messages = [a.write(b, f"message {n}") for n in range(5)]
    _ship(world, a, b)
    world.join("a", "b")
    world.run(120)
    assert b.inbox() == [f"message {n}" for n in range(5)]
    assert {a.state(message) for message in messages} == {"delivered"}


def test_a_cut_parcel_keeps_what_verified() -> None:
    world, a, b = _islands(5)
    for number in range(5):
        a.post(f"post {number}")
    records = a.export()
    world.run(2)
    b.import_([*records[:-1], records[-1][: len(records[-1]) // 2], b"\xff\xff\xff"])
    world.run(2)
    assert b.node.counters["record_refused"] >= 1
    _ship(world, a, b)
    assert b.posts() == [f"post {n}" for n in range(5)]


def test_what_has_no_place_in_a_parcel_does_nothing() -> None:
    """Beacons, wants, handover, proofs of custody (rule 14.1)."""
    _world, a, b = _islands(6)
    message = a.write(b, "not carried by a parcel")
    (envelope,) = [row for row in a.disk.every(EnvelopeRecord) if row.message == message]
    before = dict(a.disk.rows), len(a.sent_datagrams)
    a.import_(
        [
            encode_frame(Beacon(1, 1, 0, bytes(8), bytes(4))),
            encode_frame(Want((Wish(person_log(a), 1, 100),))),
            encode_frame(Offer((envelope.id[:6],))),
            encode_frame(Need((envelope.id[:6],))),
            encode_frame(Took((envelope.id,))),
            encode_frame(Proofs((Proof(envelope.id[:4], bytes(8)),))),
        ]
    )
    assert (dict(a.disk.rows), len(a.sent_datagrams)) == before
    assert a.state(message) in ("kept", "on_air")


def test_since_takes_only_what_is_new() -> None:
    world, a, _b = _islands(7)
    a.post("old")
    world.run(100)
    moment = a.now
    a.post("new")
    records = a.export(since=moment)
    world.run(2)
    everything = a.export()
    world.run(2)
    assert 0 < sum(map(len, records)) < sum(map(len, everything))


def test_a_stranger_on_a_stick_gets_a_strangers_place() -> None:
    world, _a, b = _islands(8)
    s = world.add("s")
    last = max(row.seq for row in s.disk.every(BlockRecord) if row.log == person_log(s))
    b.import_([encode_frame(block_of(s, person_log(s), seq)) for seq in range(1, last + 1)])
    world.run(2)
    assert person_log(s) in b.node.gossip.logs.book.logs
    assert b.node.gossip.logs.book.logs[person_log(s)].ring == 3
