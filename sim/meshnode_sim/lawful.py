"""What the law of a country means for a scenario: which widths there are, and what each radio may send in an hour."""

from __future__ import annotations

from meshnode.board.region import region
from meshnode.config import RadioSection
from meshnode.core.settings import Law
from meshnode.daemon.law import law_of
from meshnode.errors import UsageError


def law_in(country: str) -> Law:
    """What the daemon would be told there; no limit without a country."""
    return law_of(RadioSection(country=country))


def check_width(country: str, width_mhz: int | None) -> None:
    """Refuses a channel that the country does not have."""
    if not country or width_mhz is None:
        return
    bands = region(country).plan(None).bands
    widths = sorted({channel.bw_mhz for band in bands for channel in band.channels})
    if width_mhz not in widths:
        shown = ", ".join(map(str, widths))
        raise UsageError(f"{country} has no channel of {width_mhz} MHz for HaLow: `width_mhz` may be {shown}")
