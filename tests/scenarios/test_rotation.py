"""A mesh gets a new secret while its nodes run: nobody is cut off who holds both, whichever they speak under."""

from __future__ import annotations

import pytest

from meshnode.core.sealing.mesh import MeshKeys, closed_mesh, with_current, with_secret, without_secret
from support.trial_world import Box, TrialWorld

OLD = closed_mesh("valley", bytes(range(32)))
BOTH = with_secret(OLD, 1, b"\x08" * 32)
STILL_ON_THE_OLD, ALREADY_ON_THE_NEW = with_current(BOTH, 0), BOTH
NEWCOMER = closed_mesh("valley", b"\x08" * 32, 1, BOTH.carried_roots)


def pair(one: MeshKeys, other: MeshKeys) -> tuple[TrialWorld, Box, Box]:
    world = TrialWorld(3)
    a, b = world.add("a", mesh=one), world.add("b", mesh=other)
    world.join("a", "b")
    for box, peer in ((a, b), (b, a)):
        box.joins()
        box.knows(peer)
    world.run(60)
    return world, a, b


def restart(box: Box, mesh: MeshKeys) -> None:
    box.off()
    box.mesh = mesh
    box.boot()


def talk(world: TrialWorld, a: Box, b: Box, word: str) -> None:
    """Posts, messages with their proofs and receipts, both ways, and then silence: all agree."""
    sent, back = a.write(b, f"{word} to b"), b.write(a, f"{word} to a")
    a.post(f"{word} by a")
    b.post(f"{word} by b")
    world.run(120)
    assert (a.state(sent), b.state(back)) == ("delivered", "delivered")
    assert f"{word} by a" in b.posts()
    assert f"{word} by b" in a.posts()
    assert a.node.gossip.logs.digest() == b.node.gossip.logs.digest()
    assert [len(box.node.neighbours.bound()) for box in (a, b)] == [1, 1]
    assert [box.node.counters["custody_proof_false"] for box in (a, b)] == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STILL_ON_THE_OLD, ALREADY_ON_THE_NEW),
        (ALREADY_ON_THE_NEW, STILL_ON_THE_OLD),
        (STILL_ON_THE_OLD, OLD),
        (ALREADY_ON_THE_NEW, NEWCOMER),
        (ALREADY_ON_THE_NEW, without_secret(BOTH, 0)),
    ],
)
def test_strangers_meet_across_two_secrets(one: MeshKeys, other: MeshKeys) -> None:
    talk(*pair(one, other), "hello")


def test_a_rotation_step_by_step_cuts_nobody_off() -> None:
    world, a, b = pair(OLD, OLD)
    ids = [box.node.neighbours.me for box in (a, b)]
    for step, (box, mesh) in enumerate(
        [
            (a, STILL_ON_THE_OLD),
            (b, STILL_ON_THE_OLD),
            (b, ALREADY_ON_THE_NEW),
            (a, ALREADY_ON_THE_NEW),
            (a, without_secret(BOTH, 0)),
            (b, without_secret(BOTH, 0)),
        ]
    ):
        restart(box, mesh)
        world.run(60)
        talk(world, a, b, f"step {step}")
    assert [box.node.neighbours.me for box in (a, b)] == ids


def test_custody_is_proved_across_two_secrets() -> None:
    world = TrialWorld(3)
    a, b = world.add("a", mesh=STILL_ON_THE_OLD), world.add("b", mesh=ALREADY_ON_THE_NEW)
    away = world.add("c", mesh=STILL_ON_THE_OLD)
    world.join("a", "b")
    world.join("b", "c")
    for box in (a, b, away):
        box.knows(*(other for other in (a, b, away) if other is not box))
    world.run(120)
    world.part("b", "c")
    world.run(300)
    sent = a.write(away, "by way of b")
    world.run(60)
    assert a.state(sent) == "carried"
    assert a.node.counters["custody_proof_false"] == 0
