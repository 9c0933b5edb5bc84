"""What the gate of a bridge lets across, by its rules and its day."""

from __future__ import annotations

import pytest

from meshnode.core.bridge.gate import APART, NO_DATE, OPEN, OUT_OF_HOURS, SPENT, STANDBY, Gate, cost
from meshnode.core.bridge.held import MOST, Item
from meshnode.core.clock import WallClock
from meshnode.core.context import Context
from meshnode.core.effects import Persist
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import PERSON_CHANNEL, NodeKey, channel_id
from meshnode.core.inputs import EncounterBegan, EncounterEnded, PeerSeen
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import BridgeRules, Settings

SQUARE, MARKET = channel_id("square"), channel_id("market")
FAR = "200::1"
NOON = 12 * 3600.0


def gate_with(rules: BridgeRules | None, *kept: FactRecord) -> Gate:
    sealer, entropy = SeededSealer("gate"), SeededEntropy("gate")
    ctx = Context(new_keys(sealer, entropy), open_mesh("m"), Settings(bridge=rules), sealer, entropy)
    gate = Gate(ctx)
    gate.restore(Snapshot(0.0, (), kept, ()))
    return gate


def opened(gate: Gate, session: int = 1, address: str = FAR, carrier: str = "overlay") -> None:
    gate.opened(EncounterBegan(session, NodeKey(bytes(32)), carrier, address, True))


def post(cls: int = 3, size: int = 100, channel: bytes = SQUARE, name: bytes = b"p" * 32) -> Item:
    return Item("post", name, cls, size, channel, name[:16])


ENVELOPE = Item("envelope", b"e" * 16, 2, 200, message=b"m" * 16)


def test_a_node_that_is_no_bridge_has_no_uplinks_and_lets_everything_pass() -> None:
    gate = gate_with(None)
    opened(gate)
    assert not gate.is_uplink(1)
    assert gate.passes(post())
    assert gate.at_once(1)
    assert gate.may_call(PeerSeen(FAR, "overlay", uplink=True))


def test_sessions_with_neighbours_on_the_link_are_no_uplinks() -> None:
    gate = gate_with(BridgeRules())
    gate.peer_seen(PeerSeen("200::2", "overlay"))
    for number, (address, carrier) in enumerate([(FAR, "overlay"), ("200::2", "overlay"), ("fe80::1", "link")]):
        opened(gate, number, address, carrier)
    assert gate.uplinks == (0,)
    gate.closed(EncounterEnded(0))
    assert gate.uplinks == ()
    assert gate.state() == APART
    gate.peer_seen(PeerSeen("200::2", "overlay", present=False))
    opened(gate, 3, "200::2")
    assert gate.is_uplink(3)


def test_where_far_bridges_are_named_no_other_peer_on_an_uplink_is_called() -> None:
    gate = gate_with(BridgeRules(far=(FAR,)))
    assert gate.may_call(PeerSeen(FAR, "overlay", uplink=True))
    assert gate.may_call(PeerSeen("200::2", "overlay"))
    assert not gate.may_call(PeerSeen("200::2", "overlay", uplink=True))


@pytest.mark.parametrize(
    ("rules", "item", "why"),
    [
        (BridgeRules(), post(), ""),
        (BridgeRules(channels=frozenset({MARKET})), post(), "nothing: its channel does not cross"),
        (BridgeRules(channels=frozenset({SQUARE})), post(), ""),
        (BridgeRules(channels=frozenset({MARKET})), ENVELOPE, ""),
        (BridgeRules(classes=frozenset({1, 2})), post(), "nothing: class 3 does not cross"),
        (BridgeRules(classes=frozenset({1, 2})), ENVELOPE, ""),
        (BridgeRules(largest=99), post(), "nothing: it is larger than the 99 bytes that cross"),
        (BridgeRules(largest=100), post(), ""),
        (BridgeRules(frozenset({MARKET}), frozenset({1}), 1), post(channel=PERSON_CHANNEL), ""),
    ],
)
def test_the_rules(rules: BridgeRules, item: Item, why: str) -> None:
    gate = gate_with(rules)
    assert gate.refuses(item) == why
    assert gate.passes(item) is not bool(why)
    assert [waiting.waits_for for waiting in gate.waiting()] == ([why] if why else [])
    assert gate.why(item.message) == why


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (BridgeRules(), False),
        (BridgeRules(largest=9000), True),
        (BridgeRules(classes=frozenset({2, 3})), True),
        (BridgeRules(classes=frozenset({4})), False),
    ],
)
def test_files_are_of_class_4_and_of_no_size(rules: BridgeRules, kept: bool) -> None:
    gate = gate_with(rules)
    assert not gate.keeps_files(1)
    opened(gate)
    assert gate.keeps_files(1) is kept


