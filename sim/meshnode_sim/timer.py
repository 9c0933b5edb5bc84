"""A timer finer than the millisecond of epoll: frames of a modelled radio take microseconds."""

from __future__ import annotations

import ctypes
import os
import struct
import time

import trio

CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """Wakes one task at a time of `time.monotonic_ns`."""

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, at_ns: int) -> None:
        """Sets the time; one that has passed wakes at once."""
        seconds, nanoseconds = divmod(max(at_ns, 1), 1_000_000_000)
        setting = struct.pack("4q", 0, 0, seconds, nanoseconds)
        if _libc.timerfd_settime(self._fd, TFD_TIMER_ABSTIME, setting, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    async def wait(self) -> int:
        """Sleeps until the armed time; the time it is then."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                os.read(self._fd, 8)
            except BlockingIOError:  # set anew after it had woken us
                continue
            return time.monotonic_ns()

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self._fd)
