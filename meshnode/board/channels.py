"""Channel maps: which S1G channel a driver means by the 2.4 or 5 GHz channel that it shows.

The same host channel means a different channel in each country (for some, by a setting or a channel plan, too).
So a table is chosen by region; without the region the frequency stays unknown, and no table is tried in turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from msgspec import field

from meshnode import resources
from meshnode.board.strict import Entry, Table, load

Width = Literal[1, 2, 4, 8, 16]


class HostChannel(Table, frozen=True):
    """One row: what the driver shows (`host_mhz` is the centre of the shown width), and what it means."""

    bw_mhz: Width
    centre_khz: int
    host_channel: int
    host_mhz: int
    s1g: int | None = None
    status: Literal["", "default", "experimental", "doc_only"] = ""
    note: str = ""


class MapTable(Entry, frozen=True):
    """The rows of some regions (codes of hardware/regions), of one channel plan, of one setting of the driver."""

    regions: tuple[str, ...]
    channels: tuple[HostChannel, ...]
    scheme: str | None = None
    setting: str | None = None


class FictitiousMap(Table, frozen=True):
    """The map of a driver that shows other frequencies than it uses."""

    driver: str
    sources: dict[str, str]
    tables: tuple[MapTable, ...]
    host_widths_mhz: dict[int, int] = field(default_factory=dict)  # S1G width to shown width, where they go together
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def table(self, region: str, scheme: str | None = None, setting: str | None = None) -> MapTable | None:
        """The table of a region's code; None where the map has none, or several and nothing says which."""
        fits = [
            table
            for table in self.tables
            if region in table.regions and scheme == table.scheme and setting in (None, table.setting)
        ]
        return fits[0] if len(fits) == 1 else None

    def true(
        self, region: str, host_mhz: float, *, width: int | None = None, scheme: str | None = None,
        setting: str | None = None,
    ) -> S1gChannel | None:  # fmt: skip
        """The S1G channel behind a shown centre (and shown width in MHz), None if the map does not know."""
        table = self.table(region, scheme, setting)
        for row in table.channels if table else ():
            shown = self.host_widths_mhz.get(row.bw_mhz)
            if row.host_mhz == host_mhz and (width is None or shown is None or width == shown):
                return S1gChannel(row.centre_khz, row.bw_mhz, row.s1g)
        return None


class NativeChannel(Table, frozen=True):
    """A 1 MHz channel as nl80211 has it: whole MHz and an offset in kHz."""

    s1g: int
    mhz: int
    offset_khz: int
    centre_khz: int
    primary: bool = True


class NativeMap(Entry, frozen=True):
    """The channels of a driver that shows S1G as it is."""

    driver: str
    sources: dict[str, str]
    widths_mhz: tuple[Width, ...]
    channels: tuple[NativeChannel, ...]
    default_max_dbm: float | None = None
    notes: tuple[str, ...] = ()


class Centre(Table, frozen=True):
    """A centre in units of 0.1 MHz, and the width it is used with."""

    bw_mhz: Width
    tenth_mhz: int


class CentreList(Entry, frozen=True):
    """What a driver has for one country."""

    code: str
    driver_max_dbm: float | None = None
    centres: tuple[Centre, ...] = ()
    notes: tuple[str, ...] = ()


class CentreMap(Table, frozen=True):
    """The map of a driver whose channels are plain centre frequencies."""

    driver: str
    sources: dict[str, str]
    unit_khz: int
    widths_mhz: tuple[Width, ...]
    countries: tuple[CentreList, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class S1gChannel:
    """A true channel: centre in kHz, width in MHz, its S1G number where one is known."""

    centre_khz: int
    width_mhz: int
    number: int | None = None


KINDS: dict[str, type[FictitiousMap] | type[NativeMap] | type[CentreMap]] = {
    "morse": FictitiousMap,
    "newracom": FictitiousMap,
    "mm81x": NativeMap,
    "taixin": CentreMap,
}


@cache
def maps() -> dict[str, FictitiousMap | NativeMap | CentreMap]:
    """All channel maps by their driver family. Raises ConfigError for a file with an error."""
    return {path.stem: load(path, KINDS[path.stem]) for path in resources.files("channel-maps")}


def fictitious(name: str) -> FictitiousMap | None:
    """The map of a driver family that shows other frequencies, else None."""
    found = maps().get(name)
    return found if isinstance(found, FictitiousMap) else None
