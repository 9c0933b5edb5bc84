"""`meshnode-sim replay`: a journal from the field, through the core again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.daemon.home import open_home
from meshnode.errors import SimulationError, UsageError
from meshnode_sim.cli.options import Json
from meshnode_sim.replay import Life
from meshnode_sim.replay import replay as play


def replay(
    journal: Path,
    *,
    home: Annotated[Path | None, Parameter(help="Whose journal it is; else the home it lies in.")] = None,
    passphrase_file: Annotated[Path | None, Parameter(help="What the keys of the home open with.")] = None,
    json_: Json = False,
) -> None:
    """Play the journal of a daemon again (`journal.keep = true`), and see that the same comes of it.

    Example: meshnode-sim replay ~/.local/share/meshnode/journal
    """
    if not journal.exists():
        raise UsageError(f"there is no journal {journal}: name the folder `journal` of a home that keeps one")
    folder = journal if journal.is_dir() else journal.parent
    with open_home(home or folder, lock=False, passphrase_file=passphrase_file) as opened:
        lives = play(opened, folder)
    print(json.dumps({"lives": [asdict(life) for life in lives]}) if json_ else "\n".join(map(_told, lives)))
    if any(life.differs for life in lives):
        raise SimulationError("what came of the journal now is not what came of it then")


def _told(life: Life) -> str:
    came = f"{life.steps} inputs, {life.effects} effects"
    return f"start {life.epoch}: {came}, {f'until {life.differs}' if life.differs else 'all as before'}"
