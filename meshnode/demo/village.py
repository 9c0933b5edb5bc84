"""The nodes of the demo: complete daemons, each with its own home, store and control socket."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from meshnode.config import Config, WebSection
from meshnode.control import client
from meshnode.control.replies import ContactsReply, Reply, UriReply
from meshnode.control.requests import ContactAddRequest, InviteRequest, Request
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import closed_mesh
from meshnode.daemon.capture import TappedSealer
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.loop import NodeLike
from meshnode.daemon.main import Carriers, real_node, run_daemon
from meshnode.demo.observed import Observed, See
from meshnode.demo.sky import Sky
from meshnode.overlay.none import NoOverlay
from meshnode.peering.memory import MemorySessions, Switchboard

NAMES = ("Ada", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus", "Hal", "Ida", "Jo", "Kai", "Liv")
MESH = "valley"
PAGE = WebSection(enabled=True, port=0, addresses=("127.0.0.1",))

R = TypeVar("R", bound=Reply)


class Village:
    """Homes below one directory, on one sky."""

    def __init__(
        self, root: Path, nodes: int, sky: Sky, see: See, nursery: trio.Nursery, pages: Collection[int] = ()
    ) -> None:
        """`pages`: the nodes that serve one, on this machine alone."""
        self.names = NAMES[:nodes]
        self.homes = [root / name.lower() for name in self.names]
        self._sky = sky
        self._see = see
        self._nursery = nursery
        self._pages = pages
        self._board = Switchboard(sky.carry)
        self._lives: dict[int, trio.CancelScope] = {}

    async def settle(self) -> None:
        """Make all homes, members of one closed mesh."""
        mesh = closed_mesh(MESH, SystemEntropy().take("mesh", 32))
        for node, (path, name) in enumerate(zip(self.homes, self.names, strict=True)):
            config = Config(web=PAGE) if node in self._pages else Config()
            home = await trio.to_thread.run_sync(partial(create_home, path, name, mesh, config=config))
            home.close()

    async def start(self, node: int) -> None:
        """Switch a node on; returns when it is ready."""
        await self._nursery.start(self._live, node)

    async def _live(self, node: int, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope() as life:
            self._lives[node] = life
            home = await trio.to_thread.run_sync(open_home, self.homes[node])
            with home:
                home.sealer = TappedSealer()
                make = partial(self._made, node)
                await run_daemon(home, partial(self._carriers, node), make_node=make, task_status=task_status)

    def kill(self, node: int) -> None:
        """Its power is cut: no farewell, and nothing more leaves its radio."""
        self._sky.switch_off(node)
        self._lives.pop(node).cancel()

    def _made(self, node: int, home: Home, snapshot: Snapshot, epoch: int) -> NodeLike:
        return Observed(real_node(home, snapshot, epoch), node, self._see)

    def _carriers(self, node: int, home: Home) -> Carriers:
        sessions = MemorySessions(
            home.keys, home.mesh, home.sealer, home.entropy, address=self._sky.addresses[node], board=self._board
        )
        return Carriers((self._sky.link(node),), sessions, NoOverlay("The demo has none."))

    async def ask(self, node: int, request: Request, reply: type[R]) -> R:
        """One question over the control socket of a node, as the commands ask."""
        async with client.connect(self.homes[node] / "control.sock") as connection:
            return await connection.ask(request, reply)

    async def introduce(self, one: int, other: int) -> None:
        """Each adds the other's contact."""
        for me, friend in ((one, other), (other, one)):
            uri = (await self.ask(friend, InviteRequest(), UriReply)).uri
            await self.ask(me, ContactAddRequest(uri=uri), ContactsReply)
