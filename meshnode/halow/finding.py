"""Finds HaLow radios in a tree like /sys: by driver, bus, ids and device-tree names.

    a driver of a known family          it is a HaLow radio (Morse, mm81x, Newracom, Taixin)
    a driver that others have, too      it may be one (a Warthog is a USB network card): a person has to say so
    a monitor device of a family        no radio of its own (Morse shows `morse0` beside the real one)

Which board carries it is often not to be seen: several boards have one chip on one bus. All that fit are listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from meshnode.board.profile import Board, Detect, Driver, board, boards, family
from meshnode.errors import LinkError

SYS = Path("/sys")
_BUSES = {"spi": "spi", "sdio": "sdio", "usb": "usb"}
_RADIOTAP = "803"  # ARPHRD_IEEE80211_RADIOTAP: receives everything, sends nothing


@dataclass(frozen=True, slots=True)
class Device:
    """A network interface as the tree shows it; what is not there is empty."""

    interface: str
    driver: str = ""
    bus: str = ""
    compatible: tuple[str, ...] = ()
    usb: str = ""
    sdio: str = ""
    mac: str = ""
    monitor: bool = False


@dataclass(frozen=True, slots=True)
class Radio:
    """A device that is, or may be, a HaLow radio. `boards`: the profiles that fit, most of them for the same chip."""

    device: Device
    family: Driver
    boards: tuple[str, ...]

    @property
    def interface(self) -> str:
        """Its network interface."""
        return self.device.interface

    @property
    def certain(self) -> bool:
        """Whether its driver alone tells that it is HaLow."""
        return self.family.certain


def devices(sys: Path = SYS) -> tuple[Device, ...]:
    """Every network interface with hardware behind it, by name."""
    try:
        names = sorted(path.name for path in (sys / "class" / "net").iterdir())
    except OSError:
        return ()
    return tuple(read_device(sys, name) for name in names if (sys / "class" / "net" / name / "device").exists())


def radios(sys: Path = SYS) -> tuple[Radio, ...]:
    """The interfaces that are or may be HaLow, certain ones first, by name."""
    found = [radio for device in devices(sys) if (radio := as_radio(device))]
    return tuple(sorted(found, key=lambda radio: (not radio.certain, radio.interface)))


def as_radio(device: Device) -> Radio | None:
    """The device as a radio, None if its driver is of no HaLow family or it only listens."""
    known = family(device.driver)
    if known is None or device.monitor or any(fnmatchcase(device.interface, name) for name in known.monitor_names):
        return None
    if not known.certain and not any(fnmatchcase(device.interface, name) for name in known.interface_names):
        return None
    fitting = [one for one in boards() if one.driver == known.name and any(fits(rule, device) for rule in one.detect)]
    return Radio(device, known, tuple(one.name for one in fitting))


def fits(rule: Detect, device: Device) -> bool:
    """Whether everything the rule asks for is what the device shows."""
    return (
        (not rule.driver or any(fnmatchcase(device.driver, pattern) for pattern in rule.driver))
        and (not rule.bus or device.bus in rule.bus)
        and (not rule.compatible or any(name in rule.compatible for name in device.compatible))
        and (not rule.usb or device.usb in rule.usb)
        and (not rule.sdio or device.sdio in rule.sdio)
    )


def choose(found: Sequence[Radio], profile: str = "") -> Radio | None:
    """The one radio to use: that of the board profile, else the only certain one; None if there is none.

    Raises LinkError where several fit and nothing says which, and UsageError for a profile that does not exist.
    """
    wanted = board(profile) if profile else None
    fitting = [radio for radio in found if _is_of(radio, wanted)]
    if len(fitting) > 1:
        names = ", ".join(radio.interface for radio in fitting)
        raise LinkError(
            f"there are several HaLow interfaces ({names}); name the one to use: meshnode run --interface IF"
        )
    return fitting[0] if fitting else None


def country(radio: Radio, sys: Path = SYS) -> str:
    """The country that the driver was told, empty where its parameter is missing or says nothing."""
    if radio.family.country_parameter is None:
        return ""
    code = _text(sys / "module" / radio.family.country_parameter)
    return code if len(code) == 2 and code.isalpha() else ""


def read_device(sys: Path, name: str) -> Device:
    """One interface of the tree."""
    here = sys / "class" / "net" / name
    device = here / "device"
    bus = _BUSES.get(_link(device / "subsystem"), "")
    return Device(
        interface=name,
        driver=_link(device / "driver"),
        bus=bus,
        compatible=tuple(part for part in _text(device / "of_node" / "compatible").split("\0") if part),
        usb=_usb(device) if bus == "usb" else "",
        sdio=_pair(_text(device / "vendor"), _text(device / "device")) if bus == "sdio" else "",
        mac=_text(here / "address"),
        monitor=_text(here / "type") == _RADIOTAP,
    )


def _is_of(radio: Radio, wanted: Board | None) -> bool:
    if wanted is None:
        return radio.certain
    return wanted.name in radio.boards or (not wanted.detect and wanted.driver == radio.family.name)


def _usb(device: Path) -> str:
    """Vendor and product stand with the device, one level above the interface that is bound to the driver."""
    try:
        above = device.resolve().parent
    except OSError:
        return ""
    for place in (device, above):
        if found := _pair(_text(place / "idVendor"), _text(place / "idProduct")):
            return found
    return ""


def _pair(vendor: str, product: str) -> str:
    """`0x325b` and `0306` as `325b:0306`; empty where one is missing."""
    halves = [half.lower().removeprefix("0x").rjust(4, "0") for half in (vendor, product) if half]
    return ":".join(halves) if len(halves) == 2 else ""


def _link(path: Path) -> str:
    """The last part of what a link points to."""
    try:
        return path.readlink().name
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:4096].decode(errors="replace").strip().rstrip("\0")
    except OSError:
        return ""
