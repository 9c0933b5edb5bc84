"""What every command takes: the home it is about, and whether a program or a person reads the answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from meshnode.control.paths import SERVICE_HOME, SERVICE_SOCKET
from meshnode.errors import UsageError

JSON_HELP = "Print JSON alone: one object, or one per line where the command streams."
HOME_HELP = (
    "Home of the node. Default: $MESHNODE_HOME, else $STATE_DIRECTORY, else ~/.local/state/meshnode; the service's."
)


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """The options of every command."""

    home: Annotated[Path | None, Parameter(name="--home", help=HOME_HELP)] = None
    json: Annotated[bool, Parameter(name="--json", negative="", help=JSON_HELP)] = False

    @property
    def directory(self) -> Path:
        """The home this command is about."""
        home = (self.home or default_home()).expanduser().absolute()
        try:
            str(home).encode()
        except UnicodeEncodeError:
            raise UsageError("the path of the home is not UTF-8 text; choose another") from None
        return home


COMMON = Common()


def default_home() -> Path:
    """Where the home is when no option says so: one's own, else that of the service if one may speak to it."""
    for variable in ("MESHNODE_HOME", "STATE_DIRECTORY"):
        if place := os.environ.get(variable):
            return Path(place.partition(":")[0] if variable == "STATE_DIRECTORY" else place)
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    own = Path(state, "meshnode").expanduser()
    return SERVICE_HOME if not own.exists() and os.access(SERVICE_SOCKET, os.W_OK) else own