def test_files_may_use_half_of_the_day() -> None:
    gate = gate_with(BridgeRules(sent_per_day=64_000))
    opened(gate)
    gate.said(1, 32_000)
    assert gate.keeps_files(1)


def test_logs_of_other_channels_are_not_told_and_not_asked_for() -> None:
    gate = gate_with(BridgeRules(channels=frozenset({MARKET})))
    device = bytes(36)
    assert [gate.carries(device + channel) for channel in (SQUARE, MARKET, PERSON_CHANNEL)] == [False, True, True]


def test_a_day_that_is_spent_shuts_the_gate_until_messages_have_room_again() -> None:
    gate = gate_with(BridgeRules(sent_per_day=64_000))
    opened(gate)
    while gate.affords(3):
        gate.said(1, 100)
    assert gate.state() == OPEN
    assert not gate.passes(post())
    assert gate.passes(ENVELOPE)
    assert next(gate.waiting()).waits_for == "the uplink: the day's bytes are spent for class 3"
    while gate.affords(1):
        gate.said(1, 100)
    assert gate.state() == SPENT
    assert not gate.passes(ENVELOPE)
    opens = gate.opens_at()
    assert opens is not None
    assert opens > 86_000
    gate._ctx.now = opens
    assert gate.state() == OPEN
    gate.held.release()
    assert not len(gate.held)


def test_what_comes_in_is_counted_as_well() -> None:
    gate = gate_with(BridgeRules(received_per_day=10 * cost(1000)))
    opened(gate)
    opened(gate, 2, "fe80::1", "link")
    gate.heard(2, 10**6)
    for _ in range(9):
        gate.heard(1, 1000)
    assert gate.received.used(0.0) == 9 * cost(1000)
    assert not gate.affords(3)
    assert gate.affords(0)


def test_the_day_outlives_a_restart() -> None:
    rules = BridgeRules(sent_per_day=64_000, received_per_day=64_000)
    gate = gate_with(rules)
    opened(gate)
    gate.said(1, 30_000)
    gate.heard(1, 20_000)
    kept = [
        record
        for effect in gate._ctx.out
        if isinstance(effect, Persist) and effect.promise
        for record in effect.records
    ]
    again = gate_with(rules, *{one.name: one for one in kept if isinstance(one, FactRecord)}.values())
    assert again.sent.used(0.0) >= 30_000
    assert again.received.used(0.0) >= 20_000


def test_hours_need_a_date() -> None:
    gate = gate_with(BridgeRules(hours=((13 * 60, 14 * 60),)))
    opened(gate)
    assert gate.state() == NO_DATE
    assert gate.opens_at() is None
    assert gate.next_change() is None
    gate._ctx.clock = WallClock(NOON, 0.0, 1.0, "gps")
    assert gate.state() == OUT_OF_HOURS
    assert gate.opens_at() == 3600.0
    gate._ctx.now = 3600.0
    assert gate.state() == OPEN
    assert gate.next_change() == 7200.0


def test_news_comes_at_once_unless_one_of_the_two_ends_leaves_it_to_another_bridge() -> None:
    gate = gate_with(BridgeRules())
    opened(gate)
    assert gate.at_once(1)
    gate.far_end_waits(1, lazy=True)
    assert not gate.at_once(1)
    assert gate.at_once(2)
    gate.far_end_waits(1, lazy=False)
    gate.standby = True
    assert not gate.at_once(1)
    assert gate.state() == STANDBY
    gate.standby = False
    gate.leave(1)
    assert not gate.at_once(1)
    assert gate.is_uplink(1)
    assert gate.uplinks == ()


def test_what_is_shown_is_bounded_and_what_crossed_is_shown_no_longer() -> None:
    gate = gate_with(BridgeRules(classes=frozenset({2})))
    for number in range(MOST + 5):
        gate.passes(post(name=number.to_bytes(32, "big")))
    assert len(gate.held) == MOST
    gate.held.release()
    assert len(gate.held) == MOST, "a rule does not end"
    gate.held.forget((MOST + 4).to_bytes(32, "big"))
    assert len(gate.held) == MOST - 1
    assert gate.why(bytes(16)) == "nothing: class 3 does not cross"
    assert gate.why(b"another message!") == ""
