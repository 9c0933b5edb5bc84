"""The date, if it can be believed: the system's clock, and how far it may be off.

The kernel knows whether something disciplines its clock (NTP, PTP, a GPS daemon) and by how much it may be wrong. A
clock nobody disciplines is believed within minutes if its year is plausible: a battery or a person has set it. A board
that woke up in 1970, or one whose clock jumped to 2040, has no date, and everything works without.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

import trio

from meshnode.core.clock import EPOCH_2026, UNKNOWN_CLOCK, Instant, WallClock
from meshnode.core.inputs import ClockSet
from meshnode.daemon.adapters import Inputs, Started

LATEST = EPOCH_2026 + 10 * 365 * 86400  # later than this, a clock has jumped or this program is very old
LOOK_EVERY_S = 30.0
UNDISCIPLINED_S = 120.0  # what a clock set by hand or by a battery may be off
MOVED_S = 2.0  # a smaller step is not worth telling

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_ERROR = 5  # its TIME_ERROR


@dataclass(frozen=True, slots=True)
class Reading:
    """What the system says: Unix seconds, whether its clock is disciplined, and the largest error in seconds."""

    unix_s: float
    disciplined: bool
    error_s: float


class _Timex(ctypes.Structure):
    """The head of struct timex; the rest is room for what the kernel writes behind it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def read_system() -> Reading:
    """Ask the kernel, without changing anything."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    disciplined = state not in (-1, _ERROR) and not timex.status & _UNSYNCHRONISED
    return Reading(time.time(), disciplined, timex.maxerror / 1e6)


def believed(reading: Reading, now: Instant) -> WallClock:
    """The clock the node may go by."""
    if not EPOCH_2026 <= reading.unix_s < LATEST:
        return UNKNOWN_CLOCK
    if reading.disciplined:
        return WallClock(reading.unix_s, now, reading.error_s, "ntp")
    return WallClock(reading.unix_s, now, UNDISCIPLINED_S, "system")


def differs(before: WallClock, after: WallClock) -> bool:
    """Whether the node should be told."""
    return before.source != after.source or (after.known and abs(before.at(after.read_at) - after.unix_s) > MOVED_S)


class WallTime:
    """Looks at the system's clock now and then and tells the node when its belief changes."""

    def __init__(
        self,
        now: Callable[[], Instant],
        read: Callable[[], Reading] = read_system,
        receiver: Callable[[], WallClock | None] | None = None,
    ) -> None:
        self._now = now
        self._read = read
        self._receiver = receiver
        self.clock = UNKNOWN_CLOCK

    def look(self) -> bool:
        """Read the clocks; True if the node should be told. A receiver knows better than a person or a battery."""
        seen = believed(self._read(), self._now())
        if seen.source != "ntp" and self._receiver is not None:
            seen = self._receiver() or seen
        if not differs(self.clock, seen):
            return False
        self.clock = seen
        return True

    def unix_now(self) -> float:
        """Unix seconds, 0 when the date is not known."""
        return self.clock.at(self._now()) if self.clock.known else 0.0

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Tell of every change until cancelled, the first one before `started`."""
        if self.look():
            await inputs.send(ClockSet(self.clock))
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            if self.look():
                await inputs.send(ClockSet(self.clock))
