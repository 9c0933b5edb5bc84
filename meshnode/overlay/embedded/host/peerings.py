"""Peers that were asked for: dialled until they are there, and again when they are gone.

After a failure or an end the wait is a fourth of the time the peer has been gone, at least two seconds and at most the
limit of the peering: it is back soon after short troubles, and little is said in long ones. Asking for a peer that is
there already ends its wait, and so does any link that comes up: what cut off one neighbour has often cut off others
too, and is over for them as well.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import trio

from meshnode.errors import LinkError, UsageError
from meshnode.overlay.embedded.host.connection import Connection
from meshnode.overlay.embedded.host.streams import Target, dial, target_of
from meshnode.overlay.uris import PeerUri

Serve = Callable[[Connection], Awaitable[None]]

SHORTEST_WAIT_S = 2.0
WAIT_OF_ABSENCE = 1 / 4


class Peering:
    """One peer that was asked for."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection: Connection | None = None
        self.error, self.failed_at = "", 0.0
        self.scope = trio.CancelScope()
        self._retry = trio.Event()
        self._gone_since = trio.current_time()

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from others: the URI without options, and the interface."""
        return self.target.uri.plain, self.target.uri.interface

    def retry(self) -> None:
        """Dial now, if it waits, and as often as in the beginning."""
        self._gone_since = trio.current_time()
        self._retry.set()

    def hurry(self) -> None:
        """Dial now, if it waits and has not just tried."""
        if trio.current_time() - self.failed_at >= SHORTEST_WAIT_S:
            self._retry.set()

    async def run(self, serve: Serve, context: ssl.SSLContext) -> None:
        """Keep it up until its scope is cancelled."""
        with self.scope:
            while True:
                await self._once(serve, context)
                self._retry = trio.Event()
                with trio.move_on_after(self._wait_s()):
                    await self._retry.wait()

    def _wait_s(self) -> float:
        gone_s = trio.current_time() - self._gone_since
        return min(max(SHORTEST_WAIT_S, gone_s * WAIT_OF_ABSENCE), self.target.longest_wait_s)

    async def _once(self, serve: Serve, context: ssl.SSLContext) -> None:
        try:
            stream = await dial(self.target, context)
        except LinkError as error:
            self._failed(str(error))
            return
        self.connection = Connection(stream, self.target.uri.plain, self.target.terms, inbound=False)
        try:
            await serve(self.connection)
        finally:
            if self.connection.key:
                self._gone_since = trio.current_time()
            reason, self.connection = self.connection.reason, None
        self._failed(reason)

    def _failed(self, reason: str) -> None:
        self.error, self.failed_at = reason, trio.current_time()


class Peerings:
    """All of them."""

    def __init__(self, serve: Serve, context: ssl.SSLContext) -> None:
        self._serve, self._context = serve, context
        self._all: list[Peering] = []

    def all(self) -> list[Peering]:
        """In the order they were asked for."""
        return list(self._all)

    def add(self, nursery: trio.Nursery, uri: PeerUri) -> None:
        """Peer from now on; UsageError if it is there already, or for options that make no sense."""
        peering = Peering(target_of(uri))
        for known in self._all:
            if known.identity == peering.identity:
                known.retry()
                raise UsageError("peer is already configured")
        self._all.append(peering)
        nursery.start_soon(peering.run, self._serve, self._context)

    def hurry(self) -> None:
        """A link has come up: dial whoever is waited for."""
        for peering in self._all:
            peering.hurry()

    def remove(self, uri: PeerUri) -> None:
        """Disconnect and dial no more; UsageError if it is not there."""
        for known in self._all:
            if known.identity == (uri.plain, uri.interface):
                self._all.remove(known)
                known.scope.cancel()
                return
        raise UsageError("peer is not configured")
