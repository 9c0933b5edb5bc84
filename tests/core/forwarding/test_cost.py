"""What an envelope costs a relay, in calls: in a dense place most of what comes was heard before from somebody else."""

from __future__ import annotations

from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.wire.frames import EnvelopeFrame
from support.calls import calls
from support.valley import LINK, Valley


def test_a_copy_heard_again_takes_a_short_way() -> None:
    valley = Valley(imax_s=1e9)
    a, b, c = valley.line("abc")
    valley.beacons = False
    for number in range(20):
        valley.deliver(a, b, EnvelopeFrame(bytes((1 << 6 | 2, 11)) + bytes([number]) * 158, 0, 3))
    (first, *_) = b.forwarding.shelf
    again = EnvelopeFrame(first.record.data, 0, 2)
    neighbour = b.neighbours.of(c)
    heard = Heard(neighbour.id, neighbour, True, LINK, "", True, (again,))
    first.committed = True  # ours will leave, whatever is heard: nobody is asked who still needs it
    spent = b.step(lambda: calls(lambda: b.forwarding.frame_arrived(again, heard)))
    assert spent < 19, "17 when this was written, 31 before"
    assert neighbour.node in first.has
    assert neighbour.node in first.heard
