"""A run as one page that works offline: sentence, expectations, map with playback, journeys, distributions, airtime.

The page is `pages/report.html` with style, script and data put in; nothing is fetched from anywhere.
"""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any, Final

from meshnode.errors import UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.film import MOMENTS, Film, Places
from meshnode_sim.probe import Written
from meshnode_sim.scenario import PLACED, Scenario
from meshnode_sim.simulate import Outcome
from meshnode_sim.telling import sentence, span

FOLDER: Final = Path(__file__).with_name("pages")
MOST_MESSAGES: Final = 500  # journeys kept; a page of more is slow to open
MOST_LINKS: Final = 6_000  # the busiest ones are drawn
LATENCIES_S: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def page(outcome: Outcome) -> str:
    """The whole page as HTML. The run must have been filmed."""
    if outcome.film is None:
        raise UsageError("a page needs a run that was filmed")
    found, scenario = outcome.report, outcome.world.scenario
    title = found["scenario"] or "a run"
    return Template(_file("report.html")).substitute(
        title=escape(title),
        about=escape(scenario.about),
        sentence=escape(sentence(found)),
        checks="".join(_check(check.text, check.met) for check in outcome.checks) or "<li>Nothing was expected.</li>",
        facts="".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _facts(found)),
        style=_file("report.css"),
        script=_file("report.js"),
        data=json.dumps(_data(outcome, outcome.film), separators=(",", ":")).replace("<", "\\u003c"),
    )


