from __future__ import annotations

from random import Random

from meshnode.core.forwarding.timers import Timers


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
