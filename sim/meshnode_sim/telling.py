"""A run in words, for people who were not there."""

from __future__ import annotations

from typing import Any

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def sentence(found: dict[str, Any]) -> str:
    """What happened, from a report, in a sentence or three."""
    parts = [_carried("message", found["messages"]), _carried("post", found["posts"])]
    said = [part for part in parts if part]
    begun = f"In {span(found['simulated_s'])}, {_number(found['nodes'], 'node')} "
    if not said:
        return begun + f"wrote nothing; the busiest air was taken {found['air']['utilisation_max']:.2%} of the time."
    broken = f" {_number(len(found['violations']), 'rule')} of the protocol broken." if found["violations"] else ""
    return (
        begun + "wrote " + "; and ".join(said) + f". The busiest air was taken {found['air']['utilisation_max']:.2%} "
        f"of the time.{broken or ' No rule of the protocol was broken.'}"
    )


def span(seconds: float) -> str:
    """90 s as `90 seconds`, 7200 s as `2 hours`: the largest unit that gives at least two, or one exactly."""
    for size, unit in _UNITS:
        if seconds == size or seconds >= 2 * size:
            return _number(round(seconds / size, 1), unit)
    return f"{seconds:g} seconds"


def _carried(what: str, found: dict[str, Any]) -> str:
    if not found["created"]:
        return ""
    share = found["delivery_ratio"]
    told = f"{_number(found['created'], what)}, {_reached(what, share)}"
    if found["latency_s"]["p50"] is None:
        return told
    hops = found["hops"]["mean"]
    over = f", over {hops:g} hops on average" if hops is not None else ""
    return f"{told}, half of them within {_short(found['latency_s']['p50'])}{over}"


def _reached(what: str, share: float) -> str:
    if what == "post":
        return f"with {share * 100:.4g}% of all readers reached"
    return "all of which arrived" if share == 1 else f"of which {share * 100:.4g}% arrived"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s" if seconds < 120 else span(seconds)


def _number(count: float, unit: str) -> str:
    return f"{count:g} {unit}" if count == 1 else f"{count:,g} {unit}s"
