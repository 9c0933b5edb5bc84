"""Real daemons for tests of commands: on a thread of their own, with homes and control sockets as anywhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from meshnode.config import LogSection
from meshnode.control.replies import NeighboursReply
from meshnode.control.requests import NeighboursRequest
from meshnode.core.records import Record
from meshnode.daemon import logs
from meshnode.demo.sky import Sky
from meshnode.demo.village import Village

READY_WITHIN_S = 60.0


@contextmanager
def village(root: Path, nodes: int, *, seed: int = 1) -> Iterator[list[Path]]:
    """Homes of running nodes in a line without loss, the first and the last in each other's address book."""
    life = _Life(root, nodes, seed)
    thread = threading.Thread(target=trio.run, args=(life.live,), daemon=True)
    thread.start()
    try:
        if not life.ready.wait(READY_WITHIN_S):
            raise TimeoutError("the nodes did not start; see the log above")
        yield life.homes
    finally:
        life.end()
        thread.join(READY_WITHIN_S)


class _Life:
    def __init__(self, root: Path, nodes: int, seed: int) -> None:
        self.ready = threading.Event()
        self.homes: list[Path] = []
        self._root, self._nodes, self._seed = root, nodes, seed
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()

    async def live(self) -> None:
        logs.set_up(LogSection(level="error"))
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with trio.open_nursery() as nursery:
                sky = Sky(self._nodes, self._seed, loss=0.0)
                here = Village(self._root, self._nodes, sky, _unseen, nursery)
                nursery.start_soon(sky.run)
                await here.settle()
                for node in range(self._nodes):
                    await here.start(node)
                if self._nodes > 1:
                    await here.introduce(0, self._nodes - 1)
                for node in range(self._nodes if self._nodes > 1 else 0):
                    while not await _has_neighbour(here, node):  # noqa: ASYNC110 - it has to be asked
                        await trio.sleep(0.05)
                self.homes = here.homes
                self.ready.set()
                await trio.sleep_forever()

    def end(self) -> None:
        if self._token is not None:
            self._token.run_sync_soon(self._scope.cancel)


async def _has_neighbour(here: Village, node: int) -> bool:
    known = (await here.ask(node, NeighboursRequest(), NeighboursReply)).neighbours
    return any(neighbour.bound for neighbour in known)


def _unseen(node: int, record: Record) -> None:
    """Nobody looks."""
