"""What a run comes to: one object for JSON, and a screen for people. The fields are listed in the README of sim/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from meshnode.air.counters import Counters, Tally
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.energy import energy
from meshnode_sim.figures import air
from meshnode_sim.host import Host
from meshnode_sim.meetings import Meetings, Station
from meshnode_sim.probe import Written
from meshnode_sim.tables import EnergyTable
from meshnode_sim.world import World


def report(world: World | Meetings, wall_s: float, memory_peak_mb: float) -> dict[str, Any]:
    """Everything about a run that ended. Only `wall_s`, `speed` and `memory_peak_mb` differ from machine to machine."""
    span_ns = max(world.agenda.now_ns, 1)
    hosts: Sequence[Host | Station] = world.hosts
    counters = [world.medium.counters(host.index) for host in hosts]
    written = list(world.probe.written.values())
    direct = [one for one in written if not one.post]
    posts = [one for one in written if one.post]
    arrivals = sum(len(one.arrivals) for one in written)
    collisions = sum(one.collisions for one in counters)
    sums = air(counters)
    utilisation = [min(1.0, one.busy_ns / span_ns) for one in counters]
    return {
        "scenario": world.scenario.name,
        "seed": world.scenario.seed,
        "nodes": len(world.hosts),
        "simulated_s": round(span_ns / SECOND_NS, 3),
        "wall_s": round(wall_s, 3),
        "speed": round(span_ns / SECOND_NS / wall_s, 1) if wall_s else 0.0,
        "memory_peak_mb": round(memory_peak_mb, 1),
        "fingerprint": world.agenda.fingerprint(),
        "events": world.agenda.events,
        "steps": sum(host.steps for host in world.hosts),
        "messages": _direct(direct),
        "posts": _posts(posts),
        "transfers": world.probe.transfers,
        "overhead_ratio": round((world.probe.transfers - arrivals) / arrivals, 3) if arrivals else None,
        "receptions_per_message": round(sums["received"] / len(written), 1) if written else None,
        "air": {**sums, "collisions": collisions, "utilisation_max": round(max(utilisation, default=0.0), 6)},
        "kinds": _kinds(counters),
        **_overlay(world),
        **_dtn(world, written),
        "violations": world.probe.violations,
        "refusals": world.refusals,
        "warnings": dict(sorted(world.warnings.items())),
        "per_node": [
            {
                "name": host.settings.name,
                **_node_air(one),
                "utilisation": round(share, 6),
                "duty": round(one.total.radiated_ns / span_ns, 6),
                **_energy(world.scenario.energy, one, span_ns),
                "processor": round(host.busy_ns / span_ns, 6),
                "rows": host.memory.count(),
                "boots": host.boots,
                **({"lies": True} if host.index in world.liars else {}),
            }
            for host, one, share in zip(hosts, counters, utilisation, strict=True)
        ],
    }


def _overlay(world: World | Meetings) -> dict[str, Any]:
    """What went over peerings, where there are any: no radio carried it."""
    uplinks = world.uplinks if isinstance(world, World) else None
    return {} if uplinks is None else {"overlay": uplinks.report()}


def _dtn(world: World | Meetings, written: Sequence[Written]) -> dict[str, Any]:
    """Level `contacts`: what The ONE's MessageStatsReport says, in its names and as it reckons (its median is the
    upper one of two)."""
    if not isinstance(world, Meetings):
        return {}
    arrived = [(at - one.at_ns, hops) for one in written for at, hops in one.arrivals.values()]
    waits, hops = sorted(at / SECOND_NS for at, _ in arrived), sorted(hops for _, hops in arrived)
    count, relayed = len(arrived), world.probe.transfers
    found = {
        "created": len(written),
        "started": world.started,
        "relayed": relayed,
        "aborted": world.aborted,
        "dropped": world.dropped,
        "delivered": count,
        "delivery_prob": round(count / len(written), 4) if written else 0.0,
        "overhead_ratio": round((relayed - count) / count, 4) if count else None,
        "latency_avg": round(sum(waits) / count, 4) if count else None,
        "latency_med": round(waits[count // 2], 4) if count else None,
        "hopcount_avg": round(sum(hops) / count, 4) if count else None,
        "hopcount_med": hops[count // 2] if count else None,
    }
    return {"dtn": found}


def _energy(table: EnergyTable | None, counters: Counters, span_ns: int) -> dict[str, Any]:
    return {} if table is None else energy(table, counters, span_ns)


def _node_air(counters: Counters) -> dict[str, Any]:
    sums = air([counters])
    return {key: sums[key] for key in ("bytes", "frames", "airtime_s", "radiated_s", "received", "lost", "dropped")}


def screen(found: dict[str, Any]) -> str:
    """The same for people, in a few lines."""
    lines = [
        f"{found['scenario'] or 'the scenario'}: {found['nodes']} nodes, {found['simulated_s']:g} s simulated in "
        f"{found['wall_s']:g} s ({found['speed']:g} times real time, {found['memory_peak_mb']:g} MB)",
        "",
        _said("messages", found["messages"], "recipients have them"),
        _said("posts", found["posts"], "of all readers have them"),
        f"air        {found['air']['bytes']} bytes in {found['air']['frames']} frames, "
        f"{found['air']['airtime_s']:.3f} s of airtime, busiest surroundings {found['air']['utilisation_max']:.1%}",
        "",
        f"{'traffic':12} {'frames':>8} {'attempts':>8} {'bytes':>10} {'airtime s':>10}",
    ]
    lines += [
        f"{kind:12} {row['frames']:8} {row['attempts']:8} {row['bytes']:10} {row['airtime_s']:10.3f}"
        for kind, row in found["kinds"].items()
    ]
    if "overlay" in found:
        lines += ["", _over(found["overlay"])]
    lines += [f"VIOLATED: {text}" for text in found["violations"]]
    lines += [f"refused: {text}" for text in found["refusals"]]
    return "\n".join([*lines, "", f"fingerprint {found['fingerprint']}"])


def _over(found: dict[str, Any]) -> str:
    idle, lost = found["idle_bytes"], found["lost"]
    return f"overlay    {found['bytes']} bytes over peerings, {idle} of them idle; {lost} packets lost"


def _said(what: str, found: dict[str, Any], who: str) -> str:
    if not found["created"]:
        return f"{what:10} none written"
    latency = found["latency_s"]
    times = "" if latency["p50"] is None else f"; latency {latency['p50']:g} s median, {latency['p95']:g} s at 95 %"
    return f"{what:10} {found['created']} written, {found['delivery_ratio']:.1%} {who}{times}"


def _direct(direct: Sequence[Written]) -> dict[str, Any]:
    arrived = [one for one in direct if one.arrivals]
    return {
        "created": len(direct),
        "delivered": len(arrived),
        "delivery_ratio": round(len(arrived) / len(direct), 6) if direct else None,
        "acknowledged": sum(one.receipt_ns >= 0 for one in direct),
        "latency_s": _spread(at - one.at_ns for one in arrived for at, _ in one.arrivals.values()),
        "hops": _hops(hops for one in arrived for _, hops in one.arrivals.values()),
    }


def _posts(posts: Sequence[Written]) -> dict[str, Any]:
    expected = sum(len(one.to) for one in posts)
    arrivals = [(at - one.at_ns, hops) for one in posts for at, hops in one.arrivals.values()]
    return {
        "created": len(posts),
        "expected": expected,
        "delivered": len(arrivals),
        "delivery_ratio": round(len(arrivals) / expected, 6) if expected else None,
        "latency_s": _spread(latency for latency, _ in arrivals),
        "hops": _hops(hops for _, hops in arrivals),
    }


def _spread(latencies_ns: Iterable[int]) -> dict[str, float | None]:
    """Median, 95th percentile (nearest rank) and mean, in seconds."""
    found = sorted(latencies_ns)
    if not found:
        return {"p50": None, "p95": None, "mean": None}
    rank = [found[-(-len(found) * share // 100) - 1] for share in (50, 95)]
    mean = sum(found) // len(found)
    return {name: round(ns / SECOND_NS, 6) for name, ns in zip(("p50", "p95", "mean"), (*rank, mean), strict=True)}


def _hops(hops: Iterable[int]) -> dict[str, float | None]:
    known = [one for one in hops if one >= 0]
    return {"mean": round(sum(known) / len(known), 3) if known else None}


def _kinds(counters: Iterable[Counters]) -> dict[str, dict[str, Any]]:
    """Airtime by class of the frames (`class 0` is urgent), and of sessions."""
    sums: dict[str, Tally] = {}
    for one in counters:
        for kind, tally in one.kinds.items():
            sums[kind] = sums.get(kind, Tally()) + tally
    return {
        kind: {
            "frames": tally.frames,
            "attempts": tally.attempts,
            "bytes": tally.bytes,
            "airtime_s": round(tally.airtime_ns / SECOND_NS, 6),
        }
        for kind, tally in sorted(sums.items())
    }
