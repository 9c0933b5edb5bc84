"""What each node takes out of its battery: the times its radio talked, heard and listened, times a current each."""

from __future__ import annotations

from typing import Any

from meshnode.air.counters import Counters
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.tables import EnergyTable


def energy(table: EnergyTable, counters: Counters, on_ns: int) -> dict[str, Any]:
    """Milliwatt-hours of a node that was on for `on_ns`, and how many days its battery would last at that rate."""
    talking = min(counters.total.radiated_ns, on_ns)
    hearing = min(max(0, counters.busy_ns - counters.total.radiated_ns), on_ns - talking)
    listening = on_ns - talking - hearing
    states = ((talking, table.tx_ma), (hearing, table.rx_ma), (listening, table.idle_ma), (on_ns, table.host_ma))
    milliamp_hours = sum(span * current for span, current in states) / SECOND_NS / 3600
    days = table.battery_mah / milliamp_hours * on_ns / SECOND_NS / 86400 if milliamp_hours else None
    return {
        "energy_mwh": round(milliamp_hours * table.volts, 6),
        "battery_days": None if days is None else round(days, 3),
    }
