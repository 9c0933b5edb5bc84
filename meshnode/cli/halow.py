"""`meshnode halow`: the configuration files of a board, shown, written, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
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

DRY = Parameter(negative="", help="Show the files, and write nothing.")
UNDO = Parameter(negative="", help="Take back what this command wrote: every file is again what it was before.")
ROOT = Parameter(help="Write below this directory instead of /, for an image; nothing is enabled.")
KEY = Parameter(help="File with the passphrase of the Wi-Fi network, 8 to 63 characters.")
BOOT = (Path("boot/firmware/config.txt"), Path("boot/config.txt"))


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
    dry_run: Annotated[bool, DRY] = False,
    undo: Annotated[bool, UNDO] = False,
    root: Annotated[Path, ROOT] = Path("/"),
    common: Common = COMMON,
) -> None:
    """Write the files that bring up the HaLow radio: its network, its driver's options, its overlay at boot.

    They are shown first, and take effect at the next boot. Country, channel and calibration are those you choose.

    Example: meshnode halow setup --country US --channel 42 --key-file key.txt --dry-run
    """
    from meshnode.halow.setup import radio

    if undo:
        _take_back(common, root, "setup", radio.NAME, dry_run=dry_run)
        return
    if not country:
        raise UsageError("say where the radio is: --country and two letters; it decides which channels there are")
    profile, device = _board(board, interface, root / "sys")
    wishes = radio.Wishes(
        profile, device, country, name, role, channel, width, _key(key_file), plan, band, calibration
    )  # fmt: skip
    made = radio.plan(wishes, next((place for place in BOOT if (root / place).exists()), None))
    _write(common, root, "setup", made.files, [*made.notes, *_law(wishes)], radio.NAME, dry_run=dry_run)


def hotspot(
    *,
    name: Annotated[str, Parameter(help="Its name, as phones show it.")] = "meshnode",
    key_file: Annotated[Path | None, KEY] = None,
    channel: Annotated[int, Parameter(help="2.4 GHz channel, 1 to 11. Default: 6.")] = 6,
    country: Annotated[str, Parameter(help="Two letters; left out, no regulatory domain is written.")] = "",
    address: Annotated[str, Parameter(help="Address of the board there. Default: 10.43.0.1/24.")] = "10.43.0.1/24",
    interface: Annotated[str, Parameter(help="Default: the one Wi-Fi interface that is no HaLow radio.")] = "",
    dry_run: Annotated[bool, DRY] = False,
    undo: Annotated[bool, UNDO] = False,
    root: Annotated[Path, ROOT] = Path("/"),
    common: Common = COMMON,
) -> None:
    """Write the files that make the built-in Wi-Fi a hotspot, for phones near the board.

    They are shown first, and take effect at the next boot. Needs hostapd, and systemd-networkd for the addresses.

    Example: meshnode halow hotspot --name shelter --key-file key.txt --dry-run
    """
    from meshnode.halow.setup import hotspot as spot

    if undo:
        _take_back(common, root, "hotspot", spot.NAME, dry_run=dry_run)
        return
    if key_file is None:
        raise UsageError("a hotspot needs a key: --key-file FILE, with 8 to 63 characters")
    device = interface or spot.built_in(root / "sys")
    files = spot.plan(spot.Wishes(device, name, _key(key_file), channel, country, address))
    _write(common, root, "hotspot", files, [f"{device} leaves the network it is in now"], spot.NAME, dry_run=dry_run)


def _write(
    common: Common, root: Path, name: str, files: Sequence[Wanted], notes: Sequence[str], unit: str, *, dry_run: bool
) -> None:
    from meshnode.daemon import service
    from meshnode.halow.setup import undo

    lines = [line for file in files for line in ("", f"--- {_title(root, file)}", file.shown.rstrip())]
    lines += [f"note      {text}" for text in notes]
    if not dry_run:
        replaced = undo.write(root, name, files)
        lines += [f"written   {root / file.place}" for file in files]
        lines += [f"kept      what {path} was before, for --undo" for path in replaced]
        lines += _enable(root, unit)
    data = {
        "files": [{"path": str(root / file.place), "text": file.shown, "appended": file.appended} for file in files],
        "notes": notes,
        "written": not dry_run,
        "enabled": service.runs_here(root) and not dry_run,
    }
    say.answer(common, data, lines)


def _take_back(common: Common, root: Path, name: str, unit: str, *, dry_run: bool) -> None:
    from meshnode.daemon import service
    from meshnode.halow.setup import undo
    from meshnode.halow.setup.files import UNITS

    journal = undo.read(root, name)
    there = [root / file.place for file in journal.files] if journal else []
    if journal and not dry_run:
        undo.check(root, journal)
        if service.runs_here(root) and (root / UNITS / unit).exists():
            service.call((("systemctl", "disable", unit),))
        undo.undo(root, name)
        if service.runs_here(root):
            service.call(service.FORGETTING)
    verb = "would be as before " if dry_run else "as before "
    lines = [f"{verb} {path}" for path in there] or ["nothing of ours is here"]
    if there and not dry_run:
        lines.append("next      boot again; until then the radio stays as it is")
    data = {"files": [{"path": str(path)} for path in there], "written": bool(there) and not dry_run}
    say.answer(common, data, lines)


def _enable(root: Path, unit: str) -> list[str]:
    """The unit starts with the next boot, not now: the person may be connected through what it changes."""
    from meshnode.daemon import service

    if service.runs_here(root):
        service.call((("systemctl", "daemon-reload"), ("systemctl", "enable", unit)))
        return ["next      boot again; `meshnode doctor` says whether the radio came up"]
    return [f"next      systemctl --root={root} enable {unit}"]


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
