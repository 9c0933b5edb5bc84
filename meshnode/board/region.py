"""Regions: channels, power, duty cycle and spacing as the vendors' tables have them, and what to do where they differ.

Not legal advice. Where two sources give another number, the lower power, the smaller duty and the shorter burst count,
and a line says so. Countries are ISO 3166 codes; the sources' own spellings (`UK`, `DD`) are aliases. Australia has
three channel plans that number other frequencies alike: without a plan's name nothing is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from msgspec import Meta, field

from meshnode import resources
from meshnode.board.strict import Entry, Table, load
from meshnode.errors import UsageError

Percent = Annotated[float, Meta(gt=0, le=100)]
Width = Literal[1, 2, 4, 8, 16]
Kilohertz = Annotated[int, Meta(ge=700_000, le=1_000_000)]


class PowerClaim(Entry, frozen=True):
    """What one source allows, in dBm EIRP; conducted power where the note says so (never above the EIRP it makes)."""

    eirp_dbm: Annotated[float, Meta(ge=-10, le=40)]
    note: str = ""


class DutyClaim(Entry, frozen=True):
    """Percent of a window that an access point, and that any other station, may transmit."""

    ap_percent: Percent
    sta_percent: Percent
    window_s: Annotated[int, Meta(ge=1)] | None = None
    note: str = ""


class BurstClaim(Entry, frozen=True):
    """Milliseconds one transmission may last."""

    max_ms: Annotated[float, Meta(gt=0)]
    min_ms: Annotated[float, Meta(ge=0)] = 0
    note: str = ""


class Channel(Table, frozen=True):
    """One channel: centre in kHz, width in MHz; its S1G number and operating classes where a source gives them."""

    centre_khz: Kilohertz
    bw_mhz: Width
    source: tuple[str, ...]
    s1g: int | None = None
    op_class: int | None = None
    global_op_class: int | None = None
    caution: str = ""

    @property
    def label(self) -> str:
        """As a person reads it: "S1G 42, 923 MHz, 2 MHz wide"."""
        number = f"S1G {self.s1g}, " if self.s1g is not None else ""
        return f"{number}{self.centre_khz / 1000:g} MHz, {self.bw_mhz} MHz wide"


class Band(Entry, frozen=True):
    """Channels under the same rules. `schemes`: the channel plans it belongs to, empty for all."""

    name: str
    channels: tuple[Channel, ...]
    schemes: tuple[str, ...] = ()
    usable: bool = True
    reason: str = ""
    spacing_ms: Annotated[float, Meta(ge=0)] = 0
    omit_control: bool = False  # control responses do not count as airtime
    powers: tuple[PowerClaim, ...] = ()
    duties: tuple[DutyClaim, ...] = ()
    bursts: tuple[BurstClaim, ...] = ()

    def limits(self) -> Limits:
        """The strictest of what the sources say."""
        return Limits(
            eirp_dbm=min((claim.eirp_dbm for claim in self.powers), default=None),
            ap_percent=min((claim.ap_percent for claim in self.duties), default=None),
            sta_percent=min((claim.sta_percent for claim in self.duties), default=None),
            window_s=max((claim.window_s for claim in self.duties if claim.window_s), default=None),
            spacing_ms=self.spacing_ms,
            burst_min_ms=max((claim.min_ms for claim in self.bursts), default=0.0),
            burst_max_ms=min((claim.max_ms for claim in self.bursts), default=None),
            omit_control=self.omit_control,
        )

    def disagreements(self) -> tuple[str, ...]:
        """One line for each number on which the sources differ."""
        power = [(claim.source, claim.eirp_dbm, claim.note) for claim in self.powers]
        station = [(claim.source, claim.sta_percent, claim.note) for claim in self.duties]
        master = [(claim.source, claim.ap_percent, claim.note) for claim in self.duties]
        burst = [(claim.source, claim.max_ms, claim.note) for claim in self.bursts]
        lines = (
            self._line("power", power, "dBm", "the lower"),
            self._line("duty of a station", station, "%", "the smaller"),
            self._line("duty of an access point", master, "%", "the smaller"),
            self._line("longest burst", burst, "ms", "the shorter"),
        )
        return tuple(line for line in lines if line)

    def _line(self, what: str, claims: Sequence[tuple[Sequence[str], float, str]], unit: str, which: str) -> str:
        values = [value for _, value, _ in claims]
        if len(set(values)) < 2:
            return ""
        said = "; ".join(
            f"{'+'.join(source)} {value:g} {unit}{f' ({note})' if note else ''}" for source, value, note in claims
        )
        return f"{self.name}: {what}: {said}; {which}, {min(values):g} {unit}, counts"


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds on a channel. None: no source says; a duty of 100 percent means that there is no limit."""

    eirp_dbm: float | None
    ap_percent: float | None
    sta_percent: float | None
    window_s: int | None
    spacing_ms: float
    burst_min_ms: float
    burst_max_ms: float | None
    omit_control: bool

    def duty_percent(self, *, fixed_access_point: bool) -> float | None:
        """The duty of this node. A portable or ad-hoc node is not a fixed access point (CEPT ERC Rec 70-03)."""
        return self.ap_percent if fixed_access_point else self.sta_percent


