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
    """What is measured (in seconds where it begins with s, else a share), its value, its bound, and whether a least."""
    air, messages, posts, rows = found["air"], found["messages"], found["posts"], found["per_node"]
    duty = max((row["duty"] for row in rows), default=0.0)
    honest = max((row["airtime_s"] for row in rows if not row.get("lies")), default=0.0)
    return [
        ("of the messages to arrive", messages["delivery_ratio"], expect.delivery_ratio_min, True),
        ("of the posts to arrive", posts["delivery_ratio"], expect.post_ratio_min, True),
        ("s until 95 % of what arrived was there", messages["latency_s"]["p95"], expect.latency_p95_max_s, False),
        ("of the time for the busiest air to be taken", air["utilisation_max"], expect.utilisation_max, False),
        ("s of airtime in all", air["airtime_s"], expect.airtime_max_s, False),
        ("of the time for each radio to send", duty, expect.duty_max, False),
        ("s of airtime for each honest node", honest, expect.node_airtime_max_s, False),
    ]


def _check(what: str, value: float | None, bound: float, least: bool) -> Check:
    met = value is not None and (value >= bound if least else value <= bound)
    shares = not what.startswith("s ")
    shown = "nothing" if value is None else f"{100 * value:.6g} %" if shares else f"{value:g} s"
    wanted = f"{100 * bound:.6g} %" if shares else f"{bound:g}"
    return Check(f"expected {'at least' if least else 'at most'} {wanted} {what}, and it was {shown}", met)
