"""The law of the radio: what the tables of `hardware/regions` allow this node, in the numbers the core counts with.

Where it is not known which channel is used, the strictest rule of the country's usable channels holds. Where no source
says what is allowed, no limit is kept, and `doctor` says so.
"""

from __future__ import annotations

from meshnode.board.region import Limits, region
from meshnode.config import RadioSection
from meshnode.core.airtime.s1g import S1gRate
from meshnode.core.settings import Law
from meshnode.errors import ConfigError, UsageError

TU_US = 1024
BEACON_OCTETS = 100  # a beacon-like frame; at 1 MHz and MCS 0 it takes 3,280 us
_MILLION = 1_000_000


def law_of(radio: RadioSection) -> Law:
    """What holds for this node. Raises ConfigError for a country or a channel plan that is not known."""
    if not radio.country:
        return Law()
    limits = _limits(radio)
    duty = [one for each in limits if (one := each.duty_percent(fixed_access_point=radio.fixed_access_point))]
    bursts = [each.burst_max_ms for each in limits if each.burst_max_ms]
    duty_ppm = round(min(duty, default=100.0) * 10_000)
    return Law(
        duty_ppm=duty_ppm,
        window_s=max([3600, *(each.window_s for each in limits if each.window_s)]),
        spacing_us=round(max(each.spacing_ms for each in limits) * 1000),
        burst_us=round(min(bursts, default=0.0) * 1000),
        omit_responses=all(each.omit_control for each in limits),
        standing_ppm=beacons_ppm(radio.beacon_interval_tu),
        reserve_ppm=duty_ppm * radio.others_percent // 100 if duty_ppm < _MILLION else 0,
    )


def beacons_ppm(interval_tu: int) -> int:
    """The part of the air a radio takes for its own beacons, at the slowest rate they are sent with."""
    if not interval_tu:
        return 0
    lasts_us = S1gRate(1, 0).ppdu_ns(BEACON_OCTETS) // 1000
    return -(-lasts_us * _MILLION // (interval_tu * TU_US))


def _limits(radio: RadioSection) -> list[Limits]:
    """What holds on each usable band."""
    try:
        plan = region(radio.country).plan(radio.plan or None)
    except UsageError as error:
        raise ConfigError(f"radio.country: {error}") from error
    return [band.limits() for band in plan.bands]
