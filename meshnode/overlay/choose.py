"""Which overlay this node has: what `--overlay` means.

auto       a yggdrasil that runs, else the node in this process; where that cannot be, the link alone until one answers
system     a yggdrasil that runs, else a child of our own
embedded   the node in this process, with or without rights
none       the link alone
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
import trio

from meshnode.core.inputs import Input
from meshnode.core.ports import Entropy
from meshnode.errors import LinkError, OverlayError, UsageError
from meshnode.overlay.child import Child, ChildSettings, check_rights, find_program, socket_place
from meshnode.overlay.embedded.ends.ip6 import LEAST_MTU
from meshnode.overlay.embedded.host.engine import EngineSettings
from meshnode.overlay.embedded.host.multicast import Group
from meshnode.overlay.embedded.node import NodeSettings
from meshnode.overlay.embedded.overlay import EmbeddedOverlay
from meshnode.overlay.none import NoOverlay
from meshnode.overlay.peers import PeerBook
from meshnode.overlay.system import DEFAULT_ENDPOINTS, LOOK_EVERY_S, SystemOverlay

ADMIN_VARIABLE = "MESHNODE_YGGDRASIL_ADMIN"
CHILD_ANSWERS_WITHIN_S = 10.0
LOOK_FOR_CHILD_S = 0.1
# Each packet has some 240 B of headers around it by the time it is on the wire. Over a radio a long one is in the way
# of others, so there the sessions keep to short ones (peering/tcp.py); an uplink is not slow.
UPLINK_MTU = 8192

ALONE = "No yggdrasil answers here, and none of our own can run"

_log = structlog.get_logger("overlay")

Inputs = trio.MemorySendChannel[Input]
AnyOverlay = SystemOverlay | NoOverlay


def endpoints(admin: str = "") -> tuple[str, ...]:
    """Where a running daemon may answer: the option, else the environment, else the usual places."""
    named = admin or os.environ.get(ADMIN_VARIABLE, "")
    return (named,) if named else DEFAULT_ENDPOINTS


class ChosenOverlay:
    """The overlay of a node, decided when it runs. `home` keeps the peerings, `runtime` the socket of a child.

    `far`: bridges to call through the network. `private`, of a bridge: `embedded` keeps its TUN in a namespace of its
    own, so that nothing else that listens on this box can be reached from the overlay, and takes longer packets.
    """

    def __init__(
        self,
        wanted: str,
        child: ChildSettings,
        *,
        entropy: Entropy,
        home: Path,
        runtime: Path | None = None,
        admin: str = "",
        peers: Sequence[str] = (),
        far: Sequence[str] = (),
        private: bool = False,
    ) -> None:
        if wanted not in ("auto", "system", "embedded", "none"):
            raise UsageError(f"There is no overlay called {wanted}; use auto, system, embedded or none.")
        self._wanted = wanted
        self._child = child
        self._entropy = entropy
        self._mark = home / "overlay.mark"
        self._runtime = runtime or home / "run"
        self._book = PeerBook(home / "peers.json", tuple(peers), tuple(far))
        self._private = private
        self._endpoints = endpoints(admin)
        self._now: AnyOverlay = NoOverlay()
        self._off: frozenset[str] = frozenset()

    async def run(self, inputs: Inputs, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` once it is known whether there is an address."""
        if self._wanted == "none":
            await self._now.run(inputs, task_status=task_status)
            return
        if self._wanted == "embedded":
            await self._embedded(inputs, task_status)
            return
        found = SystemOverlay(self._endpoints, self._book)
        if await found.look(inputs):
            self._take(found)
            await found.run(inputs, task_status=task_status)
        elif self._wanted == "auto":
            await self._embedded_or_alone(found, inputs, task_status)
        else:
            await self._with_child(inputs, task_status)

    def where(self) -> tuple[str, str]:
        """Interface and address for sessions; empty while there are none."""
        return self._now.where()

    def status(self) -> Mapping[str, object]:
        """For `status`."""
        return self._now.status()

    async def add_peer(self, uri: str) -> None:
        """Peer with it from now on."""
        await self._now.add_peer(uri)

    async def remove_peer(self, uri: str) -> None:
        """Stop peering with it."""
        await self._now.remove_peer(uri)

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Drop the peerings over these interfaces, and make none there until told otherwise."""
        self._off = interfaces
        self._now.stay_off(interfaces)

    def _take(self, overlay: AnyOverlay) -> None:
        """From now on it is this one."""
        self._now = overlay
        overlay.stay_off(self._off)

    def socket(self, family: int, kind: int) -> socket.socket:
        """A socket that sees the overlay, wherever that is."""
        if isinstance(self._now, EmbeddedOverlay):
            return self._now.socket(family, kind)
        return socket.socket(family, kind)

    def is_uplink(self, address: str) -> bool:
        """True for one beyond a peering that a person made: no radio of ours is on the way."""
        return self._now.is_uplink(address)

    async def _embedded(self, inputs: Inputs, task_status: trio.TaskStatus[None]) -> None:
        child = self._child
        groups = (Group(child.interface, child.password.encode()),) if child.interface else ()
        node = NodeSettings(mtu=UPLINK_MTU if self._private else LEAST_MTU)
        settings = EngineSettings(
            child.seed, node, tun=child.tun, listen=child.listen, groups=groups, inside=True if self._private else None
        )
        with socket_place(self._runtime) as admin:
            overlay = EmbeddedOverlay(settings, self._entropy, mark=self._mark, admin=admin, book=self._book)
            self._take(overlay)
            await overlay.run(inputs, task_status=task_status)

    async def _embedded_or_alone(
        self, found: SystemOverlay, inputs: Inputs, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            await self._embedded(inputs, task_status)
        except* (OverlayError, LinkError) as failed:
            reason = _first(failed)
        await self._alone(found, inputs, task_status, f"{ALONE}: {reason}")

    async def _alone(self, found: SystemOverlay, inputs: Inputs, task_status: trio.TaskStatus[None], why: str) -> None:
        """Go on without, and attach when a daemon starts after us."""
        self._now = NoOverlay(why)
        _log.warning("no yggdrasil", detail=why)
        task_status.started()
        while not await found.look(inputs):  # noqa: ASYNC110 - the daemon has to be asked
            await trio.sleep(LOOK_EVERY_S)
        self._take(found)
        await found.run(inputs)

    async def _with_child(self, inputs: Inputs, task_status: trio.TaskStatus[None]) -> None:
        program = await trio.to_thread.run_sync(find_program, self._child.program)
        check_rights()
        with socket_place(self._runtime) as socket:
            child = Child(self._child, program, socket)
            attached = ChildOverlay(socket, self._book, child)
            self._take(attached)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child.run)
                with trio.move_on_after(CHILD_ANSWERS_WITHIN_S):
                    while not await attached.look(inputs):  # noqa: ASYNC110 - the daemon has to be asked
                        await trio.sleep(LOOK_FOR_CHILD_S)
                await nursery.start(attached.run, inputs)
                task_status.started()


def _first(failed: BaseException) -> str:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return str(failed)


class ChildOverlay(SystemOverlay):
    """Attached to a child of our own."""

    backend = "child"

    def __init__(self, socket: Path, book: PeerBook, child: Child) -> None:
        super().__init__((f"unix://{socket}",), book)
        self._child = child

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Drop the peerings over these interfaces; the child looks for neighbours only where its configuration says."""
        super().stay_off(interfaces)
        self._child.stay_off(interfaces)
