"""`meshnode halow`: the configuration files of a board, shown, written, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.options import COMMON, Common
from meshnode.errors import UsageError

if TYPE_CHECKING:
    from meshnode.board.profile import Board
    from meshnode.halow.setup.files import Wanted
    from meshnode.halow.setup.radio import Wishes
    from meshnode.halow.setup.undo import Journal

KEY = Parameter(help="File with the passphrase of the Wi-Fi network, 8 to 63 characters.")
WELCOME = "Answer what phones ask the internet, so that they stay and show the page. Needs dnsmasq."
BOOT = (Path("boot/firmware/config.txt"), Path("boot/config.txt"))


@Parameter(name="*")
@dataclass(frozen=True)
class Writing:
    """Where files are written, and whether."""

    dry_run: Annotated[bool, Parameter(name="--dry-run", negative="", help="Show the files, and write nothing.")] = (
        False
    )
    undo: Annotated[
        bool,
        Parameter(
            name="--undo",
            negative="",
            help="Take back what this command wrote: every file is again what it was before.",
        ),
    ] = False
    root: Annotated[
        Path,
        Parameter(name="--root", help="Write below this directory instead of /, for an image; nothing is enabled."),
    ] = Path("/")


WRITING = Writing()


def setup(
    *,
    country: Annotated[str, Parameter(help="Two letters of the country the radio is in. Nothing is assumed.")] = "",
    channel: Annotated[int | None, Parameter(help="S1G channel; left out, the country's channels are named.")] = None,
    width: Annotated[int | None, Parameter(help="Width in MHz, where one number has two.")] = None,
    plan: Annotated[str, Parameter(help="Channel plan, where the country has several (Australia).")] = "",
    band: Annotated[str, Parameter(help="The driver's own band, where it has several for a country.")] = "",
    role: Annotated[
        Literal["mesh", "ap", "sta"], Parameter(help="A mesh point (default), an access point, or its station.")
    ] = "mesh",
    name: Annotated[str, Parameter(help="Name of the radio network: mesh ID or SSID.")] = "meshnode",
    key_file: Annotated[Path | None, KEY] = None,
    calibration: Annotated[str, Parameter(help="Calibration file of the board. Default: the driver decides.")] = "",
    board: Annotated[str, Parameter(help="Board profile. Default: the one that fits the radio that is found.")] = "",
    interface: Annotated[str, Parameter(help="Its interface. Default: the one that is found.")] = "",
    writing: Writing = WRITING,
    common: Common = COMMON,
) -> None:
    """Write the files that bring up the HaLow radio: its network, its driver's options, its overlay at boot.

    They are shown first, and take effect at the next boot. Country, channel and calibration are those you choose.

    Example: meshnode halow setup --country US --channel 42 --key-file key.txt --dry-run
    """
    from meshnode.halow.setup import radio

    if writing.undo:
        _take_back(common, writing, "setup")
        return
    if not country:
        raise UsageError("say where the radio is: --country and two letters; it decides which channels there are")
    profile, device = _board(board, interface, writing.root / "sys")
    wishes = radio.Wishes(
        profile, device, country, name, role, channel, width, _key(key_file), plan, band, calibration
    )  # fmt: skip
    made = radio.plan(wishes, next((place for place in BOOT if (writing.root / place).exists()), None))
    _write(common, writing, "setup", made.files, [*made.notes, *_law(wishes)], (radio.NAME,))


def hotspot(
    *,
    name: Annotated[str, Parameter(help="Its name, as phones show it.")] = "meshnode",
    key_file: Annotated[Path | None, KEY] = None,
    channel: Annotated[int, Parameter(help="2.4 GHz channel, 1 to 11. Default: 6.")] = 6,
    country: Annotated[str, Parameter(help="Two letters; left out, no regulatory domain is written.")] = "",
    address: Annotated[str, Parameter(help="Address of the board there. Default: 10.43.0.1/24.")] = "10.43.0.1/24",
    interface: Annotated[str, Parameter(help="Default: the one Wi-Fi interface that is no HaLow radio.")] = "",
    welcome: Annotated[bool, Parameter(negative="", help=WELCOME)] = False,
    writing: Writing = WRITING,
    common: Common = COMMON,
) -> None:
    """Write the files that make the built-in Wi-Fi a hotspot, for phones near the board.

    They are shown first, and take effect at the next boot. Needs hostapd, and systemd-networkd for the addresses.

    Example: meshnode halow hotspot --name shelter --key-file key.txt --dry-run
    Example: meshnode halow hotspot --name shelter --key-file key.txt --welcome
    """
    from meshnode.halow.setup import hotspot as spot

    if writing.undo:
        _take_back(common, writing, "hotspot")
        return
    if key_file is None:
        raise UsageError("a hotspot needs a key: --key-file FILE, with 8 to 63 characters")
    device = interface or spot.built_in(writing.root / "sys")
    wishes = spot.Wishes(device, name, _key(key_file), channel, country, address, welcome)
    notes = [f"{device} leaves the network it is in now"]
    if welcome:
        notes.append(f"for the page, [web] in config.toml of the node: {spot.page_options(wishes)}")
    _write(common, writing, "hotspot", spot.plan(wishes), notes, spot.units(wishes))


def _write(
    common: Common, writing: Writing, name: str, files: Sequence[Wanted], notes: Sequence[str], units: Sequence[str]
) -> None:
    from meshnode.daemon import service
    from meshnode.halow.setup import undo

    root = writing.root
    lines = [line for file in files for line in ("", f"--- {_title(root, file)}", file.shown.rstrip())]
    lines += [f"note      {text}" for text in notes]
    if not writing.dry_run:
        replaced = undo.write(root, name, files)
        lines += [f"written   {root / file.place}" for file in files]
        lines += [f"kept      what {path} was before, for --undo" for path in replaced]
        lines += _enable(root, units)
    data = {
        "files": [{"path": str(root / file.place), "text": file.shown, "appended": file.appended} for file in files],
        "notes": notes,
        "written": not writing.dry_run,
        "enabled": service.runs_here(root) and not writing.dry_run,
    }
    say.answer(common, data, lines)


def _take_back(common: Common, writing: Writing, name: str) -> None:
    from meshnode.halow.setup import undo

    journal = undo.read(writing.root, name)
    there = [writing.root / file.place for file in journal.files] if journal else []
    if journal and not writing.dry_run:
        _undo(writing.root, name, journal)
    verb = "would be as before " if writing.dry_run else "as before "
    lines = [f"{verb} {path}" for path in there] or ["nothing of ours is here"]
    if there and not writing.dry_run:
        lines.append("next      boot again; until then the radio stays as it is")
    data = {"files": [{"path": str(path)} for path in there], "written": bool(there) and not writing.dry_run}
    say.answer(common, data, lines)


def _undo(root: Path, name: str, journal: Journal) -> None:
    from meshnode.daemon import service
    from meshnode.halow.setup import undo

    undo.check(root, journal)
    units = [
        place.name for file in journal.files if (place := root / file.place).suffix == ".service" and place.exists()
    ]
    if service.runs_here(root):
        service.call(tuple(("systemctl", "disable", unit) for unit in units))
    undo.undo(root, name)
    if service.runs_here(root):
        service.call(service.FORGETTING)


def _enable(root: Path, units: Sequence[str]) -> list[str]:
    """The units start with the next boot, not now: the person may be connected through what they change."""
    from meshnode.daemon import service

    if service.runs_here(root):
        service.call((("systemctl", "daemon-reload"), ("systemctl", "enable", *units)))
        return ["next      boot again; `meshnode doctor` says whether the radio came up"]
    return [f"next      systemctl --root={root} enable {' '.join(units)}"]


def _title(root: Path, file: Wanted) -> str:
    return f"{root / file.place}{' (added at its end)' if file.appended else ''}"


def _board(name: str, interface: str, sys: Path) -> tuple[Board, str]:
    """The profile and the interface: as told, else as found. UsageError where neither tells."""
    from meshnode.board.profile import board
    from meshnode.halow.finding import radios

    found = [radio for radio in radios(sys) if radio.certain and interface in ("", radio.interface)]
    names = {fitting for radio in found for fitting in radio.boards}
    if not name and len(names) != 1:
        seen = f"several profiles fit what is found: {', '.join(sorted(names))}" if names else "no HaLow radio is seen"
        raise UsageError(f"{seen}; name your board with --board (hardware/boards has them all)")
    profile = board(name or names.pop())
    fitting = {radio.interface for radio in found if not name or name in radio.boards}
    device = interface or _only(fitting) or _only(set(profile.interface_names))
    if not device:
        raise UsageError(f"which interface is that of {profile.title}? Say --interface IF")
    return profile, device


def _only(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


def _key(place: Path | None) -> str:
    if place is None:
        return ""
    from meshnode.halow.setup.files import check_key

    try:
        return check_key(place.read_text().rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the key file {place} cannot be read") from error


def _law(wishes: Wishes) -> list[str]:
    """The node has to be told where it is, too."""
    lines = [f'country = "{wishes.country.upper()}"', *([f'plan = "{wishes.plan}"'] if wishes.plan else [])]
    lines += [f'band = "{wishes.band}"'] if wishes.band else []
    return [f"for the airtime law, [radio] in config.toml of the node: {', '.join(lines)}"]
