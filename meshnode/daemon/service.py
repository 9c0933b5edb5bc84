"""The node as a service of systemd: the files that make it one, shown, written, and taken away again.

The unit is `hardware/systemd/meshnode.service`; what depends on the machine is filled in. Files that somebody else
wrote are never touched. A root other than / is for images and tests: nothing is started there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshnode import resources
from meshnode.control.paths import SERVICE_HOME
from meshnode.errors import UsageError
from meshnode.peering.interface import check_name

MARK = "# Written by `meshnode service install`"
UNIT = Path("etc/systemd/system/meshnode.service")
ACCOUNT = Path("etc/sysusers.d/meshnode.conf")
RULES = Path("etc/udev/rules.d/70-meshnode-halow.rules")
PLACES = (ACCOUNT, RULES, UNIT)
NAME = "meshnode.service"

_SHUT = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # the unit sees nothing, or something else, there
_SERIAL = "DeviceAllow=char-ttyUSB rw\nDeviceAllow=char-ttyACM rw\nSupplementaryGroups=dialout"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person wants of the service. `overlay` and `interface` as for `meshnode run`; empty: as configured."""

    program: Path
    interface: str = ""
    overlay: str = ""
    passphrase_file: Path | None = None
    serial: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """One file: where (from the root), and what stands in it."""

    place: Path
    text: str


def plan(wishes: Wishes) -> tuple[Written, ...]:
    """The files of the service. UsageError for what systemd would misread; `unreachable` says what it could not run."""
    _check(wishes)
    unit = (resources.hardware() / "systemd" / NAME).read_text()
    options = f" --interface {wishes.interface}" if wishes.interface else ""
    options += f" --overlay {wishes.overlay}" if wishes.overlay else ""
    credential = f"LoadCredential=meshnode-passphrase:{wishes.passphrase_file}\n" if wishes.passphrase_file else ""
    for mark, text in (
        ("@PROGRAM@", str(wishes.program)),
        ("@OPTIONS@", options),
        ("@CREDENTIALS@\n", credential),
        ("@SERIAL@\n", f"{_SERIAL}\n" if wishes.serial else ""),
    ):
        unit = unit.replace(mark, text)
    rules = (resources.hardware() / "udev" / RULES.name).read_text()
    return (
        Written(ACCOUNT, f'{MARK}.\nu meshnode - "meshnode, messages off the grid" {SERVICE_HOME}\n'),
        Written(RULES, f"{MARK}.\n{rules}"),
        Written(UNIT, unit),
    )


def _check(wishes: Wishes) -> None:
    if wishes.interface:
        check_name(wishes.interface)
    for what, path in (("the program", wishes.program), ("the passphrase file", wishes.passphrase_file)):
        if path is None:
            continue
        if any(char.isspace() or char in "%$\\\"'" for char in str(path)) or not path.is_absolute():
            raise UsageError(f"{what} {path} has a path that systemd would misread; choose another")
        if not path.exists():
            raise UsageError(f"{what} {path} does not exist")


def unreachable(wishes: Wishes) -> str:
    """Why the service could not run its program, in a sentence; empty where it can."""
    if not str(wishes.program.resolve()).startswith(tuple(f"{place}/" for place in _SHUT)):
        return ""
    return (
        f"a service cannot run {wishes.program}: home and temporary directories are shut to it; install meshnode"
        " for all users, for example in /opt, or by its Debian package"
    )


def foreign(root: Path) -> list[Path]:
    """Files in our places that we did not write."""
    return [root / place for place in PLACES if (root / place).exists() and not _ours(root / place)]


def present(root: Path) -> list[Path]:
    """Files of ours that are there."""
    return [root / place for place in PLACES if (root / place).exists() and _ours(root / place)]


def write(root: Path, files: Sequence[Written]) -> None:
    """Write the files; UsageError, with nothing written, where one of them is somebody else's or may not be."""
    if taken := foreign(root):
        raise UsageError(f"{taken[0]} is there and not ours; move it away first")
    try:
        for file in files:
            place = root / file.place
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = place.with_suffix(".new")
            fresh.write_text(file.text)
            os.chmod(fresh, 0o644)
            os.replace(fresh, place)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written ({error.strerror}); run this as root") from error


def erase(root: Path) -> list[Path]:
    """Take our files away; the home stays. Says which they were."""
    gone = present(root)
    try:
        for place in gone:
            place.unlink()
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be removed ({error.strerror}); run this as root") from error
    return gone


def runs_here(root: Path) -> bool:
    """True where systemd runs and would act on these files."""
    return root == Path("/") and Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


STARTING = (
    ("systemd-sysusers", str(ACCOUNT.name)),
    ("udevadm", "control", "--reload"),
    ("systemctl", "daemon-reload"),
    ("systemctl", "enable", "--now", NAME),
)
STOPPING = (("systemctl", "disable", "--now", NAME),)
FORGETTING = (("systemctl", "daemon-reload"),)


def call(commands: Sequence[Sequence[str]]) -> None:
    """Run commands in a row; UsageError with what the first that fails had to say."""
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise UsageError(f"`{' '.join(command)}` failed: {said[-1] if said else f'code {done.returncode}'}")


def state() -> str:
    """What systemd says of the service: "active", "inactive", "failed"..., empty where it does not run."""
    if not runs_here(Path("/")):
        return ""
    asked = ["systemctl", "show", "--property=ActiveState", "--value", NAME]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _ours(place: Path) -> bool:
    try:
        return place.read_text().startswith(MARK)
    except (OSError, UnicodeDecodeError):
        return False
