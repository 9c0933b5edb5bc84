"""`meshnode demo`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from meshnode.cli import say
from meshnode.cli.app import DONE, FAILED, INTERRUPTED
from meshnode.cli.options import COMMON, Common


def demo(
    *,
    nodes: Annotated[
        int,
        Parameter(help="How many nodes stand in the line, 2 to 12.", show_default=True,
                  validator=validators.Number(gte=2, lte=12)),
    ] = 5,
    serve: Annotated[bool, Parameter(negative="", help="Keep the nodes up, with a page at each end.")] = False,
    seed: Annotated[int, Parameter(help="Which frames are lost.", show_default=True)] = 1,
    common: Common = COMMON,
) -> int:  # fmt: skip
    """Watch a message cross a mesh of complete nodes on this machine. No root, no set-up, no network.

    Only the radios are modelled: a HaLow channel that loses one frame in ten. One node loses power on the way.

    Example: meshnode demo
    Example: meshnode demo --nodes 7 --serve
    """
    import trio

    from meshnode.demo.play import Outcome, play

    outcomes: list[Outcome] = []

    def tell(outcome: Outcome, homes: list[Path]) -> None:
        outcomes.append(outcome)
        if common.json:
            served = {"homes": [str(home) for home in homes]} if serve else {}
            say.line({**asdict(outcome), "nodes": nodes, "seed": seed, **served})

    trio.run(partial(play, nodes, seed, tell, serve=serve, silent=common.json))
    if not outcomes:
        return INTERRUPTED
    return DONE if outcomes and outcomes[0].delivered else FAILED
