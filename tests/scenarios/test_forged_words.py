"""Words in a neighbour's name: whatever a member says there, only the neighbour itself and its silence end a binding.

The liar holds the mesh key and hears everything; what it says reaches one box alone, where its owner cannot hear it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshnode.core.neighbours import table as table_module
from meshnode.core.neighbours.echoes import BOUND_FOR_S, echo_hash, seal_echoes
from meshnode.core.neighbours.roster import SILENT_S
from meshnode.core.notices import NeighbourChanged
from meshnode.core.sealing.link import COUNTER_END
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import VERSION, Beacon, Echo, Frame
from support.trial_member import hears, neighbour, sealed_as
from support.trial_world import LINK, MESH, Box, TrialWorld

ALONE = Beacon(1, VERSION, 4, bytes(8), bytes(4))  # hears nobody, and asks who is there


def line(seed: int) -> tuple[TrialWorld, Box, Box]:
    """Two in the middle of four, bound and settled."""
    world = TrialWorld(seed)
    _, a, b, _ = world.line("dabc")
    world.run(60)
    return world, a, b


def lost(box: Box) -> list[NeighbourChanged]:
    return [told for told in box.told(NeighbourChanged) if told.state == "lost"]


def last_beacon(box: Box) -> tuple[bytes, Beacon]:
    """Nonce and content of the last beacon a box sent to all, as every member hears it."""
    seal = box.node.neighbours._seal
    for send in reversed([send for send in box.sent_datagrams if send.to is None]):
        plaintext = box.node.ctx.sealer.aead_open(MESH.link, send.data[1:13], send.data[13:], b"mn-link-v1\x08\0")
        for frame in decode_frames_untrusted(plaintext or b""):
            if isinstance(frame, Beacon):
                return send.data[1:13], frame
    raise AssertionError(f"{box.name} in epoch {seal.epoch} sent no beacon")


def lie(to: Box, of: Box, counter: int, *frames: Frame) -> None:
    """A datagram in the name of one reaches the other."""
    name = of.node.neighbours.me
    hears(to, sealed_as(name, of.node.neighbours._seal.epoch, counter, frames), source=of.name)


def far_ahead(to: Box, of: Box, turn: int) -> None:
    lie(to, of, COUNTER_END - 2 - turn % 2, ALONE)


def just_before_it(to: Box, of: Box, turn: int) -> None:
    """Under the very numbers its owner uses next."""
    ahead = of.node.neighbours._seal._counter
    for counter in range(ahead, ahead + 3):
        lie(to, of, counter, ALONE)


def with_its_own_echoes(to: Box, of: Box, turn: int) -> None:
    """What it said last, carried into a datagram far ahead."""
    lie(to, of, 1_000_000 + turn, last_beacon(of)[1])


def as_version_1(to: Box, of: Box, turn: int) -> None:
    """Its echo is a hash that everyone can make."""
    echo = Echo(to.node.neighbours.me[:2], echo_hash(last_beacon(to)[0]))
    lie(to, of, 900_000 + turn, Beacon(1, 1, 0, bytes(8), bytes(4), (echo,)))


Lie = Callable[[Box, Box, int], None]


@pytest.mark.parametrize("tell", [far_ahead, just_before_it, with_its_own_echoes, as_version_1])
def test_a_member_that_talks_in_both_names_parts_nobody(tell: Lie) -> None:
    world, a, b = line(1)
    for turn in range(70):
        tell(b, a, turn)
        tell(a, b, turn)
        world.run(10)
    assert not lost(a)
    assert not lost(b)
    assert (a.node.neighbours._seal.epoch, b.node.neighbours._seal.epoch) == (1, 1)
    a.post("said to all")
    assert world.run(5, until=lambda: b.posts() == ["said to all"])


def test_one_lie_shuts_out_nothing_that_its_owner_says() -> None:
    world, a, b = line(2)
    far_ahead(b, a, 0)
    refused = b.node.counters["datagram_replayed"]
    world.run(SILENT_S)
    assert b.node.counters["datagram_replayed"] == refused
    assert not b.node.counters["epoch_raised_unheard"]
    nonce, _ = last_beacon(a)
    assert neighbour(b, a).presences[LINK].last_beacon_nonce == nonce


def test_a_replay_of_all_that_was_said_parts_nobody() -> None:
    world, a, b = line(3)
    world.captured = []
    world.run(120)
    recorded = [(target, received) for _, _, target, received in world.captured]
    world.captured = None
    for _ in range(4):
        for target, received in recorded:
            hears(world.boxes[target], received.data, multicast=received.multicast)
        world.run(SILENT_S)
    assert not lost(a)
    assert not lost(b)


def test_the_silence_of_the_neighbour_itself_ends_it_whoever_goes_on_in_its_name() -> None:
    world, a, b = line(4)
    _, said = last_beacon(a)
    a.off()
    for turn in range(int((BOUND_FOR_S + SILENT_S) / 10)):
        lie(b, a, 5000 + turn, said)
        as_version_1(b, a, turn)
        world.run(10)
    assert lost(b)
    assert neighbour(b, a) not in b.node.neighbours.bound()


def test_who_is_silent_is_asked_three_times_and_lost_when_it_was_to_be_lost() -> None:
    world, a, b = line(5)
    heard_at = neighbour(b, a).presences[LINK].heard_at
    a.off()
    sent = len([send for send in b.sent_datagrams if send.to == "fe80::a"])
    assert world.run(SILENT_S + 5, until=lambda: bool(lost(b)))
    assert b.now - heard_at == pytest.approx(SILENT_S, abs=1)
    assert len([send for send in b.sent_datagrams if send.to == "fe80::a"]) - sent == 3


def test_who_only_falls_silent_to_all_is_kept_by_its_answer() -> None:
    """Its beacons are lost on the way; what is meant for one alone is repeated until it is heard."""
    world, a, b = line(6)
    deliver = world._deliver

    def deaf(box: Box, target: str, send: object, delay: float) -> None:
        if not (box is a and target == "b" and getattr(send, "to", "") is None):
            deliver(box, target, send, delay)  # type: ignore[arg-type]

    world._deliver = deaf  # type: ignore[method-assign]
    world.run(2 * BOUND_FOR_S)
    assert not lost(a)
    assert not lost(b)


# beside the release before


def speaks_version_1(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beacons say so, and it neither seals an echo nor knows one that is sealed."""
    put, take = box.node.outbox.put, box.node.neighbours._receiver._beacon

    def earlier(outgoing):  # type: ignore[no-untyped-def]
        beacon = isinstance(outgoing.frame, Beacon)
        put(outgoing._replace(frame=replace(outgoing.frame, newest=1)) if beacon else outgoing)

    def plainly(sender, presence, link, header, beacon):  # type: ignore[no-untyped-def]
        take(sender, presence, link, header, replace(beacon, newest=1))

    def of_its_version(beacon, *rest):  # type: ignore[no-untyped-def]
        return beacon if beacon.newest == 1 else seal_echoes(beacon, *rest)

    box.node.outbox.put = earlier  # type: ignore[method-assign]
    box.node.neighbours._receiver._beacon = plainly  # type: ignore[method-assign]
    monkeypatch.setattr(table_module, "seal_echoes", of_its_version)


def test_a_node_of_version_1_and_its_neighbours_understand_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = TrialWorld(7)
    a, b, c = world.line("abc")
    speaks_version_1(b, monkeypatch)
    world.run(30)
    for box in (a, c):
        assert neighbour(b, box) in b.node.neighbours.bound()
        assert neighbour(box, b) in box.node.neighbours.bound()
        assert not neighbour(box, b).seals_echoes
    message = a.write(c, "over an older relay")
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    for turn in range(10):
        far_ahead(a, b, turn)
        world.run(90)
    assert not any(lost(box) for box in (a, b, c)), "a question under the pairwise key is understood"


def test_who_goes_back_to_version_1_is_believed_again_in_its_next_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    world, a, b = line(8)
    assert neighbour(a, b).seals_echoes
    b.off()
    b.boot()
    speaks_version_1(b, monkeypatch)
    world.run(30)
    assert neighbour(a, b) in a.node.neighbours.bound()
    assert not neighbour(a, b).seals_echoes
