"""`meshnode-sim modem`."""

from __future__ import annotations

import json
import time
from typing import Annotated, Literal

from cyclopts import Parameter

from meshnode_sim.cli.options import Json
from meshnode_sim.modem.pty import serve as serve_modems
from meshnode_sim.modem.serving import offer


def modem(
    dialect: Literal["newracom", "taixin", "warthog"],
    *,
    count: Annotated[int, Parameter(help="How many, in hearing of each other.")] = 2,
    loss: Annotated[float, Parameter(help="Part of all attempts on the air that is lost, 0 to 1.")] = 0.0,
    seed: int = 1,
    for_s: Annotated[float | None, Parameter(name="--for", help="Seconds to run; else until Ctrl-C.")] = None,
    json_: Json = False,
) -> None:
    """Run fake serial modems on pseudo-terminals, to try programs against without hardware.

    Newracom modems carry datagrams to each other over the modelled channel (1 MHz); the others are consoles. Prints the
    path of each.

    Example: meshnode-sim modem newracom --count 3 --loss 0.1
    """
    air, lines = offer(dialect, count, loss, seed)
    paths = [line.path for line in lines]
    print(json.dumps({"dialect": dialect, "paths": paths}) if json_ else "\n".join(paths), flush=True)
    end = None if for_s is None else time.monotonic() + for_s
    try:
        serve_modems(lines, air, lambda: end is not None and time.monotonic() >= end)
    finally:
        for line in lines:
            line.unplug()
