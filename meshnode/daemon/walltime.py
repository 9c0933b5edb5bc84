"""The date, if it can be believed: the system's clock, and how far it may be off.

The kernel knows whether something disciplines its clock (NTP, PTP, a GPS daemon) and by how much it may be wrong. A
clock nobody disciplines is believed within minutes if its year is plausible and the machine has a clock that goes on
while it is off. Without one the date is at best that of the last shutdown, which some systems put back at the start: it
is believed to a day. A board that woke up in 1970, or one whose clock jumped to 2040, has no date, and everything works
without. What the neighbours agree on (core/neighbours/meshtime.py) is shown where our own date is not sure.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from meshnode.core.clock import EPOCH_2026, UNKNOWN_CLOCK, Instant, WallClock, better
from meshnode.core.inputs import ClockSet
from meshnode.daemon.adapters import Inputs, Started

LATEST = EPOCH_2026 + 10 * 365 * 86400  # later than this, a clock has jumped or this program is very old
LOOK_EVERY_S = 30.0
UNDISCIPLINED_S = 120.0  # what a clock set by hand or by a battery may be off
NO_BATTERY_S = 86400.0  # a date that was put back from a file at the start may be off by the time spent switched off
TELL_AGAIN_S = 3600.0  # what the node knows of a clock grows old
MOVED_S = 2.0  # a smaller step is not worth telling

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_ERROR = 5  # its TIME_ERROR


@dataclass(frozen=True, slots=True)
class Reading:
    """What the system says: Unix seconds, whether its clock is disciplined, and the largest error in seconds."""

    unix_s: float
    disciplined: bool
    error_s: float
    battery: bool = True  # the machine has a clock that goes on while it is off


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


def read_system(rtc: Path = Path("/sys/class/rtc")) -> Reading:
    """Ask the kernel, without changing anything."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    disciplined = state not in (-1, _ERROR) and not timex.status & _UNSYNCHRONISED
    return Reading(time.time(), disciplined, timex.maxerror / 1e6, any(rtc.glob("rtc*")))


def believed(reading: Reading, now: Instant) -> WallClock:
    """The clock the node may go by."""
    if not EPOCH_2026 <= reading.unix_s < LATEST:
        return UNKNOWN_CLOCK
    if reading.disciplined:
        return WallClock(reading.unix_s, now, reading.error_s, "ntp")
    return WallClock(reading.unix_s, now, UNDISCIPLINED_S if reading.battery else NO_BATTERY_S, "system")


def differs(before: WallClock, after: WallClock) -> bool:
    """Whether the node should be told."""
    if before.source != after.source or not after.known:
        return before.source != after.source
    moved = abs(before.at(after.read_at) - after.unix_s) > MOVED_S
    return moved or after.read_at >= before.read_at + TELL_AGAIN_S or after.sure != before.sure


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
        self.clock = UNKNOWN_CLOCK  # our own
        self.neighbours = UNKNOWN_CLOCK  # what they agree on, as the node says

    @property
    def best(self) -> WallClock:
        """What dates are shown by."""
        return better(self.clock, self.neighbours, self._now())

    def look(self) -> bool:
        """Read the clocks; True if the node should be told. A receiver knows better than a person or a battery."""
        seen = believed(self._read(), self._now())
        if seen.source != "ntp" and self._receiver is not None:
            seen = self._receiver() or seen
        if not differs(self.clock, seen):
            return False
        self.clock = seen
        return True

    def system(self) -> float:
        """Unix seconds by the system's clock, right or wrong."""
        return self._read().unix_s

    def unix_now(self) -> float:
        """Unix seconds, 0 when the date is not known."""
        best = self.best
        return best.at(self._now()) if best.known else 0.0

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Tell of every change until cancelled, the first one before `started`."""
        if self.look():
            await inputs.send(ClockSet(self.clock))
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            if self.look():
                await inputs.send(ClockSet(self.clock))
