"""Due times: one for each name, the earliest first."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.forwarding.timers import FOREVER, Timers, first_of


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20), st.sampled_from(["set", "at_latest", "cancel"])))
)
def test_it_does_what_a_table_of_due_times_does(orders: list[tuple[str, int, str]]) -> None:
    timers: Timers[str] = Timers()
    table: dict[str, int] = {}
    for name, due, order in orders:
        if order == "cancel":
            timers.cancel(name)
            table.pop(name, None)
        elif order == "set":
            timers.set(name, due)
            table[name] = due
        else:
            timers.set_at_latest(name, due)
            table[name] = min(due, table.get(name, due))
        assert timers.not_before <= min(table.values(), default=FOREVER)
        assert first_of((Timers(), timers)) == min(table.values(), default=None)
        assert timers.next() == min(table.values(), default=None)
        assert (name in timers) == (name in table)
    for now in range(21):
        assert set(timers.due(now)) == {name for name, due in table.items() if due == now}
    assert timers.next() is None


def test_names_due_together_come_in_the_order_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for name in "zxy":
        timers.set(name, 1.0)
    assert list(timers.due(1.0)) == ["z", "x", "y"]


def test_what_is_moved_again_and_again_leaves_nothing_behind() -> None:
    timers: Timers[int] = Timers()
    for moment in range(10_000):
        timers.set(moment % 7, 1_000_000.0 + moment)
    assert len(timers._heap) < 200
    assert list(timers.due(2_000_000.0)) == [moment % 7 for moment in range(9_993, 10_000)]


def test_names_come_in_the_order_of_their_times_whatever_was_moved_or_cancelled() -> None:
    chance, timers, expected = Random(1), Timers[int](), {}
    for turn in range(5000):
        name, due = chance.randrange(200), chance.random()
        if chance.random() < 0.2:
            timers.cancel(name)
            expected.pop(name, None)
        else:
            timers.set(name, due)
            expected[name] = (due, turn)
    assert timers.next() == min(expected.values())[0]
    assert list(timers.due(0.5)) == sorted((n for n, e in expected.items() if e[0] <= 0.5), key=lambda n: expected[n])
    assert all((name in timers) == (expected[name][0] > 0.5) for name in expected)
