"""The invariants speak up: shown twice, shown without a writer, called delivered without being there."""

from __future__ import annotations

from meshnode.core.effects import Notify
from meshnode.core.ids import DeviceKey, MessageId, PersonaKey
from meshnode.core.notices import MessageFiled, StateChanged
from meshnode.core.records import MessageRecord
from meshnode_sim.probe import Probe

ADA, BO = PersonaKey(b"a" * 32), PersonaKey(b"b" * 32)
NAME = MessageId(b"m" * 16)


def filed(peer: PersonaKey, *, outgoing: bool) -> Notify:
    record = MessageRecord(NAME, 1, outgoing, peer, DeviceKey(b"d" * 32), b"", 1, "x", 2, 0, 0, -1, 0, b"")
    return Notify(MessageFiled(record))


def probe() -> Probe:
    return Probe({ADA: 0, BO: 1})


def test_once_is_right() -> None:
    seen = probe()
    seen.committed(0, 5, [filed(BO, outgoing=True)], -1)
    seen.committed(1, 9, [filed(ADA, outgoing=False)], 0)
    seen.committed(0, 12, [Notify(StateChanged(NAME, "delivered", ()))], 1)
    [written] = seen.written.values()
    assert (written.at_ns, written.arrivals[1][0], written.receipt_ns) == (5, 9, 12)
    assert seen.violations == []


def test_twice_is_a_violation() -> None:
    seen = probe()
    seen.committed(0, 5, [filed(BO, outgoing=True)], -1)
    seen.committed(1, 9, [filed(ADA, outgoing=False)], 0)
    seen.committed(1, 11, [filed(ADA, outgoing=False)], 0)
    assert seen.violations == ["node 1 was shown message 0 twice"]


def test_out_of_nowhere_is_a_violation() -> None:
    seen = probe()
    seen.committed(1, 9, [filed(ADA, outgoing=False)], 0)
    assert seen.violations == [f"node 1 was shown a message that nobody wrote: {NAME.hex()}"]


def test_delivered_without_being_there_is_a_violation() -> None:
    seen = probe()
    seen.committed(0, 5, [filed(BO, outgoing=True)], -1)
    seen.committed(0, 6, [Notify(StateChanged(NAME, "delivered", ()))], 1)
    assert seen.violations == ["message 0 is called delivered, and its recipient does not have it"]


def test_what_the_store_forgot_with_the_power_may_be_shown_again() -> None:
    seen = probe()
    seen.committed(0, 5, [filed(BO, outgoing=True)], -1)
    seen.committed(1, 9, [filed(ADA, outgoing=False)], 0)
    seen.remembers(1, {NAME})
    seen.remembers(1, set())
    seen.committed(1, 19, [filed(ADA, outgoing=False)], 0)
    assert seen.violations == []
    assert next(iter(seen.written.values())).arrivals[1][0] == 9
    seen.committed(1, 20, [filed(ADA, outgoing=False)], 0)
    assert seen.violations == ["node 1 was shown message 0 twice"]


def test_a_message_that_was_receipted_must_survive_the_power() -> None:
    seen = probe()
    seen.committed(0, 5, [filed(BO, outgoing=True)], -1)
    seen.committed(1, 9, [filed(ADA, outgoing=False)], 0)
    seen.committed(0, 12, [Notify(StateChanged(NAME, "delivered", ()))], 1)
    seen.remembers(1, set())
    assert seen.violations == ["node 1 receipted message 0 and lost it with its power"]
