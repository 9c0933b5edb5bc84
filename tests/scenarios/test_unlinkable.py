"""No two envelopes of a pair share a field that others can read, beside the few that all share (rule 1.1)."""

from __future__ import annotations

from itertools import combinations

from meshnode.core.records import EnvelopeRecord
from meshnode.core.wire.frames import EnvelopeFrame
from support.trial_world import Box, TrialWorld

COMMON = 6  # ver/kind/class, lifetime, created (3), hint


def _carried(world: TrialWorld, relay: Box) -> list[bytes]:
    """Every envelope a relay saw."""
    seen: dict[bytes, None] = {}
    arrived = relay.node.forwarding.envelope_arrived

    def noting(frame: EnvelopeFrame, heard: object) -> None:
        seen[frame.data] = None
        arrived(frame, heard)  # type: ignore[arg-type]

    relay.node.forwarding.envelope_arrived = noting  # type: ignore[assignment]
    a, c = world.boxes["a"], world.boxes["c"]
    for _ in range(15):
        a.write(c, "the same words")
        c.write(a, "the same words")
        world.run(3)
    world.run(60)
    assert len(seen) >= 30
    return list(seen)


def _shared(one: bytes, other: bytes, size: int) -> bool:
    """Do two envelopes have `size` bytes in common anywhere beyond the common fields?"""
    pieces = {one[at : at + size] for at in range(COMMON, len(one) - size + 1)}
    return any(other[at : at + size] in pieces for at in range(COMMON, len(other) - size + 1))


def test_envelopes_of_a_pair_have_nothing_in_common() -> None:
    world = TrialWorld(1)
    world.line("abc")
    world.run(60)
    envelopes = _carried(world, world.boxes["b"])
    for one, other in combinations(envelopes, 2):
        assert not _shared(one, other, 5)
    assert len({data[:COMMON] for data in envelopes if len(data) < 400}) <= 2  # messages; both ways look alike


def test_the_common_fields_say_nothing_of_the_pair() -> None:
    """Another pair with the same words on the same day: header bytes and lengths are the same."""
    shapes = []
    for seed in (1, 2):
        world = TrialWorld(seed)
        world.line("abc")
        world.run(60)
        envelopes = _carried(world, world.boxes["b"])
        shapes.append(sorted({(data[:COMMON], len(data)) for data in envelopes}))
    assert shapes[0] == shapes[1]


def test_sender_and_recipient_are_in_no_envelope() -> None:
    world = TrialWorld(3)
    a, b, c = world.line("abc")
    world.run(60)
    envelopes = _carried(world, b)
    for box in (a, c):
        keys = box.keys
        for name in (keys.persona, keys.device, keys.node, keys.incarnation, keys.certificate[:16]):
            assert not [data for data in envelopes if name in data]
    assert not [row for row in b.disk.every(EnvelopeRecord) if b"the same words" in row.data]
