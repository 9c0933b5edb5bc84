"""Time in the core: `now` counts powered-on seconds of a home; the date is only data.

A host hands `now` to every step. It never falls, not across restarts either: the store keeps the last value, and the
host goes on from there. So residence, rotation and retention count powered-on time (protocol rules 8.2, 10.1).
"""

from __future__ import annotations

from dataclasses import dataclass

Instant = float  # powered-on seconds of this home

SURE_SOURCES = ("person", "gps", "ntp")
OWN_ENOUGH_S = 300.0  # a clock of our own that is off by no more holds against what neighbours say
ABOUT_S = 300.0  # a date that may be off by more is shown as "about"
DRIFT = 1e-4  # seconds a second: a cheap crystal in the cold

EPOCH_2026 = 1_767_225_600  # 2026-01-01T00:00:00Z in Unix seconds; `created` counts minutes from here


def earliest(*times: Instant | None) -> Instant | None:
    """The first of several due times, None where nothing waits."""
    first: Instant | None = None
    for time in times:
        if time is not None and (first is None or time < first):
            first = time
    return first


@dataclass(frozen=True, slots=True)
class WallClock:
    """What is known about the date: Unix seconds at `read_at` (an Instant), and by how much it may be off."""

    unix_s: float
    read_at: Instant
    uncertainty_s: float
    source: str  # "unknown" "system" "neighbours" "person" "gps" "ntp"

    @property
    def sure(self) -> bool:
        """True for a source that neighbours do not know better than."""
        return self.source in SURE_SOURCES or (self.known and self.uncertainty_s <= OWN_ENOUGH_S)

    @property
    def known(self) -> bool:
        """True when dates from this clock may be written or acted upon."""
        return self.source != "unknown"

    def at(self, now: Instant) -> float:
        """Unix seconds at `now`."""
        return self.unix_s + (now - self.read_at)

    def uncertainty_at(self, now: Instant) -> float:
        """By how much it may be off at `now`: the longer ago it was read, the more."""
        return self.uncertainty_s + abs(now - self.read_at) * DRIFT


UNKNOWN_CLOCK = WallClock(0.0, 0.0, float("inf"), "unknown")


def better(own: WallClock, neighbours: WallClock, now: Instant) -> WallClock:
    """Our own clock while it is sure or there is no other; else the one that may be off by less."""
    if own.sure or not neighbours.known:
        return own
    return min(own, neighbours, key=lambda clock: clock.uncertainty_at(now))


def created_minutes(clock: WallClock, now: Instant) -> int:
    """Minutes since 2026 as an envelope carries them (3 B); 0 when the date is not known."""
    if not clock.known:
        return 0
    return max(0, min(0xFFFFFF, int((clock.at(now) - EPOCH_2026) // 60)))
