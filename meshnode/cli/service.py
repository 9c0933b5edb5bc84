"""`meshnode service`: the node as a service of systemd."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.options import COMMON, Common
from meshnode.control.paths import SERVICE_HOME
from meshnode.errors import UsageError

DRY = Parameter(negative="", help="Show what would be done, and do nothing.")
ROOT = Parameter(help="Write below this directory instead of /, for an image; nothing is started.")


def install(
    *,
    interface: Annotated[str, Parameter(help="Bind to this interface. Default: as configured, or what is found.")] = "",
    overlay: Annotated[
        Literal["auto", "system", "embedded", "none"] | None, Parameter(help="Yggdrasil. Default: overlay.backend.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, Parameter(help="Hand the passphrase in this file to the service as a credential.")
    ] = None,
    serial: Annotated[bool, Parameter(negative="", help="Let the service use serial modems.")] = False,
    dry_run: Annotated[bool, DRY] = False,
    root: Annotated[Path, ROOT] = Path("/"),
    common: Common = COMMON,
) -> None:
    """Run the node as a service from now on: unit, account, device rules. Its home is /var/lib/meshnode.

    Members of the group `meshnode` may use it: `adduser NAME meshnode`.

    Example: meshnode service install --interface wlan1 --dry-run
    """
    from meshnode.daemon import service

    wishes = service.Wishes(_program(), interface, overlay or "", passphrase_file, serial)
    files = service.plan(wishes)
    data = {
        "files": [{"path": str(root / file.place), "text": file.text} for file in files],
        "written": not dry_run,
        "started": service.runs_here(root) and not dry_run,
    }
    if wrong := service.unreachable(wishes):
        if not dry_run:
            raise UsageError(wrong)
        say.note(wrong)
    if dry_run:
        say.answer(common, data, [line for file in files for line in ("", f"--- {root / file.place}", file.text)])
        return
    service.write(root, files)
    if service.runs_here(root):
        service.call(service.STARTING)
    say.answer(common, data, [*(f"written   {root / file.place}" for file in files), *_next(root)])


def remove(
    *, dry_run: Annotated[bool, DRY] = False, root: Annotated[Path, ROOT] = Path("/"), common: Common = COMMON
) -> None:
    """Stop the service and take its files away. The home with its keys and messages stays.

    Example: meshnode service remove
    """
    from meshnode.daemon import service

    there = service.present(root)
    if not dry_run and there:
        if service.runs_here(root):
            service.call(service.STOPPING)
        service.erase(root)
        if service.runs_here(root):
            service.call(service.FORGETTING)
    verb = "would go " if dry_run else "removed  "
    lines = [f"{verb} {path}" for path in there] or ["there is no service of ours"]
    data = {"files": [{"path": str(path)} for path in there], "written": bool(there) and not dry_run}
    say.answer(common, data, [*lines, f"stays     {SERVICE_HOME}"])


def status(*, root: Annotated[Path, ROOT] = Path("/"), common: Common = COMMON) -> None:
    """Say whether the service is installed, and what systemd says of it.

    Example: meshnode service status
    """
    from meshnode.daemon import service

    there, foreign, state = service.present(root), service.foreign(root), service.state()
    lines = [f"file      {path}" for path in there] or ["not installed: meshnode service install"]
    lines += [f"not ours  {path}" for path in foreign]
    if there:
        lines.append(f"state     {state or 'systemd does not run here'}")
    files = [{"path": str(path)} for path in there]
    say.answer(common, {"installed": bool(there), "files": files, "state": state}, lines)


def _program() -> Path:
    """This program, as a service would call it."""
    beside = Path(sys.executable).with_name("meshnode")
    found = str(beside) if beside.exists() else shutil.which("meshnode")
    if found is None:
        raise UsageError("the program meshnode is not found; install it before its service")
    return Path(found)


def _next(root: Path) -> list[str]:
    from meshnode.daemon import service

    if service.runs_here(root):
        return ["started   journalctl -u meshnode shows its log; `meshnode status` asks it"]
    return [f"next      {' && '.join(' '.join(words) for words in service.STARTING)}"]
