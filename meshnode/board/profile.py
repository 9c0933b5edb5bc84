"""Board profiles and driver families: what a radio is, how it is recognised, what its link carries.

A `Driver` is a family of kernel drivers; the name of the driver alone tells that an interface is HaLow (`certain`), or
does not. A `Board` is one board or module with pins, overlay, firmware and its known quirks. Several boards can look
alike to the kernel (the same chip on the same bus): then the person says which it is, nothing is guessed.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Literal

from msgspec import Meta

from meshnode import resources
from meshnode.board.strict import Entry, Table, load
from meshnode.errors import UsageError

Chip = Literal["mm6108", "mm8108", "nrc7292", "nrc7394", "txw8301"]
Bus = Literal["spi", "sdio", "usb", "uart"]
Mode = Literal["ap", "sta", "mesh", "ibss", "monitor"]
Ids = tuple[Annotated[str, Meta(pattern="^[0-9a-f]{4}:[0-9a-f]{4}$")], ...]
Payload = Annotated[int, Meta(ge=256, le=1200)]


class Quirk(Entry, frozen=True):
    """One thing to know, with who says so."""

    text: str


class Pins(Table, frozen=True):
    """BCM numbers of the lines."""

    reset: int | None = None
    wake: int | None = None
    busy: int | None = None
    irq: int | None = None
    cs: int | None = None
    miso: int | None = None
    mosi: int | None = None
    sclk: int | None = None
    chip_irq: int | None = None
    power: tuple[int, ...] = ()
    sdio: tuple[int, ...] = ()


class Spi(Table, frozen=True):
    """Bus, chip select and highest clock in Hz."""

    bus: int | None = None
    cs: int | None = None
    max_hz: int | None = None


class Detect(Table, frozen=True):
    """One way to recognise the board: everything that is given must fit; lists give alternatives."""

    driver: tuple[str, ...] = ()  # patterns as of a shell
    bus: tuple[Bus, ...] = ()
    compatible: tuple[str, ...] = ()
    usb: Ids = ()
    sdio: Ids = ()


class Link(Table, frozen=True):
    """What a link over it is taken to carry until its driver says better: bytes of UDP payload, bit/s."""

    multicast: bool = True
    unicast_payload: Payload = 1200
    multicast_payload: Payload = 1200
    unicast_bps: int = 1_000_000
    multicast_bps: int = 300_000


class Board(Entry, frozen=True):
    """One file of hardware/boards. A field that is missing is not known; `unknown` says which that matter are not."""

    name: str
    title: str
    sources: dict[str, str]
    chip: Chip | None = None
    bus: Bus | None = None
    driver: str | None = None  # of hardware/drivers
    modem: str | None = None  # of hardware/modems
    module: str | None = None
    soc: tuple[str, ...] = ()
    overlay: str | None = None
    config_txt: tuple[str, ...] = ()
    gpio: Pins = Pins()
    spi: Spi = Spi()
    firmware: tuple[str, ...] = ()
    bcf: tuple[str, ...] = ()
    interface_names: tuple[str, ...] = ()
    detect: tuple[Detect, ...] = ()
    modes: tuple[Mode, ...] = ()
    widths_mhz: tuple[Literal[1, 2, 4, 8, 16], ...] = ()
    max_tx_dbm: float | None = None
    mtu: int | None = None
    quirks: tuple[Quirk, ...] = ()
    issues: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    verified: bool = False  # seen by ourselves
    link: Link = Link()


class Driver(Entry, frozen=True):
    """One file of hardware/drivers: a family of kernel drivers and how it shows a radio."""

    name: str
    title: str
    sources: dict[str, str]
    chips: tuple[Chip, ...]
    buses: tuple[Bus, ...]
    drivers: tuple[str, ...]  # patterns of /sys/class/net/*/device/driver
    modules: tuple[str, ...]
    certain: bool  # False: other things have this driver too, a person has to say that it is a radio
    nl80211: Literal["native", "fictitious", "none"]
    interface_names: tuple[str, ...] = ()
    monitor_names: tuple[str, ...] = ()
    channel_map: str | None = None
    country_parameter: str | None = None  # below /sys/module
    compatible: tuple[str, ...] = ()
    usb: Ids = ()
    sdio: Ids = ()
    ipv6: bool = True
    mesh: bool = False

    def drives(self, driver: str) -> bool:
        """Whether a kernel driver of that name is of this family."""
        return any(fnmatchcase(driver, pattern) for pattern in self.drivers)


@cache
def boards() -> tuple[Board, ...]:
    """All boards, by name. Raises ConfigError for a file with an error."""
    return tuple(load(path, Board) for path in resources.files("boards"))


@cache
def drivers() -> tuple[Driver, ...]:
    """All driver families, by name."""
    return tuple(load(path, Driver) for path in resources.files("drivers"))


def board(name: str) -> Board:
    """The board of that name. Raises UsageError if there is none."""
    for one in boards():
        if one.name == name:
            return one
    known = ", ".join(each.name for each in boards())
    raise UsageError(f"there is no board profile {name!r}; there is {known}")


def family(driver: str) -> Driver | None:
    """The family of a kernel driver, None for one that is no HaLow driver we know."""
    return next((one for one in drivers() if one.drives(driver)), None)
