"""Runs one embedded node on trio: its TUN, its clock, its connections.

All of the node is plain code between two awaits, so there are no locks. After whatever may have made packets, `flush`
wakes the connections that have something to write.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address

import structlog
import trio

from meshnode.core.ports import Entropy
from meshnode.errors import LinkError, OverlayError
from meshnode.overlay.embedded.host.certificate import client_context, server_context
from meshnode.overlay.embedded.host.connection import Connection, Terms
from meshnode.overlay.embedded.host.listeners import listen, made_ready
from meshnode.overlay.embedded.host.multicast import Group, Multicast
from meshnode.overlay.embedded.host.peerings import Peerings
from meshnode.overlay.embedded.host.streams import Target, dial, target_of
from meshnode.overlay.embedded.host.tun import Tun, open_tun
from meshnode.overlay.embedded.node import Node, NodeSettings
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.beacon import Beacon
from meshnode.overlay.embedded.wire.keys import Identity
from meshnode.overlay.uris import PeerUri, parse_peer_uri

TICK_S = 0.25
TICKS_OF_A_SECOND = 4
PACKETS_AT_ONCE = 64  # from the TUN, before others get their turn
MOST_CONNECTIONS = 256

_log = structlog.get_logger("overlay")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is made of. `inside`: the TUN in a namespace, in the host, or (None) as the rights are."""

    seed: bytes = field(repr=False)
    node: NodeSettings = field(default_factory=NodeSettings)
    tun: str = "auto"
    inside: bool | None = None
    listen: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    allowed: frozenset[bytes] = frozenset()  # keys that may dial our listeners, multicast excepted; empty: all


class Engine:
    """A node, running. `keep` writes the highest number used, `kept` is what it wrote last."""

    def __init__(self, settings: EngineSettings, entropy: Entropy, kept: int, keep: Callable[[int], None]) -> None:
        self.settings = settings
        self.identity = Identity(settings.seed)
        sequence = Sequence(kept, lambda: int(time.time()), keep, time.monotonic())
        self.node = Node(self.identity, entropy, sequence, self._to_tun, settings.node)
        self.connections: list[Connection] = []
        self.tun: Tun | None = None
        self._client, self._server = client_context(), server_context(self.identity.public.hex())
        self.peerings = Peerings(self.serve, self._client)
        own = self.identity.public
        self.multicasts = [
            Multicast(group, own, entropy, partial(self._found, group), partial(self._arrived, "tls", _terms_of(group)))
            for group in settings.groups
        ]
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` when packets can flow. OverlayError where there can be no TUN."""
        with ExitStack() as stack:
            if self.settings.tun != "none":
                opening = open_tun(
                    str(IPv6Address(self.node.address)), self.settings.node.mtu,
                    name=self.settings.tun, inside=self.settings.inside,
                )  # fmt: skip
                self.tun = stack.enter_context(opening)
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for uri in self.settings.listen:
                    await self._listen(target_of(parse_peer_uri(uri)), nursery)
                for multicast in self.multicasts:
                    nursery.start_soon(multicast.run)
                if self.tun is not None:
                    nursery.start_soon(self._from_tun, self.tun.descriptor)
                nursery.start_soon(self._tick)
                task_status.started()

    def add_peer(self, uri: PeerUri) -> None:
        """Peer from now on."""
        if self._nursery is None:
            raise OverlayError("The overlay does not run yet.")
        self.peerings.add(self._nursery, uri)

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Find nobody on these interfaces, and let go whom we found there, until told otherwise."""
        for multicast in self.multicasts:
            multicast.resting = multicast.group.interface in interfaces

    def let_go(self, remote: str) -> None:
        """End the connections with one remote, as the admin socket shows it."""
        for connection in self.connections:
            if connection.remote == remote:
                connection.close("its interface has to be left alone")

    async def serve(self, connection: Connection) -> None:
        """Serve one connection until it ends."""
        if len(self.connections) >= MOST_CONNECTIONS:
            connection.close("too many connections")
        self.connections.append(connection)
        try:
            await connection.run(self.node, self.identity, self.flush, self.peerings.hurry)
        finally:
            self.connections.remove(connection)
        _log.info("link ended", remote=connection.remote, why=connection.reason)

    def flush(self) -> None:
        """Have everybody write what waits."""
        for connection in self.connections:
            connection.flush()

    # ---- time

    async def _tick(self) -> None:
        count = 0
        while True:
            now = trio.current_time()
            for connection in self.connections:
                connection.tick(now)
            if count % TICKS_OF_A_SECOND == 0:
                self.node.maintain(now)
                for connection in self.connections:
                    connection.count()
            else:
                self.node.hasten(now)
            self.flush()
            count += 1
            await trio.sleep(TICK_S)

    # ---- packets

    async def _from_tun(self, descriptor: int) -> None:
        size = 65536
        while True:
            await trio.lowlevel.wait_readable(descriptor)
            now = trio.current_time()
            with suppress(BlockingIOError):
                for _ in range(PACKETS_AT_ONCE):
                    self.node.from_host(os.read(descriptor, size), now)
            self.flush()

    def _to_tun(self, packet: bytes) -> None:
        if self.tun is None:
            return
        try:
            os.write(self.tun.descriptor, packet)
        except OSError:
            self.node.counters["tun_refused"] += 1

    # ---- who dials us

    async def _listen(self, target: Target, nursery: trio.Nursery) -> None:
        listener = await listen(target)
        terms = target.terms if not self.settings.allowed else _restricted(target.terms, self.settings.allowed)
        nursery.start_soon(trio.serve_listeners, partial(self._arrived, target.scheme, terms), [listener])

    async def _arrived(self, scheme: str, terms: Terms, stream: trio.SocketStream) -> None:
        remote = _remote(stream, scheme)
        try:
            ready = await made_ready(stream, scheme, self._server)
        except LinkError as error:
            _log.debug("who dialled us is no neighbour", remote=remote, why=str(error))
            return
        await self.serve(Connection(ready, remote, terms, inbound=True))

    # ---- whom we found

    async def _found(self, group: Group, beacon: Beacon, address: str) -> None:
        """Dial the sender of a beacon, unless we have."""
        uri = PeerUri(f"tls://[{address}]:{beacon.port}", "", group.interface)
        shown = f"tls://[{address}%25{group.interface}]:{beacon.port}"
        if any(one.remote == shown or (one.key == beacon.key and not one.inbound) for one in self.connections):
            return
        terms = Terms(0, group.password, frozenset((beacon.key,)))
        target = Target(uri, "tls", address, beacon.port, "", "", terms, 0.0)
        try:
            stream = await dial(target, self._client)
        except LinkError as error:
            _log.debug("neighbour not reached", remote=shown, why=str(error))
            return
        await self.serve(Connection(stream, shown, terms, inbound=False))


def _terms_of(group: Group) -> Terms:
    return Terms(0, group.password)


def _restricted(terms: Terms, keys: frozenset[bytes]) -> Terms:
    return Terms(terms.priority, terms.password, keys)


def _remote(stream: trio.SocketStream, scheme: str) -> str:
    """As the admin socket shows who dialled us."""
    try:
        place = stream.socket.getpeername()
    except OSError:
        return f"{scheme}://gone"
    if not isinstance(place, tuple):
        return "unix://"
    host = str(place[0]).replace("%", "%25")
    return f"{scheme}://[{host}]:{place[1]}" if ":" in host else f"{scheme}://{host}:{place[1]}"
