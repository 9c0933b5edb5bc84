"""The files that bring up a HaLow radio: its channel, its network, its driver's options, its overlay at boot.

    Morse vendor driver   mesh, station: wpa_supplicant_s1g; access point: hostapd_s1g
    Newracom              mesh, station, access point: the stock wpa_supplicant with the driver's fictitious frequency
    others                refused: which files would bring them up is not known, and nothing is guessed

Country, channel and board calibration are what the person chose; without a choice they are not written.
Sources of the keys: `MorseMicro/hostap` (hostapd_s1g.conf), the vendors' parameters in `firmware-notes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from meshnode.board.channels import HostChannel, fictitious
from meshnode.board.profile import Board, Driver, drivers
from meshnode.board.region import Channel, Limits, country, region
from meshnode.errors import UsageError
from meshnode.halow.setup.files import HEAD, Wanted, check_interface, check_key, check_ssid, network, unit

Role = Literal["mesh", "ap", "sta"]
NAME = "meshnode-halow.service"
RADIO = Path("etc/meshnode/halow.conf")
DRIVER = Path("etc/modprobe.d/meshnode-halow.conf")
NUMBER = "70-meshnode-halow"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person chose. `country` as written to the driver; `key` empty: an open network.

    `channel` is an S1G number, `width_mhz` its width where one number has two; None for a station, which takes that
    of its access point. `plan` and `band` as the options of [radio]. `calibration`: the board's file, below
    /lib/firmware as the driver wants it.
    """

    board: Board
    interface: str
    country: str
    name: str
    role: Role = "mesh"
    channel: int | None = None
    width_mhz: int | None = None
    key: str = ""
    plan: str = ""
    band: str = ""
    calibration: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """The files, and what the person should know of them."""

    files: tuple[Wanted, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """A channel of the country, what holds on it, and what the driver shows for it."""

    channel: Channel
    limits: Limits
    host: HostChannel


def plan(wishes: Wishes, config_txt: Path | None) -> Setup:
    """The files for these wishes; `config_txt`: the boot file of a Raspberry Pi, from the root, None without one.

    Raises UsageError for a board that cannot be set up so, and for a channel that the country or the driver has not.
    """
    wishes = replace(wishes, country=country(wishes.country))
    family = _family(wishes)
    tuned = tune(wishes, family)
    render = _RENDERERS[family.name, wishes.role]
    command, text = render(wishes, tuned)
    lines = "LinkLocalAddressing=ipv6\nIPv6AcceptRA=no\nDHCP=no\n"
    return Setup(
        (
            Wanted(RADIO, f"{HEAD}\n{text}", wishes.key),
            unit(NAME, "HaLow radio of the mesh", wishes.interface, command),
            *network(NUMBER, wishes.interface, lines=lines, mtu=wishes.board.mtu),
            Wanted(DRIVER, f"{HEAD}\n{_options(wishes, family)}"),
            *_overlay(wishes.board, config_txt),
        ),
        tuple(_notes(wishes, tuned, config_txt)),
    )


def tune(wishes: Wishes, family: Driver) -> Tuned | None:
    """The channel that was chosen; None for a station."""
    there = region(wishes.country)
    allowed = there.plan(wishes.plan or None)
    if wishes.role == "sta":
        if wishes.channel is not None:
            raise UsageError("a station takes the channel of its access point: leave --channel out")
        return None
    if wishes.channel is None:
        numbered = [channel for channel, _ in allowed.channels() if channel.s1g is not None]
        known = ", ".join(f"{channel.s1g} ({channel.bw_mhz} MHz)" for channel in numbered)
        raise UsageError(f"choose a channel with --channel; {there.title} has {known or 'none by number'}")
    channel, limits = allowed.numbered(wishes.channel, wishes.width_mhz)
    table = fictitious(family.name)
    found = table and table.table(there.code, wishes.plan or None, wishes.band or None)
    for row in found.channels if found else ():
        if (row.centre_khz, row.bw_mhz) == (channel.centre_khz, channel.bw_mhz):
            return Tuned(channel, limits, row)
    hint = "" if found or wishes.band else "; where the driver has several bands for a country, say which: --band"
    raise UsageError(f"it is not known what {family.title} calls {channel.label}, in {there.title}{hint}")


def _family(wishes: Wishes) -> Driver:
    board = wishes.board
    check_interface(wishes.interface)
    check_ssid(wishes.name)
    if wishes.key:
        check_key(wishes.key)
    if wishes.calibration and (not wishes.calibration.isascii() or not wishes.calibration.isprintable()):
        raise UsageError("the name of the calibration file is not plain text")
    if set(wishes.calibration) & set(" \\\"'#"):
        raise UsageError("the name of the calibration file must not have spaces, quotes, backslashes or #")
    family = next((one for one in drivers() if one.name == board.driver), None)
    if family is None or not any(name == family.name for name, _ in _RENDERERS):
        raise UsageError(f"{board.title}: which files bring this radio up is not known; see firmware-notes")
    if wishes.role not in board.modes:
        raise UsageError(f"{board.title} has no mode {wishes.role}; it has {', '.join(board.modes) or 'none we know'}")
    return family


def _morse_supplicant(wishes: Wishes, tuned: Tuned | None) -> tuple[str, str]:
    command = f"wpa_supplicant_s1g -D nl80211 -i {wishes.interface} -c /{RADIO}"
    return command, _supplicant(wishes, tuned)


def _newracom_supplicant(wishes: Wishes, tuned: Tuned | None) -> tuple[str, str]:
    rates = "    mesh_basic_rates=60 120 240\n" if wishes.role == "mesh" else ""  # as the vendor's own start script
    command = f"wpa_supplicant -D nl80211 -i {wishes.interface} -c /{RADIO}"
    return command, _supplicant(wishes, tuned, rates)


def _supplicant(wishes: Wishes, tuned: Tuned | None, more: str = "") -> str:
    """A supplicant's network: mode 0 a station, 2 an access point, 5 a mesh; its frequency is the one that is shown."""
    mode = {"sta": 0, "ap": 2, "mesh": 5}[wishes.role]
    channel = f"    # {tuned.channel.label}\n    frequency={tuned.host.host_mhz}\n" if tuned else ""
    key = f'    key_mgmt=SAE\n    sae_password="{wishes.key}"\n    ieee80211w=2\n' if wishes.key else _OPEN
    network = f'    ssid="{wishes.name}"\n    mode={mode}\n{channel}{key}{more}'
    return f"country={wishes.country}\n\nnetwork={{\n{network}}}\n"


_OPEN = "    key_mgmt=NONE\n"


def _morse_hostapd(wishes: Wishes, tuned: Tuned | None) -> tuple[str, str]:
    """hostapd_s1g takes the S1G channel itself, with its operating class (global ones go with a country code)."""
    if tuned is None:
        raise UsageError("an access point needs a channel")
    channel = tuned.channel
    number = channel.global_op_class or channel.op_class
    if number is None:
        raise UsageError(f"no source gives an operating class for {channel.label}; hostapd_s1g cannot do without")
    lines = [
        f"interface={wishes.interface}",
        "driver=nl80211",
        f"ssid={wishes.name}",
        "ieee80211ah=1",
        "hw_mode=a",
        f"country_code={wishes.country}",
        f"op_class={number}",
        f"# {channel.label}",
        f"channel={channel.s1g}",
    ]
    if wishes.key:
        lines += ["wpa=2", "wpa_key_mgmt=SAE", "rsn_pairwise=CCMP", f"sae_password={wishes.key}", "ieee80211w=2"]
    return f"hostapd_s1g /{RADIO}", "\n".join(lines) + "\n"


_RENDERERS: dict[tuple[str, Role], Callable[[Wishes, Tuned | None], tuple[str, str]]] = {
    ("morse", "mesh"): _morse_supplicant,
    ("morse", "sta"): _morse_supplicant,
    ("morse", "ap"): _morse_hostapd,
    ("newracom", "mesh"): _newracom_supplicant,
    ("newracom", "sta"): _newracom_supplicant,
    ("newracom", "ap"): _newracom_supplicant,
}
# The modules' parameters: country, calibration file.
_PARAMETERS = {"morse": ("morse", "country", "bcf"), "newracom": ("nrc", "nrc_country_code", "bd_name")}


def _options(wishes: Wishes, family: Driver) -> str:
    module, place, calibration = _PARAMETERS[family.name]
    chosen = f" {calibration}={wishes.calibration}" if wishes.calibration else ""
    return f"options {module} {place}={wishes.country}{chosen}\n"


def _overlay(board: Board, config_txt: Path | None) -> tuple[Wanted, ...]:
    """The profile's lines, under [all]: a section for another model may be the last that is open."""
    if not board.config_txt or config_txt is None:
        return ()
    return (Wanted(config_txt, "\n".join(["[all]", *board.config_txt]) + "\n", appended=True),)


def _notes(wishes: Wishes, tuned: Tuned | None, config_txt: Path | None) -> list[str]:
    board, said = wishes.board, []
    if tuned:
        limits = tuned.limits
        said.append(f"channel: {tuned.channel.label}; the driver shows it as {tuned.host.host_mhz} MHz")
        if limits.eirp_dbm is not None:
            said.append(f"at most {limits.eirp_dbm:g} dBm EIRP there; the driver or its calibration has to hold it")
        duty = limits.duty_percent(fixed_access_point=False)
        if duty is not None and duty < 100:
            said.append(f"a portable node may be on the air {duty:g} % of the time: the node has to know its country")
        if tuned.host.status in ("experimental", "doc_only"):
            said.append(f"the driver's guide calls this channel {tuned.host.status.replace('_', ' ')}")
        if tuned.channel.caution:
            said.append(tuned.channel.caution)
    if not wishes.calibration:
        known = f"; the profile knows {', '.join(board.bcf)}" if board.bcf else ""
        said.append(f"no calibration file chosen: the driver takes its own; --calibration FILE chooses one{known}")
    if not wishes.key:
        said.append("without --key-file the radio network is open; meshnode seals its frames all the same")
    if wishes.band:
        said.append("the driver's own parameter for the band is not written; set it as its guide says")
    if board.config_txt and config_txt is None:
        said.append(f"no config.txt is here; at boot the board needs: {', '.join(board.config_txt)}")
    if board.bus == "sdio" and board.gpio.sdio:
        said.append("its SDIO pins are those of a Raspberry Pi's built-in Wi-Fi: only one of the two works")
    return said
