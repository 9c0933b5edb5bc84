"""How far a reader is, as its receipts say, and whom to believe."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chat.distance import FARTHEST, REACHES, WARIEST_S, WARY_S, Distance
from meshnode.core.chat.sessions import Sessions
from meshnode.core.records import RatchetRecord, Snapshot
from support.valley import Valley


@given(hops=st.integers(1, 255))
def test_it_reaches_farther_than_last_time_and_not_much(hops: int) -> None:
    distance = Distance()
    distance.came(hops, 0.0)
    reach = distance.reach(0.0)
    assert distance.hops == min(hops, FARTHEST)
    if reach is None:
        assert hops > 0.75 * REACHES[-1]
    else:
        assert reach in REACHES
        assert hops < reach <= max(2 * hops, 2)


def test_nothing_is_limited_before_a_receipt_said_how_far_it_came() -> None:
    distance = Distance()
    assert distance.reach(0.0) is None
    distance.came(0, 0.0)
    assert distance.reach(0.0) is None


def test_who_missed_is_not_believed_for_a_while_twice_as_long_each_time() -> None:
    distance, now = Distance(3), 0.0
    for wait in (WARY_S, 2 * WARY_S, 4 * WARY_S):
        distance.missed(now)
        assert distance.reach(now + wait - 1) is None
        now += wait
        assert distance.reach(now) == 4
    for _ in range(20):
        distance.missed(now)
    assert distance.wary_until == now + WARIEST_S
    distance.came(3, now)
    assert distance.wary_s == WARIEST_S
    for _ in range(20):
        distance.came(3, now + WARIEST_S)
    distance.missed(now)
    assert distance.wary_until == now + WARY_S


def test_it_stands_on_disk_and_a_new_session_begins_with_it() -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.befriend(a, c)
    valley.today(a, b, c)
    a.write(c, "how far are you?")
    valley.run(30.0)
    (session,) = a.chat.sessions.of(c.keys.device)
    assert session.distance.hops == 2
    restored = Sessions(a.ctx)
    restored.restore(Snapshot(records=tuple(a.rows.every(RatchetRecord))))
    (again,) = restored.of(c.keys.device)
    assert (again.distance, again.retired) == (Distance(2), False)
    a.step(lambda: a.chat.sessions.retire(c.keys.device))
    a.write(c, "a new key")
    young = max(a.chat.sessions.of(c.keys.device), key=lambda each: each.began_at)
    assert young is not session
    assert young.distance is session.distance
