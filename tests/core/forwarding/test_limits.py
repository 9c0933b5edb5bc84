"""Tables that a member could fill at will end somewhere, the oldest going first."""

from __future__ import annotations

import pytest

from meshnode.core.forwarding import receipts, shelf
from meshnode.core.ids import NodeKey, Receipt, Tag
from meshnode.core.records import SeenRecord, TombstoneRecord
from meshnode.core.sealing.envelope import receipt_tag
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Receipts
from support.trial_member import say
from support.trial_world import TrialWorld


def test_envelopes_with_their_receipts_at_will(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MAX_PASSING", 40)
    monkeypatch.setattr(shelf, "MAX_SEEN", 50)
    world = TrialWorld(1)
    a, m = world.line("am")
    world.run(60)
    mine = m.write(a, "kept all the while")
    assert world.run(60, until=lambda: m.state(mine) == "delivered")
    handover = (Handover(a.node.neighbours.me[:2], 1, 0),)
    for number in range(120):
        receipt = Receipt(number.to_bytes(16, "big"))
        data = bytes([0x42, 11, 0, 0, 0, 0]) + receipt_tag(receipt) + bytes(40)
        say(m, EnvelopeFrame(data, 0, 1, None, handover), a)
        world.run(0.2)
        say(m, Receipts((receipt,)), a)
        world.run(0.2)
    assert len(a.node.forwarding._receipts._tombstones) <= 41
    assert len(a.disk.every(TombstoneRecord)) <= 41
    assert len(a.node.forwarding.shelf._seen) <= 50
    assert len(a.disk.every(SeenRecord)) <= 50
    assert a.inbox() == ["kept all the while"]
    assert a.node.counters["tombstones_too_many"] >= 79
    a.disk.sync()
    a.cut()
    a.boot()
    world.run(60)
    assert a.node.forwarding._receipts.known(receipt_tag(Receipt((119).to_bytes(16, "big")))) is not None


def test_ways_that_are_dark_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MAX_UNTOLD", 2)
    monkeypatch.setattr(receipts, "_MAX_UNTOLD_NODES", 2)
    told = TrialWorld(2).add("a").node.forwarding._receipts
    for node in (b"one", b"two", b"three"):
        for tag in (b"first", b"second", b"third"):
            told._owe(NodeKey(node), Tag(tag))
    assert told._untold == {node: {b"second": None, b"third": None} for node in (b"two", b"three")}
