"""Members that lie: nothing they say makes a message disappear, or counts as a promise somebody else gave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.ids import NeighbourId, Receipt
from meshnode.core.neighbours.echoes import echo_hash
from meshnode.core.records import ROLE_OWN, EnvelopeRecord, HandoverRecord, TombstoneRecord
from meshnode.core.wire.frames import (
    Beacon,
    Echo,
    EnvelopeFrame,
    Handover,
    Need,
    Offer,
    Proof,
    Proofs,
    Receipts,
    Took,
    TookProof,
)
from support.trial_member import hears, neighbour, say, sealed_as
from support.trial_world import Box, TrialWorld


def _valley(seed: int) -> tuple[TrialWorld, Box, Box, Box, Box]:
    """a - b - c in a line, and a liar m whom all three hear."""
    world = TrialWorld(seed)
    a, b, c = world.line("abc")
    m = world.add("m")
    for name in "abc":
        world.join("m", name)
    world.run(60)
    assert len(m.node.neighbours.bound()) == 3
    return world, a, b, c, m


def _own(box: Box) -> EnvelopeRecord:
    (row,) = [row for row in box.disk.every(EnvelopeRecord) if row.role == ROLE_OWN]
    return row  # type: ignore[no-any-return]


def _waiting(world: TrialWorld, a: Box, c: Box) -> tuple[bytes, EnvelopeRecord]:
    """A message of A that waits for C, who is away."""
    c.off()
    world.run(5)
    message = a.write(c, "for C alone")
    world.run(20)
    return message, _own(a)


def _arrives(world: TrialWorld, a: Box, c: Box, message: bytes) -> None:
    c.boot()
    assert world.run(180, until=lambda: c.inbox() == ["for C alone"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")  # type: ignore[arg-type]


def test_a_forged_receipt_purges_nothing() -> None:
    world, a, _, c, m = _valley(1)
    message, envelope = _waiting(world, a, c)
    for number in range(300):
        say(m, Receipts(tuple(Receipt(bytes([number % 256, n]) * 8) for n in range(8))))
        say(m, Receipts((Receipt(envelope.tag + bytes(6)),)), a)
        world.run(0.1)
    assert a.disk.get(EnvelopeRecord, envelope.id)
    assert not a.disk.every(TombstoneRecord)
    assert sum(len(held) for held in a.node.forwarding._receipts._loose.values()) <= 256 * 2
    _arrives(world, a, c, message)


def test_false_custody_claims_move_no_copy() -> None:
    world, a, _, c, m = _valley(2)
    message, envelope = _waiting(world, a, c)
    copies = _own(a).copies
    proved = len(a.disk.every(HandoverRecord))
    state = a.node.why(message)  # type: ignore[arg-type]
    for number in range(50):
        mac = number.to_bytes(8, "big")
        say(m, Proofs((Proof(envelope.id[:4], mac),)), a)
        giver = a.node.neighbours.me[:2]
        say(m, EnvelopeFrame(envelope.data, 0, 1, TookProof(giver, mac)))
        say(m, EnvelopeFrame(envelope.data, 0, 1, TookProof(giver, mac)), a)
        say(m, Took((envelope.id,)), a)
        world.run(0.2)
    assert _own(a).copies == copies
    assert len(a.disk.every(HandoverRecord)) == proved
    assert a.node.why(message) == state  # type: ignore[arg-type]
    assert a.node.counters["custody_proof_false"] + a.node.counters["custody_proof_unasked"] > 0
    _arrives(world, a, c, message)


def test_an_overheard_copy_delays_and_no_more() -> None:
    """The liar repeats every envelope it hears, to silence those who would send it on."""
    world, a, _, c, m = _valley(3)
    heard: list[EnvelopeFrame] = []
    m.settings = replace(m.settings, carry_for_others=False)
    arrived = m.node.forwarding.envelope_arrived
    m.node.forwarding.envelope_arrived = lambda frame, came: (heard.append(frame), arrived(frame, came))[1]  # type: ignore[method-assign,func-returns-value]
    messages = []
    for number in range(10):
        messages.append(a.write(c, f"number {number}"))
        for _ in range(20):
            world.run(0.05)
            while heard:
                say(m, replace(heard.pop(), proof=None, handovers=()))
    assert world.run(120, until=lambda: len(c.inbox()) == 10)
    assert world.run(60, until=lambda: {a.state(message) for message in messages} == {"delivered"})


def test_a_right_tag_with_a_wrong_seal_burns_nothing() -> None:
    world, a, b, c, m = _valley(4)
    first = a.write(c, "a session begins")
    assert world.run(60, until=lambda: a.state(first) == "delivered")
    message, envelope = _waiting(world, a, c)
    c.boot()
    rubbish = envelope.data[:16] + bytes(len(envelope.data) - 16)
    for _ in range(5):
        say(m, EnvelopeFrame(rubbish, 0, 8, handovers=(Handover(c.node.neighbours.me[:2], 4, 0),)), c)
        say(m, EnvelopeFrame(rubbish, 0, 8, handovers=(Handover(b.node.neighbours.me[:2], 4, 0),)), b)
        world.run(1)
    assert world.run(180, until=lambda: "for C alone" in c.inbox())
    assert world.run(60, until=lambda: a.state(message) == "delivered")  # type: ignore[arg-type]
    assert c.node.counters["wrong_seal"] > 0


def test_a_replayed_beacon_makes_no_neighbour() -> None:
    world, a, b, c, _ = _valley(5)
    world.captured = []
    world.run(300)
    old = [received for _, source, target, received in world.captured if (source, target) == ("c", "b")]
    assert len(old) > 2
    c.off()
    message, _ = _waiting(world, a, c)
    world.run(700)
    assert neighbour(b, c) not in b.node.neighbours.bound()
    b.cut()
    b.boot()
    for received in old:
        hears(b, received.data, source="c", multicast=received.multicast)
        world.run(1)
    assert neighbour(b, c) not in b.node.neighbours.bound()
    _arrives(world, a, c, message)


def test_forged_echoes_and_digests_keep_nobody_busy() -> None:
    """A beacon under another's id with any digest; and the liar's own, different each time: no more out than in."""
    world, a, b, c, m = _valley(6)
    before = {box.name: box.sent_bytes for box in (a, b, c, m)}
    for number in range(600):
        nonce = number.to_bytes(12, "big")
        echoes = tuple(Echo(box.node.neighbours.me[:2], echo_hash(nonce)) for box in (a, b, c))
        beacon = Beacon(1, 1, 4, number.to_bytes(8, "big"), number.to_bytes(4, "big"), echoes)
        say(m, beacon)
        forged = sealed_as(NeighbourId(c.node.neighbours.me), 1, 5000 + number, [beacon])
        hears(b, forged, source="c")
        world.run(1)
    for box in (a, b, c):
        assert box.sent_bytes - before[box.name] < 1.5 * (m.sent_bytes - before["m"]), box.name
    message = a.write(c, "all the same")
    assert world.run(300, until=lambda: c.inbox() == ["all the same"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_a_forged_link_id_silences_nobody_for_good() -> None:
    """With the mesh key anybody can seal under any id, far ahead of its owner's counters."""
    world, a, b, c, _ = _valley(7)
    world.part("m", "a")
    me = NeighbourId(a.node.neighbours.me)
    for epoch, counter in ((1, (1 << 24) - 1), (9, 0), ((1 << 24) - 1, (1 << 24) - 1)):
        hears(b, sealed_as(me, epoch, counter, [Offer((b"123456",))]), source="a")
    message = a.write(c, "still heard")
    assert world.run(400, until=lambda: c.inbox() == ["still heard"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    world.run(600)
    later = c.write(a, "and back")
    assert world.run(120, until=lambda: a.inbox() == ["and back"])
    assert world.run(60, until=lambda: c.state(later) == "delivered")


def test_offers_and_needs_of_nothing() -> None:
    world, a, _, c, m = _valley(8)
    message, envelope = _waiting(world, a, c)
    for number in range(100):
        shorts = tuple(bytes([number, n, 0, 0, 0, 0]) for n in range(50))
        say(m, Offer(shorts), a)
        say(m, Need(shorts), a)
        say(m, Need((envelope.id[:6],) * 50), a)
        world.run(0.5)
    assert a.disk.get(EnvelopeRecord, envelope.id)
    _arrives(world, a, c, message)


def test_a_liar_that_takes_every_copy_and_drops_it() -> None:
    """It proves custody and forgets: the author keeps its own, and the flood goes past it."""
    world, a, _, c, m = _valley(9)
    message, _ = _waiting(world, a, c)
    m.disk.drop(EnvelopeRecord)
    m.cut()
    _arrives(world, a, c, message)


@pytest.mark.parametrize("claim", [31, 255])
def test_copies_are_a_claim(claim: int) -> None:
    """They are clamped to the class, never raised, and taken once."""
    world, a, b, c, m = _valley(10)
    message, envelope = _waiting(world, a, c)
    fake = envelope.data[:6] + b"\x55" * 10 + envelope.data[16:]
    for _ in range(3):
        copies = min(claim, 31)
        say(m, EnvelopeFrame(fake, 0, claim, handovers=(Handover(b.node.neighbours.me[:2], copies, 0),)), b)
        world.run(2)
    assert max(row.copies for row in b.disk.every(EnvelopeRecord)) <= 16
    _arrives(world, a, c, message)
