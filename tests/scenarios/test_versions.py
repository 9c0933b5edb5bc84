"""Two adjacent versions on one channel, and what is not known yet: carried where that is promised, never acted upon."""

from __future__ import annotations

from dataclasses import replace

from meshnode.core.chain.block import ROOT, compact_of, write_block
from meshnode.core.ids import NeighbourId, log_id
from meshnode.core.records import BlockRecord
from meshnode.core.wire.frames import VERSION, Beacon, BlockFrame, EnvelopeFrame, Unknown
from support.trial_member import hears, say, sealed_as
from support.trial_world import SQUARE, Box, TrialWorld


def _speaks(box: Box, oldest: int, newest: int, *, tail: bool) -> None:
    """A later version: it says so in its beacons, and has more to say in them and beside them."""
    outbox = box.node.outbox
    put = outbox.put

    def later(outgoing):  # type: ignore[no-untyped-def]
        if isinstance(outgoing.frame, Beacon):
            outgoing = outgoing._replace(frame=replace(outgoing.frame, oldest=oldest, newest=newest))
            if tail:
                put(outgoing._replace(frame=Unknown(0x3F, b"news of a later version"), key=b"later"))
        put(outgoing)

    outbox.put = later  # type: ignore[method-assign]


def test_two_adjacent_versions_interoperate() -> None:
    world = TrialWorld(1, loss=0.1)
    a, b, c = world.line("abc")
    _speaks(b, VERSION, VERSION + 1, tail=True)
    world.run(60)
    message, answer = a.write(c, "over a newer relay"), c.write(a, "and back")
    b.post("from the newer one")
    a.post("from the older one")
    world.run(60)
    assert (c.inbox(), a.inbox()) == (["over a newer relay"], ["and back"])
    assert (a.state(message), c.state(answer)) == ("delivered", "delivered")
    assert "from the newer one" in a.posts()
    assert "from the older one" in b.posts()
    assert not any(box.node.counters["datagram_refused"] for box in (a, c))


def test_frames_of_unknown_types_are_skipped() -> None:
    world = TrialWorld(2)
    a, b = world.line("ab")
    world.run(30)
    rows = dict(b.disk.rows)
    for kind in (0x13, 0x17, 0x1F, 0x2F, 0x3F, 0x4F, 0x7F):
        say(a, Unknown(kind, b"\xff" * 40))
        say(a, Unknown(kind, b""), b)
    world.run(1)
    assert {key: row for key, row in b.disk.rows.items() if key[0] is BlockRecord} == {
        key: row for key, row in rows.items() if key[0] is BlockRecord
    }
    message = a.write(b, "and we go on")
    assert world.run(20, until=lambda: a.state(message) == "delivered")


def _odd_block(box: Box, *, kind: int, version: int = 1, body: bytes = b"what may this be") -> BlockFrame:
    log = log_id(box.keys.device, box.keys.incarnation, SQUARE)
    block = write_block(log, 1, ROOT, kind, body, time=0, secret=box.keys.device_secret, sealer=box.node.ctx.sealer)
    assert version == 1
    return BlockFrame(log, compact_of(block, elide=False))


def test_blocks_of_unknown_kinds_are_carried_and_not_shown() -> None:
    world = TrialWorld(3)
    a, b, c = world.line("abc")
    world.run(60)
    odd = _odd_block(a, kind=201)
    hears(b, sealed_as(NeighbourId(b"\0" * 6), 1, 1, [odd]))
    world.run(60)
    for box in (b, c):
        held = [row for row in box.disk.every(BlockRecord) if row.kind == 201]
        assert len(held) == 1
        assert box.posts() == []


def test_envelopes_of_later_versions_are_carried_and_not_opened() -> None:
    world = TrialWorld(4)
    a, b, c = world.line("abc")
    world.run(60)
    message = a.write(c, "known")
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    data = bytes([0xE0]) + bytes([11]) + bytes(3) + b"\0" + b"later-tag!" + bytes(80)
    say(a, EnvelopeFrame(data, 0, 0), b)
    world.run(5)
    assert not c.node.counters["wrong_seal"]
    assert not c.warnings()
    again = a.write(c, "still fine")
    assert world.run(60, until=lambda: a.state(again) == "delivered")


def test_a_datagram_of_another_seal_version_is_dropped() -> None:
    world = TrialWorld(5)
    a, b = world.line("ab")
    world.run(30)
    data = bytearray(a.sent_datagrams[-1].data)
    for version in (0, 2, 31):
        data[0] = version << 3
        hears(b, bytes(data), source="a")
    assert b.node.counters["datagram_refused"] == 3
