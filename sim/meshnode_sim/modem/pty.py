"""Serves fake modems on pseudo-terminals, in real time, until it is stopped.

A pty has no modem lines, so RTS/CTS cannot be tried on it. Its speed can: a host that opens it at another one than the
modem's gets and gives noise, as on a wire.
"""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from meshnode_sim.modem.air import ModemAir

LONGEST_WAIT_S = 0.1  # also how soon a stop is noticed
_NOISE = 0x9D


class FakeModem(Protocol):
    """What all fake modems have."""

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the host."""
        ...

    def take(self) -> bytes:
        """Everything said since the last call."""
        ...

    def tick(self, now: float) -> None:
        """Time has passed."""
        ...

    def next_at(self) -> float | None:
        """When `tick` has something to do."""
        ...


@dataclass(slots=True)
class Line:
    """One modem on its pty: `path` is what a host opens."""

    modem: FakeModem
    speed: int = termios.B115200
    master: int = -1
    path: str = ""
    _slave: int = -1
    unsent: bytearray = field(default_factory=bytearray)

    def plug(self) -> str:
        """Make the pty; the path a host opens."""
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        settings = termios.tcgetattr(self._slave)
        settings[4] = settings[5] = self.speed
        termios.tcsetattr(self._slave, termios.TCSANOW, settings)
        self.path = os.ttyname(self._slave)
        return self.path

    def unplug(self) -> None:
        """Take the modem away: a host's next read fails."""
        for number in (self._slave, self.master):
            if number >= 0:
                os.close(number)
        self.master = self._slave = -1

    def pump(self, now: float) -> None:
        """Carry what has come and what is to go, without waiting."""
        if self.master < 0:
            return
        same = termios.tcgetattr(self.master)[5] == self.speed
        if data := _read(self.master):
            self.modem.feed(data if same else _noise(data), now)
        self.modem.tick(now)
        said = self.modem.take()
        self.unsent += said if same else _noise(said)
        try:
            del self.unsent[: os.write(self.master, self.unsent)]
        except BlockingIOError:
            pass


def serve(lines: Sequence[Line], air: ModemAir, stopped: Callable[[], bool], began: float | None = None) -> None:
    """Run plugged modems until `stopped` says so."""
    start = time.monotonic() if began is None else began
    while not stopped():
        now = time.monotonic() - start
        air.advance(now)
        for line in lines:
            line.pump(now)
        due = [at for at in (air.next_at(), *(line.modem.next_at() for line in lines)) if at is not None]
        wait = max(0.0, min([LONGEST_WAIT_S, *(at - now for at in due)]))
        select.select([line.master for line in lines if line.master >= 0], [], [], wait)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:
        return b""  # nothing there, or no host has it open


def _noise(data: bytes) -> bytes:
    return bytes((byte ^ _NOISE) | 0x80 for byte in data)
