"""The state of a node as Prometheus reads it, from a registry of our own: no thread, no collectors of the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from meshnode.control.replies import StatusReply


def exposition(status: StatusReply, page: Mapping[str, int]) -> bytes:
    """The text; `page` counts what the page serves now."""
    registry = CollectorRegistry()
    registry.register(_Once([*_gauges(status), *_families(status), *_page(page)]))
    return bytes(generate_latest(registry))


class _Once:
    """Metrics that are collected once."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield from self._families


def _gauges(status: StatusReply) -> Iterator[Metric]:
    counts = status.counts
    bound = sum(one.bound for one in status.neighbours)
    for name, about, value in (
        ("uptime_seconds", "Since the node started", status.uptime_s),
        ("neighbours", "Nodes one hop away, proven both ways", bound),
        ("logs", "Logs held", counts.logs),
        ("blocks", "Blocks held", counts.blocks),
        ("envelopes", "Envelopes held", counts.envelopes),
        ("store_bytes", "Store in use", status.store.bytes),
        ("store_limit_bytes", "Limit of the store", status.store.limit),
        ("warnings", "Warnings that hold now", len(status.warnings)),
        ("clock_uncertainty_seconds", "Of the date; -1 unknown", _or(status.clock.uncertainty_s)),
    ):
        yield GaugeMetricFamily(f"meshnode_{name}", about, value=value)


def _families(status: StatusReply) -> Iterator[Metric]:
    airtime = GaugeMetricFamily("meshnode_airtime", "What the governor of airtime says", labels=["what"])
    for what, value in sorted(status.airtime.items()):
        airtime.add_metric([what], value)
    yield airtime
    counters = CounterMetricFamily("meshnode_events", "Counters of the node, by name", labels=["name"])
    for name, count in sorted(status.counters.items()):
        counters.add_metric([name], count)
    yield counters


def _page(page: Mapping[str, int]) -> Iterator[Metric]:
    served = GaugeMetricFamily("meshnode_page", "What the page serves now", labels=["what"])
    for what, count in sorted(page.items()):
        served.add_metric([what], count)
    yield served


def _or(value: float | None) -> float:
    return -1.0 if value is None else value
