"""Virtual time: what happens in which order, and what the fingerprint notices."""

from __future__ import annotations

from meshnode_sim.agenda import AIR, FAULT, PEOPLE, WAKE, Agenda


def test_time_then_kind_then_node_decide_and_only_then_who_came_first() -> None:
    agenda, seen = Agenda(), []
    for at, kind, node, name in [
        (5, PEOPLE, 0, "e"),
        (5, AIR, 2, "c"),
        (5, AIR, 1, "b"),
        (4, WAKE, 9, "a"),
        (5, AIR, 2, "d"),
        (6, FAULT, 0, "later"),
    ]:
        agenda.at(at, kind, node, lambda name=name: seen.append(name))
    agenda.run(5)
    assert seen == ["a", "b", "c", "d", "e"]
    assert agenda.now_ns == 5
    agenda.run(10)
    assert seen[-1] == "later"
    assert agenda.now_ns == 10


def test_what_is_past_happens_now() -> None:
    agenda, seen = Agenda(), []
    agenda.at(7, WAKE, 0, lambda: agenda.at(3, WAKE, 0, lambda: seen.append(agenda.now_ns)))
    agenda.run(100)
    assert seen == [7]


def _run(*times: int, note: int = 0) -> str:
    agenda = Agenda()
    for at in times:
        agenda.at(at, WAKE, 0, lambda: agenda.note(AIR, 0, note))
    agenda.run(10)
    return agenda.fingerprint()


def test_the_fingerprint_knows_times_and_bytes() -> None:
    assert _run(1, 2) == _run(2, 1)
    assert len({_run(1, 2), _run(1, 3), _run(1), _run(1, 2, note=1)}) == 4