def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _check(text: str, met: bool) -> str:
    return f'<li class="{"met" if met else "unmet"}">{"✓" if met else "✗"} {escape(text)}</li>'


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands in the table of the run."""
    return [
        ("nodes", str(found["nodes"])),
        ("simulated", span(found["simulated_s"])),
        ("seed", str(found["seed"])),
        ("computed in", f"{found['wall_s']:g} s, {found['speed']:g} times real time"),
        ("messages", _arrived(found["messages"], "created")),
        ("posts", _arrived(found["posts"], "expected")),
        ("on the air", f"{found['air']['bytes']:,} octets, {found['air']['frames']:,} frames"),
        ("airtime", f"{found['air']['airtime_s']:,.1f} s in all"),
        ("busiest surroundings", f"{found['air']['utilisation_max']:.2%} of the time"),
        ("hand-overs", f"{found['transfers']:,}"),
        ("fingerprint", found["fingerprint"]),
    ]


def _arrived(found: dict[str, Any], of: str) -> str:
    """How many of how many, and how soon."""
    latency = found["latency_s"]
    times = "" if latency["p50"] is None else f"; {latency['p50']:.3g} s median, {latency['p95']:.3g} s at 95 %"
    return f"{found['delivered']:,} of {found[of]:,}{times}"


# -------------------------------------------------------------------- data for the script


def _data(outcome: Outcome, film: Film) -> dict[str, Any]:
    world, found = outcome.world, outcome.report
    written = list(world.probe.written.values())
    return {
        "end_s": found["simulated_s"],
        "moments": MOMENTS,
        "nodes": [row["name"] for row in found["per_node"]],
        "metres": bool(film.places),
        "places": _places(film, len(world.hosts)),
        "walls": [[list(wall.from_m), list(wall.to_m), wall.loss_db] for wall in world.scenario.walls],
        "off": [list(nodes) for nodes in film.off],
        "links": _links(film),
        "sessions": _sessions(world.scenario),
        "messages": _messages(outcome),
        "latency": _latencies(written),
        "hops": _counted(hops for one in written for _, hops in one.arrivals.values() if hops >= 0),
        "copies": _counted(_copies(outcome)),
        "airtime": [{kind: round(s, 3) for kind, s in sums.items()} for sums in film.airtime_s],
        "per_node": [_airtime(outcome, node) for node in range(len(world.hosts))],
    }


def _sessions(scenario: Scenario) -> list[list[int]]:
    """Pairs of bridges, by number."""
    number = {name: index for index, name in enumerate(scenario.names)}
    return [[number[one], number[other]] for one, other in scenario.overlay.sessions]


def _places(film: Film, count: int) -> list[list[list[float]]]:
    """By moment, or one list where nobody moves, the places in metres; nodes without places are laid out by links."""
    if not film.places:
        return [[[round(x, 3), round(y, 3)] for x, y in laid_out(film, count)]]
    still = all(places == film.places[0] for places in film.places)
    frames = film.places[:1] if still else film.places
    return [[[round(x, 1), round(y, 1)] for x, y in places] for places in frames]


def check_able(scenario: Scenario) -> None:
    """Says what is missing for a page of this scenario, before a long run instead of after it."""
    if scenario.radio.level not in PLACED and find_spec("networkx") is None:
        raise UsageError("a page of nodes without places needs networkx: pip install 'meshnode[sim]'")


def laid_out(film: Film, count: int) -> Places:
    """Places for nodes that have none: who carried much to each other is near, after networkx."""
    import networkx as nx  # an extra (`check_able`), and takes its time to load

    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(sorted(film.octets))
    drawn = nx.kamada_kawai_layout(graph) if count <= 100 else nx.spring_layout(graph, seed=1, iterations=30)
    return [(float(drawn[node][0]), float(drawn[node][1])) for node in range(count)]


def _links(film: Film) -> list[list[Any]]:
    """[one, other, {moment: octets both ways}] of the busiest links."""
    pairs: dict[tuple[int, int], Counter[int]] = {}
    for (src, dst), by_moment in film.octets.items():
        pairs.setdefault((min(src, dst), max(src, dst)), Counter()).update(by_moment)
    busiest = sorted(pairs, key=lambda pair: (-pairs[pair].total(), pair))[:MOST_LINKS]
    return [[one, other, dict(sorted(pairs[one, other].items()))] for one, other in busiest]


def _messages(outcome: Outcome) -> list[dict[str, Any]]:
    probe = outcome.world.probe
    moves: dict[bytes, set[tuple[float, int, int]]] = {}
    for move in probe.moves or ():
        if move.src >= 0:
            moves.setdefault(move.name, set()).add((round(move.at_ns / SECOND_NS, 3), move.src, move.dst))
    found = []
    for name, one in list(probe.written.items())[:MOST_MESSAGES]:
        way = sorted(step for kept in probe.names_of(name) for step in moves.get(kept, ()))
        found.append(_message(one, way))
    return found


def _message(one: Written, way: list[tuple[float, int, int]]) -> dict[str, Any]:
    return {
        "n": one.number,
        "from": one.author,
        "to": list(one.to) if not one.post else [],
        "post": one.post,
        "at": round(one.at_ns / SECOND_NS, 3),
        "arrivals": [[node, round(at / SECOND_NS, 3), hops] for node, (at, hops) in one.arrivals.items()],
        "receipt": round(one.receipt_ns / SECOND_NS, 3) if one.receipt_ns >= 0 else None,
        "way": way,
    }


def _latencies(written: list[Written]) -> list[tuple[str, int]]:
    """How many arrivals took up to each of LATENCIES_S, and longer."""
    found = [(at - one.at_ns) / SECOND_NS for one in written for at, _ in one.arrivals.values()]
    bounds = [0.0, *LATENCIES_S, float("inf")]
    bars = [
        (f"≤ {high:g} s" if high < float("inf") else "longer", sum(low < s <= high for s in found))
        for low, high in pairwise(bounds)
    ]
    used = [index for index, (_, number) in enumerate(bars) if number]
    return bars[used[0] : used[-1] + 1] if used else []


def _copies(outcome: Outcome) -> list[int]:
    """For each message how many nodes kept it at some time, its author apart."""
    probe = outcome.world.probe
    kept = Counter(name for name, _ in {(move.name, move.dst) for move in probe.moves or () if move.src >= 0})
    return [sum(kept[name] for name in probe.names_of(message)) for message in probe.written]


def _counted(numbers: Any) -> list[tuple[str, int]]:
    counts = Counter(numbers)
    return [(str(number), counts[number]) for number in range(min(counts), max(counts) + 1)] if counts else []


def _airtime(outcome: Outcome, node: int) -> dict[str, float]:
    kinds = outcome.world.medium.counters(node).kinds
    return {kind: round(tally.airtime_ns / SECOND_NS, 3) for kind, tally in sorted(kinds.items())}
