"""The switchboard: what goes where, what it says of itself, and that nothing a peer says raises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.chain.block import write_block
from meshnode.core.chain.kinds import CERTIFICATE
from meshnode.core.clock import WallClock
from meshnode.core.effects import Notify, Persist, SendRecord
from meshnode.core.identity.certificate import issue_certificate, revoke_device
from meshnode.core.ids import NeighbourId, NodeKey, PersonaKey, log_device, log_id
from meshnode.core.inputs import (
    BodiesDropped,
    ClockSet,
    Compose,
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    LinkChanged,
    LinkUsed,
    MarkRead,
    PeerSeen,
    RecordReceived,
    RemoveContact,
    RevokeDevice,
    SessionWritable,
    StationSeen,
    Stored,
    StoreState,
    Tick,
)
from meshnode.core.node import RENEW_FACT, Node
from meshnode.core.notices import ProbeHop, Warned
from meshnode.core.records import BlockRecord, ContactRecord, DeviceRecord, FactRecord
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.frames import Beacon
from meshnode.errors import UsageError
from support.trial_member import block_of, hears, neighbour, person_log, say, sealed_as
from support.trial_world import LINK, MESH, SQUARE, Box, TrialWorld


def _pair(seed: int = 1) -> tuple[TrialWorld, Box, Box]:
    world = TrialWorld(seed)
    a, b = world.line("ab")
    world.run(30)
    return world, a, b


# what it says of itself


def test_status_counts_what_is_held_and_who_is_near() -> None:
    world, a, b = _pair()
    a.post("one")
    world.run(5)
    status = b.node.status()
    assert status["counts"] == {"logs": 3, "blocks": 7, "envelopes": 0, "chunks": 0}
    (near,) = status["neighbours"]  # type: ignore[misc]
    assert near["node"] == neighbour(b, a).short
    assert (near["carrier"], near["link"], near["bound"], near["session"]) == ("link", LINK, True, False)
    assert near["address"] == "fe80::a"
    assert status["airtime"] == {
        f"backlog_s_{LINK}": pytest.approx(0.0, abs=0.05),
        f"used_s_{LINK}": pytest.approx(0.2, abs=0.2),
        f"others_s_{LINK}": 0.0,
    }
    assert status["counters"] == dict(b.node.counters)


def test_status_of_a_session_alone() -> None:
    world = TrialWorld(2)
    a, _ = world.add("a"), world.add("b")
    world.connect("a", "b")
    world.run(1)
    (near,) = a.node.status()["neighbours"]  # type: ignore[misc]
    assert (near["carrier"], near["link"], near["bound"], near["session"]) == ("overlay", "", False, True)
    assert near["address"] == "200::b"


def test_why_names_state_witnesses_and_what_is_missing() -> None:
    world, a, b = _pair()
    b.off()
    message = a.write(b, "wait for it")
    world.run(0.5)
    why = a.node.why(message)
    assert why is not None
    assert (why.state, why.waiting_for) == ("on_air", "the box of b to be met; it answers only those b has added")
    assert a.node.why(b"nothing of ours.") is None  # type: ignore[arg-type]
    b.boot()
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    why = a.node.why(message)
    assert why is not None
    assert (why.witnesses, why.waiting_for) == (("b",), "")


def test_the_queue_names_what_waits_and_for_what() -> None:
    world, a, b = _pair()
    assert a.node.queue() == []
    b.off()
    stranger = PersonaKey(bytes(31) + b"\1")
    waits, written = a.node.chat.compose(Compose("to whom?", to=stranger)), a.write(b, "wait for it")
    envelope, message = [one for one in a.node.queue() if one.waits_for != "air"]
    assert (message.kind, message.id, message.bytes) == ("message", waits.hex(), len("to whom?"))
    assert message.waits_for == f"key of {message.to}"
    (carried,) = [carried for carried in a.node.forwarding.shelf if carried.record.message == written]
    assert (envelope.kind, envelope.id, envelope.waits_for) == ("envelope", carried.id.hex(), "a carrier")
    b.boot()
    world.run(60, until=lambda: a.state(written) == "delivered")
    assert [one for one in a.node.queue() if one.waits_for != "air"] == [message]


def test_a_probe_tells_its_way() -> None:
    world = TrialWorld(3)
    a, _, c = world.line("abc")
    world.run(60)
    a.write(c, "so that there is a session")
    world.run(20)
    a.write(c, "", probe=True)
    assert world.run(20, until=lambda: len(a.told(ProbeHop)) == 2)
    assert [hop.hop for hop in a.told(ProbeHop)] == [1, 2]
    assert [hop.node for hop in a.told(ProbeHop)] == [
        world.boxes[name].node.neighbours.me[:4].hex() for name in ("b", "c")
    ]


# steps


def test_time_never_falls() -> None:
    _, a, _ = _pair()
    before = a.node.ctx.now
    a.node.step(Tick(), before - 20)
    assert a.node.ctx.now == before


def test_a_wakeup_is_never_in_the_past_after_a_tick() -> None:
    world, a, _ = _pair()
    for _ in range(200):
        due = a.node.next_wakeup()
        assert due is not None
        world.run(max(0.0, due - a.now) + 0.001)
        after = a.node.next_wakeup()
        assert after is not None
        assert after > a.now - 0.01


def test_without_links_or_peers_it_sleeps_for_long() -> None:
    world = TrialWorld(4)
    a = world.add("a")
    a.mute()
    world.run(10)
    due = a.node.next_wakeup()
    assert due is not None
    assert due > a.now + 60


def test_what_restoring_wants_done_is_done_with_the_first_step_that_succeeds() -> None:
    sealer, entropy = SeededSealer(1), SeededEntropy(1)
    world = TrialWorld(5)
    a = world.add("a")
    a.off()
    node = Node(a.keys, MESH, Settings(), sealer, entropy, a.disk.snapshot(), 2)
    node._begun = [Notify(Warned("begun", "by restoring"))]
    with pytest.raises(UsageError):
        node.step(Compose("to nobody and nowhere"), a.disk.now)
    assert Notify(Warned("begun", "by restoring")) in node.step(Tick(), a.disk.now)
    assert Notify(Warned("begun", "by restoring")) not in node.step(Tick(), a.disk.now)


@pytest.mark.parametrize(
    "told",
    [
        Compose("nowhere"),
        Compose("both", to=PersonaKey(bytes(32)), channel=SQUARE),
        Compose("x" * 20_000, channel=SQUARE),
        Compose("x" * 20_000, to=PersonaKey(b"p" * 32)),
        RevokeDevice(b"no statement"),
    ],
)
def test_what_a_person_cannot_ask_for_raises_before_anything_moved(told: Compose | RevokeDevice) -> None:
    _, a, _ = _pair()
    rows = dict(a.disk.rows)
    with pytest.raises(UsageError):
        a.feed(told)
    assert a.disk.rows == rows


def test_a_host_that_speaks_of_what_is_not_there_moves_nothing() -> None:
    _, a, _ = _pair()
    rows = dict(a.disk.rows)
    for told in (
        EncounterEnded(99),
        SessionWritable(99, 0),
        RecordReceived(99, b"\x25" + bytes(12)),
        DialFailed("200::nobody", "no"),
        Stored(12345),
        PeerSeen("200::nobody", "overlay", present=False),
        FrameReceived("eth7", "fe80::x", True, bytes(60)),
        MarkRead((b"unknown message.",)),  # type: ignore[arg-type]
        RemoveContact(PersonaKey(b"q" * 32)),
        BodiesDropped(()),
        LinkChanged("eth7", None),
    ):
        a.feed(told)  # type: ignore[arg-type]
    assert {key: row for key, row in a.disk.rows.items() if "State" not in key[0].__name__} == {
        key: row for key, row in rows.items() if "State" not in key[0].__name__
    }
    assert a.node.counters["datagram_no_link"] == 1


# links, sessions, contacts


def test_a_link_of_other_size_is_used_at_once() -> None:
    world, a, b = _pair()
    a.feed(LinkChanged(LINK, LinkSettings(unicast_payload=384, multicast_payload=384)))
    del a.sent_datagrams[:]
    message = a.write(b, "words " * 100)
    assert world.run(20, until=lambda: a.state(message) == "delivered")
    assert max(len(send.data) for send in a.sent_datagrams) <= 384


def test_the_second_session_with_a_peer_takes_the_place_of_the_first() -> None:
    world, a, b = _pair()
    a.feed(EncounterBegan(501, b.keys.node, "overlay", "200::b", True))
    a.feed(EncounterBegan(502, b.keys.node, "overlay", "200::b", False))
    a.feed(EncounterEnded(501))
    assert neighbour(a, b).session == 502
    a.feed(EncounterEnded(502))
    assert neighbour(a, b).session is None
    world.run(5)


def test_contacts_come_and_go() -> None:
    _, a, b = _pair()
    assert a.disk.get(ContactRecord, b.keys.persona)
    a.feed(RemoveContact(b.keys.persona))
    assert a.disk.get(ContactRecord, b.keys.persona) is None


def test_a_device_that_its_person_removed_gets_nothing_more() -> None:
    world, a, b = _pair()
    a.write(b, "before")
    world.run(20)
    statement = revoke_device(b.node.ctx.sealer, b.keys.persona, b.keys.persona_secret, b.keys.device)
    b.feed(RevokeDevice(statement))
    world.run(30)
    assert a.disk.get(DeviceRecord, b.keys.device).revocation
    message = a.write(b, "after")
    world.run(30)
    assert a.state(message) == "kept"


def test_a_renewed_certificate_is_published_once() -> None:
    world, a, b = _pair()
    world.run(20)
    keys = b.keys
    renewed = issue_certificate(b.node.ctx.sealer, keys.persona, keys.persona_secret, keys.device, issued=5)
    b.keys = replace(keys, certificate=renewed)
    for _ in range(2):
        b.off()
        b.boot()
        world.run(60)
        own = [row for row in b.disk.every(BlockRecord) if log_device(row.log) == keys.device]
        written = [row for row in sorted(own, key=lambda row: row.seq) if row.kind == CERTIFICATE]
        assert [row.body for row in written] == [keys.certificate, renewed]
    assert a.disk.get(DeviceRecord, keys.device).certificate == renewed


def test_a_parcel_is_written_in_records_and_ended() -> None:
    world, a, b = _pair()
    a.write(b, "words")
    records = a.export(to=b.keys.persona)
    world.run(2)
    assert records
    assert all(len(record) <= 64 * 1024 for record in records)


# a second copy of this home


def test_a_second_copy_is_told_once_and_renewed() -> None:
    world, a, b = _pair()
    sealer = a.node.ctx.sealer
    log = log_id(a.keys.device, a.keys.incarnation, SQUARE)
    a.post("ours")
    row = a.disk.get(BlockRecord, log, 1)
    before = row.id[:20]
    for seq in (2, 3, 3):
        ahead = write_block(log, seq, before, 1, b"not ours", time=0, secret=a.keys.device_secret, sealer=sealer)
        b.disk.rows[BlockRecord, (log, seq)] = BlockRecord(
            log, seq, ahead.id, ahead.content, ahead.signature, b"not ours", 0, 1, 0.0
        )
        before = ahead.ref
        say(b, block_of(b, log, seq), a)
        world.run(1)
    assert a.warnings() == ["second_copy"]
    assert a.disk.get(FactRecord, RENEW_FACT).value
    incarnation = a.keys.incarnation
    a.off()
    a.boot()
    assert a.keys.incarnation != incarnation
    assert a.disk.get(FactRecord, RENEW_FACT) is None


def test_a_frame_under_our_own_id_is_only_a_warning_and_only_once() -> None:
    _, a, _ = _pair()
    me = NeighbourId(a.node.neighbours.me)
    beacon = Beacon(1, 1, 0, bytes(8), bytes(4))
    for counter in range(5):
        hears(a, sealed_as(me, 9, counter, [beacon]))
        hears(a, sealed_as(me, 9, counter, [beacon])[:-1] + b"x")
    assert a.warnings() == ["own_id_heard"]
    assert a.disk.get(FactRecord, RENEW_FACT) is None


# order of effects


def test_what_is_promised_comes_before_what_is_sent_of_it() -> None:
    world, a, b = _pair()
    seen: list[str] = []

    def note(name: str, effect: object) -> None:
        seen.append(type(effect).__name__ + ("!" if isinstance(effect, Persist) and effect.promise else ""))

    a.effects_log = note
    a.write(b, "words")
    assert seen.index("Persist!") < seen.index("Notify")
    assert "Send" not in seen[: seen.index("Persist!")]
    world.run(5)


def test_a_full_store_says_so_in_its_beacons_and_takes_no_custody() -> None:
    world = TrialWorld(6)
    a, b, c = world.line("abc")
    world.run(60)
    b.feed(StoreState(100, 100, True))
    c.off()
    a.write(c, "for later")
    world.run(60)
    assert not [carried for carried in b.node.forwarding.shelf if carried.kept]
    assert b.node.counters["custody_refused"]


def test_records_of_a_parcel_have_no_neighbour_behind_them() -> None:
    world, a, b = _pair()
    a.feed(EncounterBegan(700, NodeKey(b""), "parcel", "", False))
    assert len(a.node.neighbours.session_peers()) == 0
    effects = a.feed(RecordReceived(700, b"\x25" + bytes(12)))
    assert not [effect for effect in effects if isinstance(effect, SendRecord)]
    assert person_log(b) in a.node.gossip.logs.book.logs
    world.run(1)


def test_what_an_interface_counted_and_the_date_reach_their_parts() -> None:
    _, a, _ = _pair()
    a.feed(LinkUsed(LINK, 0, 0, 0, 0, 0, 0, 0))
    a.feed(LinkUsed(LINK, 0, 0, 0, 0, 10, 2000, 0))
    assert a.node.status()["airtime"][f"others_s_{LINK}"] > 0  # type: ignore[index]
    clock = WallClock(1_800_000_000.0, a.now, 1.0, "gps")
    a.feed(ClockSet(clock))
    assert a.node.ctx.clock == clock


def test_a_new_station_at_a_radio_is_greeted_with_a_beacon() -> None:
    world, a, _ = _pair()
    world.run(400)
    due = a.node.next_wakeup()
    assert due is not None
    assert due > world.now + 1.0, "long agreed, and silent"
    a.feed(StationSeen(LINK))
    del a.sent_datagrams[:]
    world.run(0.5)
    assert [send.to for send in a.sent_datagrams] == [None]


def test_of_two_sessions_each_is_opened_once() -> None:
    world = TrialWorld(8)
    a, b, c = world.add("a"), world.add("b"), world.add("c")
    b.knows(a)
    a.knows(b)
    world.connect("a", "c")
    world.run(1)
    world.connect("a", "b")
    world.run(1)
    assert {n.node for n in a.node.neighbours.session_peers()} == {b.keys.node, c.keys.node}


def test_a_part_that_is_always_due_does_not_hold_the_node() -> None:
    _, a, _ = _pair()
    asked = []
    a.node.chat.wakeup = lambda: asked.append(1) or a.node.ctx.now  # type: ignore[method-assign,func-returns-value]
    a.node.ctx.chat_due.sooner(a.node.ctx.now)
    a.feed(Tick())
    assert asked


@pytest.mark.parametrize("route", ["_take", "_encounter", "_person_decided", "_file"])
def test_what_no_part_knows_is_passed_over(route: str) -> None:
    _, a, _ = _pair()
    before = dict(a.node.counters)
    getattr(a.node, route)(object())
    assert dict(a.node.counters) == before
