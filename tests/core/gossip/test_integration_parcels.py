"""A parcel for one contact: what others wrote and what may be theirs, not what they wrote themselves."""

from __future__ import annotations

from meshnode.core.chain.block import ROOT, parse_content_untrusted, write_block
from meshnode.core.chain.fork import prove
from meshnode.core.identity.keys import Keys
from meshnode.core.ids import log_device, log_id
from meshnode.core.records import BlockRecord, EnvelopeRecord, PeerPrekeyRecord
from meshnode.core.sealing.envelope import read_envelope_untrusted
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import BlockFrame, EnvelopeFrame, ForkFrame, Frame, Receipts, Run
from support.trial_world import SQUARE, Box, TrialWorld


def exported(box: Box, **limits: object) -> list[Frame]:
    records = box.export(**limits)
    box.world.run(1)
    return [frame for record in records for frame in decode_frames_untrusted(record)]


def devices_in(frames: list[Frame]) -> set[bytes]:
    return {log_device(frame.log) for frame in frames if isinstance(frame, Run | BlockFrame)}  # type: ignore[arg-type]


def envelopes_in(frames: list[Frame]) -> list[bytes]:
    return [frame.data for frame in frames if isinstance(frame, EnvelopeFrame)]


def a_village() -> tuple[TrialWorld, Box, Box, Box]:
    world = TrialWorld(1)
    a, b, c = world.line("abc")
    world.run(60)
    a.post("by a")
    b.post("by b")
    c.post("by c")
    world.run(60)
    for one, other in ("ab", "bc"):
        world.part(one, other)
    world.run(700)
    return world, a, b, c


def hands_out(box: Box, other: Keys, hint: int) -> None:
    """As a large mesh does: what the other's prekey says of where it lives."""
    prekeys = box.node.chat.people._prekeys
    known = prekeys[other.device]
    prekeys[other.device] = PeerPrekeyRecord(
        known.device, known.incarnation, known.block, known.seq, known.public, hint, known.made, known.open_until
    )


def test_a_parcel_for_a_contact_leaves_out_what_they_wrote() -> None:
    world, a, b, c = a_village()
    everything, theirs = exported(a), exported(a, to=c.keys.persona)
    assert devices_in(everything) == {box.keys.device for box in (a, b, c)}
    assert devices_in(theirs) == {a.keys.device, b.keys.device}
    assert any(isinstance(frame, Receipts) for frame in everything) == any(isinstance(f, Receipts) for f in theirs)
    world.run(1)


def test_a_parcel_for_a_contact_holds_the_envelopes_that_may_be_theirs() -> None:
    world, a, b, c = a_village()
    to_c = a.write(c, "no hint")
    hands_out(a, c.keys, 7)
    hands_out(a, b.keys, 9)
    a.write(c, "for c")
    a.write(b, "for b")
    world.run(1)
    assert len(a.disk.every(EnvelopeRecord)) == 3
    hints = lambda frames: sorted(read_envelope_untrusted(data).hint for data in envelopes_in(frames))  # noqa: E731
    assert hints(exported(a)) == [0, 7, 9]
    assert hints(exported(a, to=c.keys.persona)) == [0, 7]
    records = a.export(to=c.keys.persona)
    world.run(1)
    c.import_(records)
    assert sorted(c.inbox(a)) == ["for c", "no hint"]
    back = c.export(to=a.keys.persona)
    world.run(1)
    a.import_(back)
    assert a.state(to_c) == "delivered"


def test_since_limits_envelopes_and_blocks() -> None:
    world, a, _, c = a_village()
    a.write(c, "before")
    world.run(10)
    moment = a.now
    world.run(10)
    a.write(c, "after")
    a.post("late")
    frames = exported(a, since=moment)
    assert len(envelopes_in(frames)) == 1
    late = log_id(a.keys.device, a.keys.incarnation, SQUARE)
    assert {frame.log for frame in frames if isinstance(frame, Run | BlockFrame)} == {late}


def test_a_proof_of_a_split_travels_in_a_parcel() -> None:
    world, a, b, c = a_village()
    (log,) = {row.log for row in b.disk.every(BlockRecord) if log_device(row.log) == c.keys.device and row.kind == 1}
    row, sealer = a.disk.get(BlockRecord, log, 1), a.node.ctx.sealer
    held = parse_content_untrusted(row.content, row.signature, sealer)
    other = write_block(log, 1, ROOT, 1, b"another", time=0, secret=c.keys.device_secret, sealer=sealer)
    a.node.gossip.forks._convict(prove(held, other), b"")
    for frames in (exported(a), exported(a, to=c.keys.persona)):
        assert [frame.log for frame in frames if isinstance(frame, ForkFrame)] == [log]
    records = a.export()
    world.run(1)
    b.import_(records)
    assert b.node.gossip.logs.book.logs[log].forked
