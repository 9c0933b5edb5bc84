"""What the law of a country means for a scenario: which widths there are, how strong and how long a radio may send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshnode.board.region import Band, region
from meshnode.config import RadioSection
from meshnode.core.settings import Law
from meshnode.daemon.law import law_of
from meshnode.errors import UsageError

USUAL_EIRP_DBM: Final = 20.0


def law_in(country: str) -> Law:
    """What the daemon would be told there; no limit without a country."""
    return law_of(RadioSection(country=country))


def check_width(country: str, width_mhz: int | None) -> None:
    """Refuses a channel that the country does not have."""
    if not country or width_mhz is None:
        return
    widths = sorted({channel.bw_mhz for band in _bands(country) for channel in band.channels})
    if width_mhz not in widths:
        shown = ", ".join(map(str, widths))
        raise UsageError(f"{country} has no channel of {width_mhz} MHz for HaLow: `width_mhz` may be {shown}")


def eirp_dbm(country: str, width_mhz: int, asked: float | None) -> float:
    """What every radio radiates: as asked, else what is usual. UsageError for more than the country allows."""
    most = _most_eirp_dbm(country, width_mhz) if country else None
    if asked is None:
        return USUAL_EIRP_DBM if most is None else min(USUAL_EIRP_DBM, most)
    if most is not None and asked > most:
        raise UsageError(
            f"{country} allows {most:g} dBm (EIRP) in channels of {width_mhz} MHz: `eirp_dbm` may not be {asked:g}"
        )
    return asked


def _most_eirp_dbm(country: str, width_mhz: int) -> float | None:
    """The most on any band with channels so wide; None where the sources say nothing of one."""
    wide = [band for band in _bands(country) if any(channel.bw_mhz == width_mhz for channel in band.channels)]
    limits = [band.limits().eirp_dbm for band in wide]
    known = [limit for limit in limits if limit is not None]
    return max(known) if known and len(known) == len(limits) else None


def _bands(country: str) -> Sequence[Band]:
    return region(country).plan(None).bands
