"""Whether what a scenario tells can be played: words with a reader and a time, faults no faster than the air."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meshnode.errors import UsageError
from meshnode_sim.tables import ActionTable, FaultTable, RouteTable, TrafficTable, WalkTable

MOST_WORDS: Final = 1_000_000  # of one run; each is held from the beginning
SHORTEST_S: Final = 0.001  # of a state that comes and goes: a frame takes as long


def check_story(actions: Iterable[ActionTable], traffic: Iterable[TrafficTable], faults: Iterable[FaultTable]) -> None:
    """UsageError says what is missing."""
    for action in actions:
        _check_action(action)
    for table in traffic:
        _check_traffic(table)
    for fault in faults:
        if fault.kind in ("churn", "bursts") and min(fault.up_s, fault.down_s) < SHORTEST_S:
            raise UsageError(
                f"a fault `{fault.kind}` comes and goes faster than the air: `up_s` and `down_s` are means"
            )


def check_ways(routes: Iterable[RouteTable], walks: Iterable[WalkTable]) -> None:
    """UsageError where a way cannot be gone."""
    timed: set[str] = set()
    for route in routes:
        if route.node in timed:
            raise UsageError(f"[[routes]] has {route.node} twice: a node has one timetable")
        timed.add(route.node)
    for walk in walks:
        slow, fast = walk.speed_mps
        if slow > fast:
            raise UsageError(f"`speed_mps` goes from {slow:g} down to {fast:g}: the lower speed comes first")


def check_spans(what: str, spans: Iterable[tuple[float, float]], period_s: float | None) -> None:
    """UsageError where a link would be up backwards in time, or longer than the period in which it comes again."""
    for start, end in spans:
        if end <= start:
            raise UsageError(f"{what} has `up_s` from {start:g} to {end:g} s: it ends before it begins")
        if period_s is not None and end > period_s:
            raise UsageError(f"{what} has `up_s` until {end:g} s, and begins anew every {period_s:g} s (`period_s`)")


def _check_action(action: ActionTable) -> None:
    what = f"the action at {action.at_s:g} s"
    if action.do == "send" and action.to is None:
        raise UsageError(f"{what} sends to nobody: give `to`")
    if action.do == "send" and action.to == action.node:
        raise UsageError(f"{what} sends {action.node} a message of its own: `to` is another node")
    if action.times > MOST_WORDS:
        raise UsageError(f"{what} happens {action.times} times: `times` goes up to {MOST_WORDS}")


def _check_traffic(table: TrafficTable) -> None:
    if table.pattern == "poisson" and table.every_s is None:
        raise UsageError('traffic of pattern "poisson" needs `every_s`, the mean time between two words of one writer')
    if table.pattern == "schedule" and not table.at_s:
        raise UsageError('traffic of pattern "schedule" needs `at_s`, the times at which each writer writes')
    if table.pattern == "replay" and not table.file:
        raise UsageError('traffic of pattern "replay" needs `file`, one with lines `time C id from to size`')
