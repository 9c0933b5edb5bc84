"""Which logs may be opened: quotas and the refused list."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import compact_of
from meshnode.core.chain.compact import Compact
from meshnode.core.effects import Persist
from meshnode.core.gossip import admission as admission_module
from meshnode.core.gossip.admission import DAY_S, DEVICE_LOGS, MAX_REFUSED, NEW_PER_HOP, REFUSED_S, Admission
from meshnode.core.ids import LogId, channel_id, log_handle
from meshnode.core.records import ContactRecord, DeviceRecord, RefusedRecord, Snapshot
from support.gossip_node import GossipNode, keys_of


def first(text: str = "hello", name: str = "w", channel: str = "valley") -> tuple[LogId, Compact]:
    block = GossipNode(name).write(text, channel_id(channel))
    return block.log, compact_of(block, elide=False)


def admission(node: GossipNode | None = None) -> tuple[GossipNode, Admission]:
    node = node or GossipNode("me")
    return node, Admission(node.ctx, node.rings)


def befriend(node: GossipNode, name: str) -> None:
    keys = keys_of(name)
    node.rings.restore(
        Snapshot(
            records=(
                DeviceRecord(keys.device, keys.persona, b"", b"", b""),
                ContactRecord(keys.persona, name, True, False, 0.0),
            )
        )
    )


def test_a_stranger_gets_two_logs_a_month() -> None:
    node, gate = admission()
    for channel in ("one", "two"):
        log, compact = first(channel=channel)
        assert gate.admits(log, compact, b"hop")
        gate.opened(log, 0.0)
    log, compact = first(channel="three")
    assert not gate.admits(log, compact, b"hop")
    assert gate.refuses(log)
    assert gate.refused() == [log]
    node.ctx.now = 31 * DAY_S
    assert gate.admits(log, compact, b"hop")


def test_a_log_that_is_closed_makes_room() -> None:
    _, gate = admission()
    for channel in ("one", "two"):
        gate.opened(first(channel=channel)[0], 0.0)
    gate.closed(first(channel="one")[0])
    gate.closed(first(name="x")[0])
    assert [list(logs) for logs in gate._of_device.values()] == [[first(channel="two")[0]]]
    assert gate.admits(*first(channel="three"), b"hop")
    gate.closed(first(channel="two")[0])
    assert not gate._of_device, "devices are free to make up"


def test_refused_logs_are_found_by_handle_until_their_day_is_over() -> None:
    node, gate = admission()
    one, other = first(channel="one")[0], first(channel="two")[0]
    gate.refuse(one)
    gate.refuse(other)
    assert gate.refused_as(log_handle(one)) == one
    gate.pardon(one)
    assert gate.refused_as(log_handle(one)) is None
    _, again = admission(node)
    again.restore(Snapshot(records=(RefusedRecord(other, REFUSED_S),)))
    assert again.refused_as(log_handle(other)) == gate.refused_as(log_handle(other)) == other
    node.ctx.now = REFUSED_S
    assert gate.refused_as(log_handle(other)) is None
    twin = LogId(bytes(52))
    gate._named[log_handle(other)][twin] = None  # ground to the same four bytes
    gate._refused[twin] = 2 * REFUSED_S
    assert gate.refused_as(log_handle(other)) == twin
    gate.pardon(other)
    assert gate._named == {log_handle(other): {twin: None}}


def test_a_strangers_first_block_is_small() -> None:
    _, gate = admission()
    assert not gate.admits(*first("x" * 1000), b"hop")
    log, compact = first("y" * 900, channel="other")
    assert gate.admits(log, compact, b"hop")


def test_a_hop_brings_64_new_strangers_a_day() -> None:
    node, gate = admission()
    logs = [first(name=f"w{index}") for index in range(NEW_PER_HOP + 1)]
    assert all(gate.admits(*log, b"hop") for log in logs[:-1])
    assert not gate.admits(*logs[-1], b"hop")
    assert gate.admits(*logs[-1], b"other hop")
    node.ctx.now = DAY_S + 1
    assert gate.admits(*logs[-1], b"hop")


def test_a_restart_is_no_way_around_the_day_of_a_hop() -> None:
    node, gate = admission()
    for index in range(NEW_PER_HOP):
        log = first(name=f"w{index}")
        assert gate.admits(*log, b"hop")
        assert gate.admits(*log, b"parcel 1")  # the next parcel of that number is another one
    facts = [one for effect in node.ctx.out if isinstance(effect, Persist) for one in effect.records]
    node.ctx.now = 3600.0
    _, again = admission(node)
    again.restore(Snapshot(records=tuple(facts)))
    assert again.spent(b"hop")
    assert not again.spent(b"parcel 1")
    node.ctx.now = DAY_S
    assert not again.spent(b"hop")


def test_contacts_have_sixteen_and_then_count_as_strangers() -> None:
    node, gate = admission()
    befriend(node, "w")
    for index in range(DEVICE_LOGS):
        log, compact = first("z" * 2000, channel=str(index))
        assert gate.ring_of(log) == 1
        assert gate.admits(log, compact, b"hop")
        gate.opened(log, 0.0)
    assert gate.ring_of(first(channel="0")[0]) == 1
    assert gate.ring_of(first(channel="one more")[0]) == 3
    assert not gate.admits(*first("z" * 2000, channel="one more"), b"hop")


def test_what_is_refused_is_wanted_again_after_a_day_or_a_pardon() -> None:
    node, gate = admission()
    log, compact = first()
    gate.refuse(log)
    assert not gate.admits(log, compact, b"hop")
    gate.pardon(log)
    gate.pardon(log)
    assert gate.admits(log, compact, b"hop")
    gate.refuse(log)
    node.ctx.now = REFUSED_S
    assert not gate.refuses(log)
    assert gate.refused() == []


def test_the_refused_list_is_bounded_and_on_disk() -> None:
    node, gate = admission()
    for index in range(MAX_REFUSED + 1):
        gate.refuse(LogId(index.to_bytes(52, "big")))
    assert len(gate.refused()) == MAX_REFUSED
    _, restored = admission(node)
    restored.restore(Snapshot(records=(RefusedRecord(LogId(bytes(52)), 100.0),)))
    assert restored.refuses(LogId(bytes(52)))


def test_a_blocked_contact_is_refused() -> None:
    node, gate = admission()
    befriend(node, "w")
    node.rings.contact_set(keys_of("w").persona, True)
    assert not gate.admits(*first(), b"hop")


def test_what_is_refused_stands_on_disk() -> None:
    node, gate = admission()
    log = first()[0]
    gate.refuse(log)
    written = [record for effect in node.ctx.out if isinstance(effect, Persist) for record in effect.records]
    assert written == [RefusedRecord(log, REFUSED_S)]


def test_our_own_logs_are_never_too_many() -> None:
    node, gate = admission()
    for number in range(DEVICE_LOGS + 2):
        gate.opened(node.log(channel_id(str(number))), 0.0)
    assert gate.ring_of(node.log(channel_id("one more"))) == 0


def test_hops_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "MAX_HOPS", 2)
    _, gate = admission()
    for hop in (b"one", b"two", b"one", b"three"):
        assert gate.admits(*first(), hop)
    assert list(gate._new) == [b"one", b"three"]
