"""One connection to a neighbour: the handshake, then frames both ways until one side goes.

greeting   both send who they are; 6 s for all of it
linked     frames are read and written, the timers of `liveness` run
closed     `reason` says why, for people
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

import trio

from meshnode.errors import WireError
from meshnode.overlay.embedded.host.pipe import Pipe
from meshnode.overlay.embedded.node import Node
from meshnode.overlay.embedded.routing.liveness import Liveness
from meshnode.overlay.embedded.routing.neighbours import Link
from meshnode.overlay.embedded.wire.framing import KEEPALIVE, Frames
from meshnode.overlay.embedded.wire.keys import Identity
from meshnode.overlay.embedded.wire.meta import HEAD, Meta, decode_meta_untrusted, encode_meta, meta_size_untrusted
from meshnode.overlay.embedded.wire.packets import SIG_RES

GREET_WITHIN_S = 6.0
WRITE_AT_ONCE = 256 * 1024
CLOSE_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """On what a connection is made. `keys`: who may be there; None: anybody."""

    priority: int = 0
    password: bytes = field(default=b"", repr=False)
    keys: Container[bytes] | None = None


class Connection:
    """A stream, what is known about its other side, and the link it becomes."""

    def __init__(self, stream: trio.abc.Stream, remote: str, terms: Terms, *, inbound: bool) -> None:
        self.remote, self.inbound = remote, inbound
        self.key = b""
        self.link: Link | None = None
        self.began = trio.current_time()
        self.bytes_received = self.bytes_sent = 0
        self.rate_received = self.rate_sent = 0
        self._counted = (0, 0)
        self.reason = ""
        self._pipe, self._terms = Pipe(stream), terms
        self._wake = trio.Event()
        self._idle = False  # the writer waits for `_wake`: nothing is on its way
        self._left_over = b""  # of a write, what the kernel did not take
        self._scope = trio.CancelScope()
        self._liveness = Liveness()
        self._frames = Frames()

    async def run(self, node: Node, identity: Identity, flush: Callable[[], None], linked: Callable[[], None]) -> None:
        """Serve until it is closed; never raises for what the other side does. `linked` hears that it is a link."""
        try:
            with self._scope:
                meta = await self._introduced(identity)
                self.link = node.router.join(meta.key, max(self._terms.priority, meta.priority), trio.current_time())
                linked()
                await self._serve(node, self.link, flush)
        except* WireError as refused:
            self.reason = str(refused.exceptions[0])
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.reason = self.reason or "the connection broke"
        finally:
            await self._close(node, flush)

    def close(self, reason: str) -> None:
        """End it."""
        self.reason = self.reason or reason
        self._scope.cancel()

    def flush(self) -> None:
        """Write what waits: now as far as the kernel takes it, the rest in a task."""
        if self.link is None or not self._idle or not self._owes(self.link):
            return
        if not self._pipe.at_once or not self._write_now(self.link):
            self._idle = False
            self._wake.set()

    def tick(self, now: float) -> None:
        """A few times a second: the timers, and a queue that nobody reads."""
        if now >= self._liveness.dead_at:
            self.close("the other side is silent")
        elif self.link is not None and self.link.queue.overflowed:
            self.close("the other side does not read")
        elif self.link is not None:
            self.link.queue.shorten(now)
            self.flush()

    def count(self) -> None:
        """Once a second: bytes of that second."""
        before, self._counted = self._counted, (self.bytes_received, self.bytes_sent)
        self.rate_received, self.rate_sent = (new - old for new, old in zip(self._counted, before, strict=True))

    # ---- phases

    async def _introduced(self, identity: Identity) -> Meta:
        with trio.move_on_after(GREET_WITHIN_S) as limit:
            meta = await self._greet(identity)
        if limit.cancelled_caught:
            raise WireError("the other side does not introduce itself")
        self.key = meta.key
        return meta

    async def _serve(self, node: Node, link: Link, flush: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, link)
            await self._read(node, link, flush)
            nursery.cancel_scope.cancel()
        self.reason = self.reason or "the other side closed the connection"

    async def _greet(self, identity: Identity) -> Meta:
        await self._send(encode_meta(identity, self._terms.password, self._terms.priority))
        held = await self._at_least(b"", HEAD)
        size = HEAD + meta_size_untrusted(held[:HEAD])
        held = await self._at_least(held, size)
        meta = decode_meta_untrusted(held[HEAD:size], self._terms.password)
        if self._terms.keys is not None and meta.key not in self._terms.keys:
            raise WireError("the other side has a key that is not allowed")
        self._left = held[size:]
        return meta

    async def _at_least(self, held: bytes, size: int) -> bytes:
        while len(held) < size:
            data = await self._pipe.read()
            if not data:
                raise WireError("the other side closed the connection instead of introducing itself")
            self.bytes_received += len(data)
            held += data
        return held

    async def _read(self, node: Node, link: Link, flush: Callable[[], None]) -> None:
        data = self._left
        while True:
            now = trio.current_time()
            for content in self._frames.feed_untrusted(data):
                self._liveness.received(now, content[0])
                node.router.receive_untrusted(link, content, now)
                if content[0] == SIG_RES and not node.router.is_child(link.neighbour):
                    self._liveness.hurry(now)  # a signature was the last word; but a child refreshes behind us
            flush()
            data = await self._pipe.read()
            if not data:
                return
            self.bytes_received += len(data)

    async def _write(self, link: Link) -> None:
        while True:
            await self._pipe.room()
            before = self.bytes_sent
            if not self._write_now(link) and self.bytes_sent == before:
                data, self._left_over = self._left_over, b""
                await self._send(data)  # which knows how, or says what is wrong
            if not self._left_over and not self._owes(link):
                self._idle, self._wake = True, trio.Event()
                await self._wake.wait()
                self._idle = False

    def _write_now(self, link: Link) -> bool:
        """Give the kernel what waits; True when it has taken all."""
        while data := self._left_over or self._due(link):
            taken = self._pipe.write_now(data)
            self.bytes_sent += taken
            self._left_over = data[taken:]
            if self._left_over:
                return False
        return True

    def _owes(self, link: Link) -> bool:
        return bool(link.queue) or trio.current_time() >= self._liveness.answer_at

    def _due(self, link: Link) -> bytes:
        """What has to be said now: frames that wait, else a sign of life if one is owed."""
        now = trio.current_time()
        if data := link.queue.take(WRITE_AT_ONCE):
            self._liveness.sent(now)
        elif now >= self._liveness.answer_at:
            self._liveness.sent_keepalive()
            data = KEEPALIVE
        return data

    async def _send(self, data: bytes) -> None:
        await self._pipe.write(data)
        self.bytes_sent += len(data)

    async def _close(self, node: Node, flush: Callable[[], None]) -> None:
        if self.link is not None:
            node.router.leave(self.link)
            self.link = None
            flush()
        with trio.move_on_after(CLOSE_WITHIN_S) as limit:
            limit.shield = True
            await self._pipe.close()
