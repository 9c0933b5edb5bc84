from __future__ import annotations

from meshnode.core.neighbours.unheard import AFTER_S, MAX_TRIES, Unheard


def test_it_waits_a_minute_and_goes_twice_as_far_each_time() -> None:
    unheard, now, steps = Unheard(), 100.0, []
    for _ in range(40 * MAX_TRIES):
        steps.append(unheard.unechoed(now))
        now += AFTER_S / 2
    assert steps[:3] == [0, 0, 1]
    assert [step for step in steps if step] == [1 << n for n in range(MAX_TRIES)]


def test_an_echo_ends_it() -> None:
    unheard = Unheard()
    unheard.unechoed(0.0)
    unheard.heard()
    assert unheard.unechoed(AFTER_S) == 0
    assert unheard.unechoed(2 * AFTER_S) == 1
