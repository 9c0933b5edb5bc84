"""Figures that lab and simulator share: what the radio tells a node of itself, and sums of counters as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from meshnode.air.counters import Counters, Tally
from meshnode.core.settings import Law, LinkSettings
from meshnode.peering.radio import NARROW_PAYLOAD, WIDE_PAYLOAD
from meshnode_sim.lawful import law_in
from meshnode_sim.scenario import Scenario, rates


def radio_state(settings: LinkSettings) -> dict[str, Any]:
    """What a modelled radio tells the daemon about itself, as its file says it (meshnode/halow/state.py)."""
    told = replace(settings, law=Law())  # the law is the daemon's own to know
    return {**asdict(told), "family": "modelled", "role": "mesh"}


def link_settings(scenario: Scenario) -> LinkSettings:
    """What the modelled radio tells a node about itself."""
    rate, basic = rates(scenario.radio)
    radio = scenario.radio
    return link_settings_for(rate.bps, basic.bps, multicast=radio.multicast, country=radio.country)


def link_settings_for(unicast_bps: int, multicast_bps: int, *, multicast: bool, country: str = "") -> LinkSettings:
    """With the payloads that fit one transmission at these rates."""
    return LinkSettings(
        unicast_bps=unicast_bps,
        multicast_bps=multicast_bps,
        unicast_payload=WIDE_PAYLOAD if unicast_bps > 300_000 else NARROW_PAYLOAD,
        multicast_payload=WIDE_PAYLOAD if multicast_bps > 600_000 else NARROW_PAYLOAD,
        multicast=multicast,
        law=law_in(country),
    )


def air(counters: Iterable[Counters]) -> dict[str, Any]:
    """Sums over nodes."""
    several = list(counters)
    total = sum((one.total for one in several), Tally())
    return {
        "bytes": total.bytes,
        "frames": total.frames,
        "attempts": total.attempts,
        "airtime_s": round(total.airtime_ns / 1e9, 6),
        "radiated_s": round(total.radiated_ns / 1e9, 6),
        "received": sum(one.received for one in several),
        "lost": sum(one.lost for one in several),
        "failed": sum(one.failed for one in several),
        "too_long": sum(one.too_long for one in several),
        "dropped": sum(one.dropped for one in several),
    }
