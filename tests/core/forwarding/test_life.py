"""How long envelopes live: by age on clockless boards, by date where it is known, ten minutes in passing."""

from __future__ import annotations

from meshnode.core.clock import EPOCH_2026, WallClock
from meshnode.core.forwarding.shelf import TRANSIT_S
from meshnode.core.ids import hashed
from meshnode.core.neighbours.neighbour import Heard
from meshnode.core.records import ROLE_CUSTODY, EnvelopeRecord
from meshnode.core.wire.frames import EnvelopeFrame, Handover, Receipts
from support.valley import Box, Valley

DAY_S = 86400.0
TODAY_MIN = 300 * 1440


def sealed(number: int, *, lifetime: int = 11, created: int = 0) -> bytes:
    head = bytes((1 << 6 | 2, lifetime)) + created.to_bytes(3, "big") + bytes(1)
    return head + hashed(b"test-tag", number.to_bytes(4, "big"), 10) + bytes(128)


def pair() -> tuple[Valley, Box, Box]:
    valley = Valley(imax_s=1e9)
    a, b = valley.line("ab")
    valley.beacons = False
    return valley, a, b


def hand(valley: Valley, giver: Box, taker: Box, data: bytes, age: int = 0, copies: int = 1) -> None:
    handover = Handover(taker.neighbours.me[:2], copies, 0)
    valley.deliver(giver, taker, EnvelopeFrame(data, age, 0, None, (handover,)))


def test_without_a_clock_age_decides() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1), age=13 * 1440)
    valley.run(DAY_S - 60)
    assert len(b.forwarding.shelf) == 1
    valley.run(120)
    assert len(b.forwarding.shelf) == 0
    assert not b.rows.every(EnvelopeRecord)


def test_each_carrier_adds_its_own_residence() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(b, c)
    hand(valley, a, b, sealed(1), age=100, copies=4)
    valley.part(a, b)
    valley.run(3600.0)
    valley.reboot(b)
    valley.run(3600.0)
    valley.join(b, c)
    valley.run(30.0)
    (record,) = c.rows.every(EnvelopeRecord)
    assert 219 <= record.age <= 221


def test_what_is_over_on_arrival_is_not_taken() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1), age=14 * 1440)
    assert len(b.forwarding.shelf) == 0
    assert b.ctx.counters["envelope_expired"] == 1


def test_the_larger_remaining_life_counts_but_never_beyond_one_lifetime() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1), age=13 * 1440)
    start = valley.now
    hand(valley, a, b, sealed(1), age=0)
    (record,) = b.rows.every(EnvelopeRecord)
    assert record.expires_at == start + 14 * DAY_S
    valley.run(10 * DAY_S)
    hand(valley, a, b, sealed(1), age=0)
    (record,) = b.rows.every(EnvelopeRecord)
    assert record.expires_at == start + 14 * DAY_S


def test_with_the_date_known_it_ends_by_date_too() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1, created=TODAY_MIN - 13 * 1440), age=0)
    valley.run(DAY_S / 2)
    assert len(b.forwarding.shelf) == 1
    valley.date(EPOCH_2026 + TODAY_MIN * 60.0 + DAY_S / 2, b)
    valley.run(DAY_S / 2 + 61)
    assert len(b.forwarding.shelf) == 0


def test_a_vague_date_ends_nothing() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1, created=TODAY_MIN - 13 * 1440), age=0)
    valley.date(EPOCH_2026 + TODAY_MIN * 60.0, b, uncertainty_s=2 * DAY_S)
    valley.run(2 * DAY_S)
    assert len(b.forwarding.shelf) == 1


def test_dates_ahead_and_dates_long_ago_end_nothing() -> None:
    valley, a, b = pair()
    hand(valley, a, b, sealed(1, created=TODAY_MIN + 10 * 1440))
    hand(valley, a, b, sealed(2, created=TODAY_MIN - 200 * 1440))
    valley.date(EPOCH_2026 + TODAY_MIN * 60.0, b)
    valley.run(DAY_S)
    assert len(b.forwarding.shelf) == 2


def test_own_envelopes_end_by_their_own_lifetime_alone() -> None:
    valley = Valley(imax_s=7200.0)
    a, b = valley.line("ab")
    valley.part(a, b)
    valley.today(a)
    a.write(b, "hello")
    a.clock = a.ctx.clock = WallClock(EPOCH_2026 + (300 + 20) * DAY_S, valley.now, 1.0, "gps")
    a.step(a.forwarding.clock_changed)
    assert len(a.forwarding.shelf) == 1
    valley.run(14 * DAY_S + 1)
    assert len(a.forwarding.shelf) == 0


def test_in_passing_ten_minutes() -> None:
    valley, a, b = pair()
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0))
    valley.run(TRANSIT_S - 1)
    assert len(b.forwarding.shelf) == 1
    valley.run(2)
    assert len(b.forwarding.shelf) == 0
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0))
    assert len(b.forwarding.shelf) == 0
    hand(valley, a, b, sealed(1))
    assert len(b.forwarding.shelf) == 1


def test_what_passed_may_be_asked_for_again_when_a_session_began() -> None:
    valley, a, b = pair()
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0))
    valley.run(TRANSIT_S + 1)
    b.step(b.forwarding.look_again)
    valley.deliver(a, b, EnvelopeFrame(sealed(1), 0, 0))
    assert len(b.forwarding.shelf) == 1


def test_a_parcel_brings_envelopes_and_receipts_without_promises_of_others() -> None:
    valley = Valley()
    a, b = valley.line("ab")
    valley.part(a, b)
    message = a.write(b, "by hand")
    frames = list(a.forwarding.parcel_frames())
    assert [frame.spread for frame in frames if isinstance(frame, EnvelopeFrame)] == [1]
    carry(b, frames)
    assert b.inbox() == ["by hand"]
    carry(b, frames)
    assert b.inbox() == ["by hand"]
    back = list(b.forwarding.parcel_frames())
    assert any(isinstance(frame, Receipts) for frame in back)
    carry(a, back)
    assert a.state(message) == "delivered"
    assert list(a.forwarding.parcel_frames(since=valley.now + 1)) == back[-1:]


def test_what_came_on_a_stick_waits_for_its_reader_and_takes_no_copy_from_the_writer() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.part(a, b)
    valley.part(b, c)
    a.write(c, "on foot")
    budget = [record.copies for record in a.rows.every(EnvelopeRecord)]
    carry(b, list(a.forwarding.parcel_frames()))
    assert [record.copies for record in a.rows.every(EnvelopeRecord)] == budget
    assert [(record.role, record.copies) for record in b.rows.every(EnvelopeRecord)] == [(ROLE_CUSTODY, 1)]
    valley.run(2 * 3600.0)
    valley.reboot(b)
    valley.run(2 * 3600.0)
    valley.join(b, c)
    valley.run(60.0)
    assert c.inbox() == ["on foot"]


def carry(box: Box, frames: list[object]) -> None:
    """Import a parcel."""
    for frame in frames:
        heard = Heard(bytes(6), None, False, "", "", False, (frame,), carrier="parcel")  # type: ignore[arg-type]
        box.step(lambda frame=frame, heard=heard: box.forwarding.frame_arrived(frame, heard))  # type: ignore[arg-type]
