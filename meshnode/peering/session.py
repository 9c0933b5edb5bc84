"""One session: an authenticated stream on which both sides send sealed records of frames.

    proving --HELLO proved--> open --hangup, or the far end's final record--> closing --final record written--> over
       \\--anything else, 5 s--> over         \\--broken, cut short, stalled, a bad record--> over

Reading waits while the core is busy, so a peer that sends forever fills its own buffers. Writing never makes the core
wait: `send` queues, `SessionWritable` says when the queue is short again, and a queue that grows without bound ends the
session. A peer that stops in the middle of a record, or takes nothing, for 30 s has stalled (protocol rule 13.3).

What waits goes out in as few records as it can, and over the overlay in as few writes: a packet there costs some 300 B
around what is in it. The first word goes at once; what follows within 0.2 s waits for company until then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from meshnode.core.ids import NodeKey
from meshnode.core.inputs import Input, RecordReceived, SessionWritable
from meshnode.core.sealing.records import RECORD_OVERHEAD
from meshnode.core.sealing.stream import MAX_UNPROVED, Handshake, Proven
from meshnode.core.wire.codec import is_single, join_frames
from meshnode.core.wire.limits import MAX_PLAINTEXT
from meshnode.errors import UsageError, WireError
from meshnode.peering.packing import pack, unpack_untrusted

PROVE_WITHIN_S = 5.0
STALL_S = 30.0
LINGER_S = 5.0  # for the far end's last words after ours
LOW_WATER = 32 * 1024  # queued bytes below which the core may send more
MOST_QUEUED = 4 * 1024 * 1024
WRITE_AT_ONCE = 16 * 1024  # records that go into one segment train
READ_AT_ONCE = 16 * 1024
TOGETHER = 16 * 1024  # frames that share a record, and a step there; a run of blocks alone may have twice that
APART_S = 0.2  # between two writes over the overlay, unless there is much to write
IDLE_LINK_S = 60.0  # a session on the link is cheap to open again; one on the overlay stays (None)


async def prove(handshake: Handshake, stream: trio.abc.Stream) -> Proven:
    """Run the handshake; WireError, TooSlowError or a broken stream end it. Nothing is answered to a stranger."""
    with trio.fail_after(PROVE_WITHIN_S):
        proven = None
        while proven is None:
            if outgoing := handshake.take():
                await stream.send_all(outgoing)
            data = await stream.receive_some(MAX_UNPROVED)
            if not data:
                raise WireError("a peer went before it proved itself")
            proven = handshake.feed_untrusted(bytes(data))
        if outgoing := handshake.take():
            await stream.send_all(outgoing)
        return proven


class Session:
    """From the moment the far end is proved until the stream is closed. Who keeps it sets `over` after that."""

    def __init__(
        self,
        number: int,
        proven: Proven,
        stream: trio.abc.HalfCloseableStream,
        *,
        carrier: str,
        address: str,
        initiator: bool,
    ) -> None:
        self.number = number
        self.node: NodeKey = proven.node
        self.carrier = carrier
        self.address = address
        self.initiator = initiator
        self.opened_at = self._active_at = trio.current_time()
        self.bytes_sent = self.bytes_received = 0
        self.failure = ""
        self.over = trio.Event()
        self._proven = proven
        self._stream = stream
        self._idle_s = IDLE_LINK_S if carrier == "link" else None
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._closing = False
        self._wrote_at = float("-inf")
        self._wake = trio.Event()
        self._heard_out = trio.Event()
        self._scope = trio.CancelScope()

    def send(self, frames: bytes) -> None:
        """Queue one record."""
        if self._queued + len(frames) > MOST_QUEUED:
            self.abort("the far end takes nothing, and too much waits for it")
        elif not self._closing:
            self._queue.append(frames)
            self._queued += len(frames)
            self._wake.set()

    def hangup(self) -> None:
        """Close once everything queued is written."""
        self._closing = True
        self._wake.set()

    def abort(self, why: str) -> None:
        """Close now."""
        self.failure = self.failure or why
        self._scope.cancel()

    async def serve(self, inputs: trio.MemorySendChannel[Input]) -> None:
        """Carry records both ways until it is over; `failure` tells why, empty after an orderly end."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._guarded, self._write, inputs)
                    nursery.start_soon(self._guarded, self._read, inputs)
        finally:
            with trio.CancelScope() as closing:
                closing.cancel()  # close without waiting for anybody
                await self._stream.aclose()

    async def _guarded(
        self, work: Callable[[trio.MemorySendChannel[Input]], Awaitable[None]], inputs: trio.MemorySendChannel[Input]
    ) -> None:
        try:
            await work(inputs)
        except (WireError, UsageError) as error:
            self.abort(str(error))
        except trio.TooSlowError:
            self.abort("the session stalled")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.abort("the connection broke")

    # ---- in

    async def _read(self, inputs: trio.MemorySendChannel[Input]) -> None:
        opening, fed, opened = self._proven.open, 0, 0
        data = self._proven.rest
        while not opening.finished:
            fed += len(data)
            for plaintext in opening.feed_untrusted(data):
                opened += len(plaintext) + RECORD_OVERHEAD
                if not opening.finished:
                    await inputs.send(RecordReceived(self.number, unpack_untrusted(plaintext)))
            if not opening.finished:
                data = await self._receive(in_record=fed > opened)
                self.bytes_received += len(data)
        self._heard_out.set()
        self.hangup()

    async def _receive(self, *, in_record: bool) -> bytes:
        """The next bytes; a session on which nothing moves for long is hung up, quietly."""
        while True:
            patience = STALL_S if in_record else self._idle_s or float("inf")
            with trio.move_on_after(patience):
                data = await self._stream.receive_some(READ_AT_ONCE)
                self._active_at = trio.current_time()
                if not data:
                    raise WireError("the session was cut short")
                return bytes(data)
            if in_record:
                raise trio.TooSlowError
            if trio.current_time() - self._active_at >= patience:
                self.hangup()

    # ---- out

    async def _write(self, inputs: trio.MemorySendChannel[Input]) -> None:
        while True:
            await self._wake.wait()
            if self.carrier == "overlay":
                await self._company()
            before = self._queued
            sealed = self._take()
            for start in range(0, len(sealed), WRITE_AT_ONCE):
                with trio.fail_after(STALL_S):
                    await self._stream.send_all(sealed[start : start + WRITE_AT_ONCE])
            self.bytes_sent += len(sealed)
            self._active_at = self._wrote_at = trio.current_time()
            if sealed and (self._queued < LOW_WATER <= before or not self._queue):
                await inputs.send(SessionWritable(self.number, self._queued))
            if self._closing and not self._queue:
                return await self._finish()
            if not self._queue and not self._closing:
                self._wake = trio.Event()

    async def _company(self) -> None:
        """Wait until more is to be written, or long enough since the last time."""
        with trio.move_on_at(self._wrote_at + APART_S):
            while self._queued < WRITE_AT_ONCE and not self._closing:
                self._wake = trio.Event()
                await self._wake.wait()
        self._wake.set()

    def _take(self) -> bytes:
        """Records from the queue, sealed, as many as go out at once."""
        sealed = bytearray()
        while self._queue and len(sealed) < WRITE_AT_ONCE:
            sealed += self._proven.seal.seal(pack(self._together()))
        return bytes(sealed)

    def _together(self) -> bytes:
        """What was queued first, and frames behind it that fit into the same record."""
        rows = [self._queue.popleft()]
        size = len(rows[0])
        while is_single(rows[-1]) and self._queue and is_single(self._queue[0]):
            if size + len(self._queue[0]) > TOGETHER:
                break
            rows.append(self._queue.popleft())
            size += len(rows[-1])
        self._queued -= size
        return rows[0] if len(rows) == 1 else join_frames(rows, MAX_PLAINTEXT)

    async def _finish(self) -> None:
        """Our final record, then time for the far end's: closing at once could take our last bytes from it."""
        with trio.fail_after(STALL_S):
            await self._stream.send_all(self._proven.seal.seal(b"", final=True))
            await self._stream.send_eof()
        with trio.move_on_after(LINGER_S):
            await self._heard_out.wait()
        self._scope.cancel()
