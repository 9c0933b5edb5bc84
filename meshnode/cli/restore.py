"""`meshnode restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.options import COMMON, Common
from meshnode.cli.secret import passphrase_from


def restore(
    file: Annotated[Path, Parameter(help="The backup.")],
    /,
    *,
    passphrase_file: Annotated[
        Path, Parameter(help="The file with its passphrase or words; - is standard input.")
    ] = Path("-"),
    verify: Annotated[bool, Parameter(negative="", help="Only check that all in it opens and is whole.")] = False,
    common: Common = COMMON,
) -> None:
    """Make a home from a backup, with everything in it. Person and device stay; it goes on with new keys of its own.

    The passphrase is read from standard input, unless a file is named. `--verify` restores nothing.

    Example: meshnode restore /media/stick/ada.backup --home /srv/meshnode
    Example: meshnode restore /media/stick/ada.backup --verify --passphrase-file words.txt
    """
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
