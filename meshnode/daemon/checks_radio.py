"""What `meshnode doctor` checks of the radio: from its driver to what it hears. One cause, one remedy each.

Remedies are those that people report for the symptom (hardware/boards names the threads). What cannot be known here is
said to be so. Everything is read from a tree that tests lay out: /sys, /lib/firmware, /proc.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from meshnode.board.profile import Board, board, drivers
from meshnode.board.region import country as iso
from meshnode.board.region import region
from meshnode.config import Config
from meshnode.control.replies import CheckInfo, InterfaceInfo, NeighbourInfo
from meshnode.daemon.checks_interface import HERE, Machine, check_around
from meshnode.errors import LinkError, UsageError, WireError
from meshnode.halow.finding import Radio, country, devices, radios
from meshnode.halow.radio import from_file, from_system
from meshnode.halow.state import NARROW_BELOW_BPS, Neighbour, RadioState
from meshnode.halow.understanding import Setting
from meshnode.peering.radio import radio_state_path

LOST_SHARE = 0.5  # of frames to a station: it hears little or nothing of us
ENOUGH = 20  # frames, before a share means something
SILENT_S = 60.0

_POWER_SAVE = {"morse": "morse/parameters/enable_ps", "newracom": "nrc/parameters/power_save"}
_BOARD_FILE = {"morse": "morse/parameters/bcf", "newracom": "nrc/parameters/bd_name"}
_OFF = ("", "0", "N")


def check_radio(name: str, config: Config, machine: Machine = HERE) -> list[CheckInfo]:
    """Everything about the radio behind the bound interface (empty: none is chosen)."""
    found = radios(machine.sys)
    radio = next((one for one in found if one.interface == name), None)
    checks = [_driver(name, radio, found, machine)]
    if radio is not None:
        state = _state(name, config, machine)
        checks += [*_files(radio, machine), _region(radio, config, machine), _channel(state, config), _role(state)]
        checks += [*_power_save(radio, state, machine), *_stations(state.neighbours)]
    if name:
        checks += check_around(name, radio, config, machine)
    return checks


def check_rate(interface: InterfaceInfo) -> Iterator[CheckInfo]:
    """What the link carries now, as far as the radio or the configuration says it."""
    if interface.state != "up" or not interface.unicast_bps:
        return
    says = (
        f"{interface.unicast_bps / 1000:g} kbit/s to one neighbour, {interface.multicast_bps / 1000:g} to all,"
        f" datagrams of at most {interface.unicast_payload} bytes"
    )
    if interface.unicast_bps < NARROW_BELOW_BPS:
        yield _warn("rate", f"{says}: the slowest neighbour is at the edge of reach",
                    "a better antenna or place for one of the two, or a relay between them")  # fmt: skip
    else:
        yield _ok("rate", says)


def check_neighbours(neighbours: Sequence[NeighbourInfo], link: str) -> list[CheckInfo]:
    """Who is heard, and whether they hear us."""
    here = [one for one in neighbours if one.link or one.carrier == "link"]
    if not here:
        return [_warn("neighbours", f"nobody is heard on {link}", "compare channel, mesh name and secret of both nodes;"
                      " `meshnode status` shows ours")]  # fmt: skip
    deaf = [one.node for one in here if not one.bound and one.last_heard_s < SILENT_S]
    heard = _ok("neighbours", f"{len(here)} heard, {len(here) - len(deaf)} of them hear us")
    if not deaf:
        return [heard]
    names = ", ".join(deaf)
    return [heard, _warn("one-way", f"heard, and not known to hear us: {names}",
                         "more transmit power or a better antenna here; there, the multicast filter")]  # fmt: skip


def _driver(name: str, radio: Radio | None, found: Sequence[Radio], machine: Machine) -> CheckInfo:
    if radio is not None:
        boards = ", ".join(board(one).title for one in radio.boards[:3]) or "board not known"
        return _ok("driver", f"{name}: {radio.family.title}; {boards}")
    if found:
        others = ", ".join(one.interface for one in found)
        return _warn(
            "driver", f"{name or 'no interface'} is bound, and HaLow is on {others}", "meshnode run --interface IF"
        )
    if name:
        driver = next((one.driver for one in devices(machine.sys) if one.interface == name), "")
        return _ok("driver", f"{name}{f', driver {driver}' if driver else ''}: a plain interface, no HaLow radio")
    if loaded := _loaded(machine):
        return _warn("driver", f"{', '.join(loaded)} is loaded and shows no interface",
                     "take the power away and give it again: a reboot alone does not reset every radio; then look at"
                     " the bus: an overlay or image for SPI finds nothing on SDIO")  # fmt: skip
    return _warn(
        "driver", "no HaLow radio is found, nor its driver",
        "look for morse, mm81x, nrc or hgicf in `dmesg`; an image or an overlay for another bus finds nothing",
    )  # fmt: skip


def _loaded(machine: Machine) -> list[str]:
    """Modules of HaLow drivers that are loaded."""
    named = {module for one in drivers() if one.certain for module in one.modules}
    return sorted(module for module in named if (machine.sys / "module" / module).exists())


def _state(name: str, config: Config, machine: Machine) -> RadioState:
    setting = Setting(config.radio.country, config.radio.plan or None)
    try:
        if file := radio_state_path():
            return from_file(name, file)
        return from_system(name, setting, machine.sys)
    except (LinkError, WireError) as error:
        return RadioState(name, missing=(str(error),))


def _files(radio: Radio, machine: Machine) -> Iterator[CheckInfo]:
    fitting = [board(name) for name in radio.boards]
    firmware = sorted({file for one in fitting for file in one.firmware})
    if firmware:
        yield _firmware(firmware, machine)
    yield _board_file(radio, fitting, machine)


def _firmware(wanted: Sequence[str], machine: Machine) -> CheckInfo:
    there = [file for file in wanted if (machine.firmware / file).exists()]
    if there:
        return _ok("firmware", ", ".join(there))
    return _warn("firmware", f"none of {', '.join(wanted)} is in {machine.firmware}",
                 "install the vendor's firmware package; a driver option may name another file")  # fmt: skip


def _board_file(radio: Radio, fitting: Sequence[Board], machine: Machine) -> CheckInfo:
    """Calibration and limits of one module: never guessed (a wrong one costs range, or keeps the radio down)."""
    parameter = _BOARD_FILE.get(radio.family.name)
    named = _text(machine.sys / "module" / parameter) if parameter else ""
    if named:
        there = any(machine.firmware.rglob(Path(named).name))
        if there:
            return _ok("board file", named)
        return _fail("board file", f"{named} is not below {machine.firmware}", "copy it there from the module's maker")
    known = sorted({file for one in fitting for file in one.bcf})
    hint = f" (boards like this have {', '.join(known)})" if known else ""
    return _ok("board file", f"left to the driver, by what the module says of itself{hint}")


def _region(radio: Radio, config: Config, machine: Machine) -> CheckInfo:
    told, wanted = country(radio, machine.sys), config.radio.country
    if not wanted:
        seen = f"; the driver is set to {told}" if told else ""
        return _warn("region", f"no country is chosen, so no airtime law is kept{seen}", "radio.country in config.toml")
    try:
        plan = region(wanted).plan(config.radio.plan or None)
    except UsageError as error:
        return _fail("region", str(error), "correct radio.country and radio.plan in config.toml")
    if told and iso(told) != iso(wanted):
        return _fail("region", f"the driver is set to {told}, the node to {wanted}",
                     f"give both the same country; the driver's is {radio.family.country_parameter}, set when it"
                     " loads")  # fmt: skip
    differ = f"; sources differ: {plan.disagreements[0]}" if plan.disagreements else ""
    return _ok("region", f"{iso(wanted)}, {plan.region.title}{differ}")


def _channel(state: RadioState, config: Config) -> CheckInfo:
    if state.channel is None:
        why = state.missing[0] if state.missing else "the driver names none"
        return _warn("channel", f"not known: {why}", "join or start a network on the radio, and choose radio.country")
    centre, width = state.channel.centre_khz, state.channel.width_mhz
    shown = f" (the driver shows {state.shown_mhz:g} MHz)" if state.shown_mhz else ""
    if not config.radio.country:
        return _ok("channel", f"{centre / 1000:g} MHz, {width} MHz wide{shown}")
    try:
        channel, _ = region(config.radio.country).plan(config.radio.plan or None).at(centre, width)
    except UsageError as error:
        return _fail("channel", str(error), "choose a channel of the region, or correct radio.country")
    return _ok("channel", f"{channel.label}{shown}")


def _role(state: RadioState) -> CheckInfo:
    if state.role is None:
        return _warn("role", "not known whether the radio is a mesh point, an access point or a station",
                     "`iw dev` says, where the driver has nl80211; for a mesh the supplicant has to be built with it,"
                     " and hostapd be stopped")  # fmt: skip
    network = f" of {state.network}" if state.network else ""
    if state.role in ("ap", "sta"):
        return _ok("role", f"{state.role}{network}: all of it hear each other through the access point")
    return _ok("role", f"{state.role}{network}")


def _power_save(radio: Radio, state: RadioState, machine: Machine) -> Iterator[CheckInfo]:
    parameter = _POWER_SAVE.get(radio.family.name)
    value = _text(machine.sys / "module" / parameter) if parameter else ""
    if parameter is None or not (machine.sys / "module" / parameter).exists():
        return
    if value in _OFF:
        yield _ok("power save", "off")
    elif state.role in ("mesh", "ap", None):
        module, _, option = parameter.partition("/parameters/")
        yield _warn("power save", f"on ({option}={value}): a radio that sleeps misses its neighbours",
                    f"`options {module} {option}=0` in /etc/modprobe.d, and load the driver again")  # fmt: skip
    else:
        yield _ok("power save", f"on ({value}); the access point keeps frames for a station")


def _stations(stations: Sequence[Neighbour]) -> Iterator[CheckInfo]:
    """Stations the radio cannot reach although it hears them."""
    lost = [
        one.mac
        for one in stations
        if one.tx_packets is not None and one.tx_failed is not None and one.tx_packets >= ENOUGH
        and one.tx_failed >= LOST_SHARE * one.tx_packets and one.rx_packets
    ]  # fmt: skip
    if lost:
        yield _warn("one-way", f"most frames to {', '.join(lost)} are not acknowledged, and frames of it arrive",
                    "more transmit power or a better antenna here, less noise there; if small frames pass, `iw phy` and"
                    " `set rts off`")  # fmt: skip
    blocked = [one.mac for one in stations if one.peering == "blocked"]
    if blocked:
        yield _warn("peering", f"802.11s refuses {', '.join(blocked)}",
                    "mesh id, mesh configuration and passphrase must fit on both sides")  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _ok(name: str, detail: str) -> CheckInfo:
    return CheckInfo(name=name, state="ok", detail=detail, remedy="")


def _warn(name: str, detail: str, remedy: str) -> CheckInfo:
    return CheckInfo(name=name, state="warn", detail=detail, remedy=remedy)


def _fail(name: str, detail: str, remedy: str) -> CheckInfo:
    return CheckInfo(name=name, state="fail", detail=detail, remedy=remedy)
