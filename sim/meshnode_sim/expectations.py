"""What a scenario expects of a run, held against what came of it: one sentence for each, met or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshnode_sim.tables import ExpectTable


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence; where it did not come true it says what came instead."""

    text: str
    met: bool


def checks(expect: ExpectTable, found: dict[str, Any]) -> list[Check]:
    """Every rule of the protocol that was broken, then everything the scenario asks of the report `found`."""
    said = [Check(f"a rule of the protocol was broken: {text}", False) for text in found["violations"]]
    for what, value, bound, least in _bounds(expect, found):
        if bound is not None:
            said.append(_check(what, value, bound, least))
    return said


def _bounds(expect: ExpectTable, found: dict[str, Any]) -> list[tuple[str, float | None, float | None, bool]]:
    """What is measured, its value, its bound, and whether that is a least one."""
    air, messages, posts = found["air"], found["messages"], found["posts"]
    return [
        ("of the messages arrived", messages["delivery_ratio"], expect.delivery_ratio_min, True),
        ("of the posts arrived", posts["delivery_ratio"], expect.post_ratio_min, True),
        ("s until 95 % of what arrived had", messages["latency_s"]["p95"], expect.latency_p95_max_s, False),
        ("of the time the busiest air was taken", air["utilisation_max"], expect.utilisation_max, False),
        ("s of airtime were used", air["airtime_s"], expect.airtime_max_s, False),
        (
            "of the time any radio sent",
            max((r["duty"] for r in found["per_node"]), default=0.0),
            expect.duty_max,
            False,
        ),
        ("s of airtime were used by any honest node", _honest(found), expect.node_airtime_max_s, False),
    ]


def _honest(found: dict[str, Any]) -> float:
    return max((row["airtime_s"] for row in found["per_node"] if not row.get("lies")), default=0.0)


def _check(what: str, value: float | None, bound: float, least: bool) -> Check:
    met = value is not None and (value >= bound if least else value <= bound)
    shown = "nothing" if value is None else f"{value:g}"
    return Check(f"expected {'at least' if least else 'at most'} {bound:g} {what}, and it was {shown}", met)
