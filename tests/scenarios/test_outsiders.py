"""Who has not the mesh secret learns nothing and changes nothing (rules 1.1, 1.2)."""

from __future__ import annotations

from random import Random

from meshnode.core.ids import channel_id
from meshnode.core.inputs import FrameReceived
from meshnode.core.sealing.mesh import closed_mesh, open_mesh, with_secret
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from support.trial_member import hears
from support.trial_world import SQUARE, Box, TrialWorld

WORDS = "the soup is ready at the mill"


def _valley() -> tuple[TrialWorld, list[Box]]:
    world = TrialWorld(1, loss=0.1)
    world.captured = []
    a, b, c = boxes = world.line("abc")
    world.run(60)
    a.write(c, WORDS)
    c.write(a, WORDS + " too")
    b.post(WORDS)
    world.run(120)
    assert c.inbox() == [WORDS]
    return world, boxes


def test_nothing_of_a_person_stands_in_any_datagram() -> None:
    world, boxes = _valley()
    assert world.captured
    air = b"|".join(received.data for *_, received in world.captured)
    secret = [WORDS.encode(), SQUARE, channel_id("square"), b"square", *(box.name.encode() * 3 for box in boxes)]
    for box in boxes:
        keys = box.keys
        for name in (keys.persona, keys.device, keys.node, keys.exchange, keys.certificate, keys.incarnation):
            secret += [name, name[:8] if len(name) > 8 else name]
    for row in boxes[2].node.gossip.logs.book.logs:
        secret += [row, row[:16]]
    assert not [hidden for hidden in secret if hidden in air]


def test_no_persona_key_is_in_a_frame_beside_a_node_key() -> None:
    """Inside the seal, too: a HELLO or a beacon says nothing of who lives there (rule 1.5)."""
    world = TrialWorld(2)
    a, b = world.line("ab")
    plain: list[bytes] = []
    for box in (a, b):
        seal = box.node.outbox.seal

        def tapped(link: str, to: object, plaintext: bytes, seal: object = seal) -> object:
            plain.append(plaintext)
            return seal(link, to, plaintext)  # type: ignore[operator]

        box.node.outbox.seal = tapped  # type: ignore[assignment]
    world.run(60)
    a.write(b, WORDS)
    world.run(60)
    for box in (a, b):
        with_node = [text for text in plain if box.keys.node in text]
        assert with_node
        assert not [text for text in with_node if box.keys.persona in text or box.keys.device in text]


def _state(box: Box) -> object:
    rows = {key: row for key, row in box.disk.rows.items() if "Neighbour" not in key[0].__name__}
    return rows, [n.id for n in box.node.neighbours.bound()], box.inbox(), box.posts(), box.warnings()


def test_a_stranger_changes_nothing() -> None:
    """Everything recorded, flipped, cut and repeated; and frames of meshes under other secrets."""
    world, (a, b, c) = _valley()
    assert world.captured is not None
    captured = [received for *_, received in world.captured]
    world.captured = None
    chance = Random(3)
    other = TrialWorld(5)
    others = [
        other.add(name, mesh=mesh)
        for name, mesh in (("x", closed_mesh("valley", b"\1" * 32)), ("y", open_mesh("valley")))
    ]
    foreign: list[FrameReceived] = []
    other.captured = []
    other.join("x", "y")
    other.run(30)
    for box in others:
        foreign += [FrameReceived("halow0", "fe80::x", True, send.data) for send in box.sent_datagrams]
    world.run(600)
    before, sent = _state(b), len(b.sent_datagrams)
    bound = len(b.node.neighbours.bound())
    for received in captured * 12:
        data = bytearray(received.data)
        match chance.randrange(4):
            case 0:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                del data[chance.randrange(len(data)) :]
            case 2:
                data[1:7] = b.node.neighbours.me
            case _:
                pass
        hears(b, bytes(data), source="x", multicast=received.multicast)
    for received in foreign:
        hears(b, received.data, source="x", multicast=True)
    hears(b, b"", source="x")
    hears(b, bytes(1_000_000), source="x")
    assert _state(b) == before
    assert len(b.node.neighbours.bound()) == bound
    assert len(b.sent_datagrams) <= sent + 20
    assert b.node.counters["datagram_refused"] > 300
    message = a.write(c, "as before")
    assert world.run(60, until=lambda: "as before" in c.inbox())
    assert message


def test_two_meshes_on_one_channel_do_not_meet() -> None:
    world = TrialWorld(4)
    a = world.add("a", mesh=closed_mesh("one", SeededEntropy("one").take("secret", 32)))
    b = world.add("b", mesh=closed_mesh("two", SeededEntropy("two").take("secret", 32)))
    world.join("a", "b")
    a.post("for ours")
    world.run(300)
    assert not a.node.neighbours.bound()
    assert not b.node.gossip.logs.book.logs.keys() & a.node.gossip.logs.book.logs.keys()
    assert SeededSealer(1).new_prekey() != SeededSealer(2).new_prekey()


def test_after_a_new_secret_who_has_only_the_old_one_is_out() -> None:
    """During the overlap both are understood; what is sealed with the new one is not for the removed."""
    old = closed_mesh("valley", b"\7" * 32)
    new = with_secret(old, 1, b"\x08" * 32)
    world = TrialWorld(6)
    a, b, gone = world.add("a", mesh=new), world.add("b", mesh=new), world.add("g", mesh=old)
    for one, other in (("a", "b"), ("a", "g"), ("b", "g")):
        world.join(one, other)
    for box in (a, b, gone):
        box.joins()
    world.run(60)
    a.post("for those who stay")
    world.run(60)
    assert b.posts() == ["for those who stay"]
    assert gone.posts() == []