class Listening(Entry, frozen=True):
    """Listen before talk: what the region asks for."""

    rule: Literal["none", "polite", "required"]
    note: str = ""


class Region(Entry, frozen=True):
    """One file of hardware/regions."""

    code: str
    title: str
    countries: tuple[Annotated[str, Meta(pattern="^[A-Z]{2}$")], ...]
    sources: dict[str, str]
    usable: bool = True
    reason: str = ""
    aliases: dict[str, str] = field(default_factory=dict)
    lbt: Listening | None = None
    bands: tuple[Band, ...] = ()
    disagreements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def schemes(self) -> tuple[str, ...]:
        """The channel plans of the region; empty where there is one, without a name."""
        return tuple(dict.fromkeys(scheme for band in self.bands for scheme in band.schemes))

    def plan(self, scheme: str | None = None, *, force: bool = False) -> Plan:
        """The channels of one plan. `force` brings those that the sources call not usable, too.

        Raises UsageError where a plan's name is missing or unknown, and for a region without usable channels.
        """
        if not self.usable and not force:
            raise UsageError(f"{self.title} ({self.code}) has no channel for HaLow: {self.reason}")
        if self.schemes and scheme is None:
            raise UsageError(f"{self.title} has several channel plans: say which, {' or '.join(self.schemes)}")
        if scheme is not None and scheme not in self.schemes:
            known = " or ".join(self.schemes) or "none by name"
            raise UsageError(f"{self.title} has no channel plan {scheme!r}; there is {known}")
        bands = [band for band in self.bands if not band.schemes or scheme in band.schemes]
        said = tuple(line for band in bands for line in band.disagreements()) + self.disagreements
        return Plan(self, scheme, tuple(band for band in bands if band.usable or force), said)


@dataclass(frozen=True, slots=True)
class Plan:
    """The channels that may be used in a region, and the lines on which its sources differ."""

    region: Region
    scheme: str | None
    bands: tuple[Band, ...]
    disagreements: tuple[str, ...]

    def channels(self) -> Iterable[tuple[Channel, Limits]]:
        """Every channel with what holds on it."""
        for band in self.bands:
            limits = band.limits()
            yield from ((channel, limits) for channel in band.channels)

    def at(self, centre_khz: int, bw_mhz: int) -> tuple[Channel, Limits]:
        """The channel of that centre and width. Raises UsageError if the region does not have it."""
        for channel, limits in self.channels():
            if (channel.centre_khz, channel.bw_mhz) == (centre_khz, bw_mhz):
                return channel, limits
        raise self._refusal(f"channel at {centre_khz / 1000:g} MHz, {bw_mhz} MHz wide")

    def numbered(self, s1g: int, bw_mhz: int | None = None) -> tuple[Channel, Limits]:
        """The channel of that S1G number, of that width where one number is used for two. Raises UsageError."""
        for channel, limits in self.channels():
            if channel.s1g == s1g and bw_mhz in (None, channel.bw_mhz):
                return channel, limits
        raise self._refusal(f"S1G channel {s1g}")

    def _refusal(self, what: str) -> UsageError:
        why = next((band.reason for band in self.region.bands if not band.usable), "")
        hint = f" (some channels are not usable: {why})" if why else ""
        return UsageError(f"{self.region.title} has no usable {what}{hint}")


@cache
def regions() -> tuple[Region, ...]:
    """All regions, in order of their files. Raises ConfigError for a file with an error."""
    return tuple(load(path, Region) for path in resources.files("regions"))


def country(code: str) -> str:
    """The ISO code of what a person or a source writes: `uk` is GB, `DD` is DE."""
    upper = code.strip().upper()
    return next((region.aliases[upper] for region in regions() if upper in region.aliases), upper)


def region(code: str) -> Region:
    """The region of a country, or of a file's own code. Raises UsageError if there is none."""
    wanted = country(code)
    for one in regions():
        if wanted == one.code or wanted in one.countries:
            return one
    raise UsageError(f"no region file covers {code!r}; hardware/regions/README.md tells how to add one")
