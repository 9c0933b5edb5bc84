"""The tables of the S1G PHY: rates, sensitivities, size limits, times."""

from __future__ import annotations

from functools import cache
from typing import Literal

from meshnode import resources
from meshnode.board.profile import Chip
from meshnode.board.strict import Confidence, Entry, Table, load

Width = Literal[1, 2, 4, 8, 16]


class Rate(Entry, frozen=True):
    """One modulation and coding scheme at one width; rates in kbit/s with the long and short guard interval."""

    bw_mhz: Width
    mcs: int
    modulation: str
    bits_per_symbol: int
    long_kbps: float
    short_kbps: float
    sensitivity_dbm: int
    sensitivity_confidence: Confidence
    max_psdu: int | None = None  # octets of the largest aggregate
    carries_ip: Literal[0, 1280, 1500] | None = None  # the largest IP packet it holds whole


class ChipSensitivity(Entry, frozen=True):
    """What a data sheet gives for one chip and mode."""

    chip: Chip
    bw_mhz: Width
    mcs: int
    dbm: float


class Rates(Table, frozen=True):
    """hardware/phy/rates.toml."""

    sources: dict[str, str]
    rates: tuple[Rate, ...]
    chip_sensitivity: tuple[ChipSensitivity, ...]
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Timing(Entry, frozen=True):
    """One time or limit."""

    name: str
    value: int
    unit: Literal["us", "Hz", "bit", "octet", "symbol", "slot", "TU"]
    what: str


class Timings(Table, frozen=True):
    """hardware/phy/timing.toml."""

    sources: dict[str, str]
    timings: tuple[Timing, ...]
    unknown: tuple[str, ...] = ()


@cache
def rates() -> Rates:
    """The rates. Raises ConfigError for a file with an error."""
    return load(resources.hardware() / "phy" / "rates.toml", Rates)


@cache
def timings() -> Timings:
    """The times and limits. Raises ConfigError for a file with an error."""
    return load(resources.hardware() / "phy" / "timing.toml", Timings)


def rate(bw_mhz: int, mcs: int) -> Rate | None:
    """The rate of a width and MCS; None where the standard has no such combination of one stream."""
    return next((one for one in rates().rates if (one.bw_mhz, one.mcs) == (bw_mhz, mcs)), None)
