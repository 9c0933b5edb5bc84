"""The date from a GPS receiver: by gpsd, which reads receivers of every kind, or by its own words (nmea.py).

gpsd sends one JSON object a line; those of class TPV hold the time of a fix. One report is not believed alone:
receivers give dates from memory while they search, and old ones are wrong by 1,024 weeks. Two fixes in a row, of
different moments, have to agree with our own clock about the time between them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Protocol

import msgspec
import trio

from meshnode.core.clock import EPOCH_2026, Instant, WallClock
from meshnode.daemon.adapters import Inputs, Started
from meshnode.daemon.walltime import LATEST
from meshnode.errors import LinkError, WireError

RETRY_S = 30.0
SILENT_S = 120.0  # a receiver that says nothing for so long is asked anew
LONGEST_LINE = 10_240  # of gpsd (GPS_JSON_RESPONSE_MAX)
LATE_S = 1.5  # a report comes up to a second after the moment it names, and a little later through gpsd
AGREE_S = 2.0
DRIFT = 1e-4  # seconds a second: a cheap crystal in the cold
FORGOTTEN_S = 7 * 86400.0  # after a week without a fix others may know better

Fix = tuple[float, float]  # Unix seconds, and their error in seconds
Receive = Callable[[], Awaitable[bytes | bytearray]]

_WATCH = b'?WATCH={"enable":true,"json":true};\n'


class _Report(msgspec.Struct, frozen=True):
    """What we read of a TPV object; `mode` 2 and 3 are fixes."""

    kind: str = msgspec.field(name="class", default="")
    mode: int = 0
    time: str = ""
    ept: float = 0.0


class Receiver(Protocol):
    """Something that says a line for each fix."""

    def opened(self) -> AbstractAsyncContextManager[Receive]:
        """What it says, as it comes; empty at its end. Raises OSError or LinkError where it is not there."""
        ...

    def fix_untrusted(self, line: bytes) -> Fix | None:
        """The fix in a line, None for one that holds none. Raises WireError."""
        ...


class Gpsd:
    """The daemon at a place, `host:port`."""

    def __init__(self, place: str) -> None:
        host, _, port = place.rpartition(":")
        self._place = (host.strip("[]"), int(port))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Receive]:
        """What it says, as it comes."""
        async with await trio.open_tcp_stream(*self._place) as stream:
            await stream.send_all(_WATCH)
            yield stream.receive_some

    @staticmethod
    def fix_untrusted(line: bytes) -> Fix | None:
        """The fix in a report."""
        return fix_untrusted(line)


def fix_untrusted(line: bytes) -> Fix | None:
    """Unix seconds and their error in seconds, None for a line that holds no fix. Raises WireError."""
    try:
        report = msgspec.json.decode(line, type=_Report)
        if report.kind != "TPV" or report.mode < 2 or not report.time:
            return None
        moment = datetime.fromisoformat(report.time)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise WireError(f"gpsd: {error}") from error
    if moment.tzinfo is None:
        raise WireError("gpsd: a time without a zone")
    unix_s = moment.timestamp()
    if not EPOCH_2026 <= unix_s < LATEST:
        raise WireError("gpsd: a date that cannot be")
    return unix_s, max(0.0, min(report.ept, 3600.0))


class Gps:
    """The last date that two fixes agreed on."""

    def __init__(self, receiver: Receiver, now: Callable[[], Instant]) -> None:
        self._receiver = receiver
        self._now = now
        self._before: tuple[float, Instant] | None = None
        self._clock: WallClock | None = None

    def clock(self) -> WallClock | None:
        """The date by the receiver, less and less sure since its last fix; None while there is none."""
        if self._clock is None:
            return None
        age = self._now() - self._clock.read_at
        if age > FORGOTTEN_S:
            return None
        uncertainty = self._clock.uncertainty_s + age * DRIFT
        return WallClock(self._clock.at(self._now()), self._now(), uncertainty, "gps")

    def take(self, unix_s: float, error_s: float) -> None:
        """One fix."""
        now = self._now()
        if self._before is not None and unix_s == self._before[0]:
            return  # the same moment in another sentence
        before, self._before = self._before, (unix_s, now)
        if before is not None and abs((unix_s - before[0]) - (now - before[1])) <= AGREE_S:
            self._clock = WallClock(unix_s, now, LATE_S + error_s, "gps")

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; a receiver that is not there is asked again."""
        task_status.started()
        while True:
            try:
                async with self._receiver.opened() as receive:
                    await self._listen(receive)
            except (OSError, LinkError):
                pass  # it is not there, or it ended
            self._before = None
            await trio.sleep(RETRY_S)

    async def _listen(self, receive: Receive) -> None:
        rest = b""
        while True:
            with trio.move_on_after(SILENT_S) as silence:
                data = await receive()
            if silence.cancelled_caught or not data or len(rest) > LONGEST_LINE:
                return
            *lines, rest = (rest + bytes(data)).split(b"\n")
            for line in lines:
                self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            if fix := self._receiver.fix_untrusted(line):
                self.take(*fix)
        except WireError:
            self._before = None  # garbage between two fixes: they do not vouch for each other
