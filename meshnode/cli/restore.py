"""`meshnode restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.cli.secret import passphrase_from
from meshnode.control import replies, requests
from meshnode.errors import UsageError


def restore(
    file: Annotated[Path | None, Parameter(help="The backup.")] = None,
    /,
    *,
    passphrase_file: Annotated[
        Path, Parameter(help="The file with its passphrase or words; - is standard input.")
    ] = Path("-"),
    verify: Annotated[bool, Parameter(negative="", help="Only check that all in it opens and is whole.")] = False,
    forget: Annotated[
        bool, Parameter(negative="", help="Remove what this home was before it was restored on the page.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Make a home from a backup, with everything in it. Person and device stay; it goes on with new keys of its own.

    The passphrase is read from standard input, unless a file is named. `--verify` restores nothing. A restore on the
    page keeps what the home was beside (before-restore-1); `--forget` removes that, and takes no backup.

    Example: meshnode restore /media/stick/ada.backup --home /srv/meshnode
    Example: meshnode restore /media/stick/ada.backup --verify --passphrase-file words.txt
    Example: meshnode restore --forget
    """
    if forget == (file is not None):
        raise UsageError("name the backup to restore, or --forget alone")
    if file is None:
        _forget(common)
    else:
        _restore(file, passphrase_file, verify, common)


def _forget(common: Common) -> None:
    gone = ask(common, requests.SetAsideRequest(forget=True), replies.SetAsideReply, offline=True)
    shown = f"removed what this home was before: {say.size(gone.bytes)}" if gone.homes else "nothing was set aside here"
    say.answer(common, gone, [shown])


def _restore(file: Path, passphrase_file: Path, verify: bool, common: Common) -> None:
    from meshnode.core.sealing.primitives import RealSealer
    from meshnode.daemon import backup

    words = passphrase_from(passphrase_file)
    if verify:
        about = backup.verify(file, words, RealSealer())
        done = "is whole"
    else:
        about = backup.restore(file, common.directory, words, RealSealer())
        done = f"is restored to {common.directory}"
    data = {
        "name": about.name,
        "persona": about.persona,
        "version": about.version,
        "made_at": about.made_at,
        "profiles": len(about.homes) - 1,
    }
    saved = f", saved {about.made_at}," if about.made_at else ""
    profiles = f" and {len(about.homes) - 1} profiles" if len(about.homes) > 1 else ""
    say.answer(common, data, [f"the home of {about.name}{profiles}{saved} {done}"])
