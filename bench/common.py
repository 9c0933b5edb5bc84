"""What every bench shares: seeded texts, measuring windows, facts about the machine, JSON out."""

from __future__ import annotations

import base64
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from meshnode import __version__
from meshnode_sim.lab import Lab, air


def texts(seed: int, count: int, size: int) -> list[str]:
    """Texts no compression can help with, `size` characters each, all different."""
    dice = random.Random(seed)
    return [base64.b64encode(dice.randbytes(size)).decode()[:size] for _ in range(count)]


class Window:
    """What went over the air between its making and `close`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._before = lab.counters()

    def close(self) -> dict[str, Any]:
        """Sums over all nodes, and bytes by kind of traffic."""
        counters = [now - then for now, then in zip(self._lab.counters(), self._before, strict=True)]
        kinds: dict[str, int] = {}
        for one in counters:
            for kind, tally in one.kinds.items():
                kinds[kind] = kinds.get(kind, 0) + tally.bytes
        return {**air(counters), "kinds": {kind: size for kind, size in sorted(kinds.items()) if size}}


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Median, 95th percentile and mean."""
    if not values:
        return {}
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    figures = {"p50": statistics.median(ordered), "p95": p95, "mean": statistics.fmean(ordered)}
    return {name: round(value, digits) for name, value in figures.items()}


def ratios(results: dict[str, dict[str, Any]], keys: Sequence[str], floor: str = "T") -> dict[str, dict[str, float]]:
    """How many times the floor each system takes."""
    if floor not in results:
        return {}
    base = results[floor]
    return {
        name: {key: round(result[key] / base[key], 3) for key in keys if base.get(key) and result.get(key)}
        for name, result in results.items()
        if name != floor
    }


def machine() -> dict[str, Any]:
    """Where this was measured, and with which versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "meshnode": __version__,
        "yggdrasil": _yggdrasil(),
    }


def emit(bench: str, conditions: dict[str, Any], results: dict[str, Any], **more: Any) -> None:
    """The one thing a bench prints."""
    print(
        json.dumps(
            {"bench": bench, "conditions": conditions, "results": results, **more, "machine": machine()}, indent=1
        )
    )


def progress(text: str) -> None:
    """For the person waiting."""
    print(text, file=sys.stderr, flush=True)


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _yggdrasil() -> str | None:
    if shutil.which("yggdrasil") is None:
        return None
    said = subprocess.run(["yggdrasil", "-version"], capture_output=True, text=True, check=False).stdout
    return next((line.split()[-1] for line in said.splitlines() if "version" in line), None)
