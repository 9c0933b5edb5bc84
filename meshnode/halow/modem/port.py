"""The serial port under trio: pyserial opens it, reads and writes wait for the file descriptor.

A thread that reads would, cancelled, eat the next byte; waiting for the descriptor loses nothing.
"""

from __future__ import annotations

import os
from typing import Protocol

import trio

from meshnode.errors import LinkError, UsageError


class Port(Protocol):
    """A line to a modem."""

    @property
    def name(self) -> str:
        """What a person knows it by."""
        ...

    async def receive(self) -> bytes:
        """What has come, at least one byte. Raises LinkError when the modem is gone."""
        ...

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises LinkError when the modem is gone."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SerialPort:
    """A tty at one speed, for us alone."""

    def __init__(self, path: str, baud: int, *, flow_control: bool = False) -> None:
        try:
            from serial.serialposix import Serial
            from serial.serialutil import SerialException
        except ImportError as error:
            raise UsageError("serial modems need pyserial: install meshnode[hardware]") from error
        try:
            self._serial = Serial(path, baud, timeout=0, write_timeout=0, rtscts=flow_control, exclusive=True)
        except (SerialException, ValueError, OSError) as error:
            raise LinkError(f"the serial port {path} cannot be opened ({_reason(error)})") from error
        self._fd = self._serial.fileno()
        self.name = path
        os.set_blocking(self._fd, False)

    async def receive(self) -> bytes:
        """What has come, at least one byte."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, 4096)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError) as error:
                raise self._gone() from error
            if not data:
                raise self._gone()
            return data

    async def send(self, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            try:
                await trio.lowlevel.wait_writable(self._fd)
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError) as error:
                raise self._gone() from error

    def close(self) -> None:
        """Let go of it."""
        trio.lowlevel.notify_closing(self._fd)
        try:
            self._serial.close()
        except OSError:
            pass  # it is gone already

    def _gone(self) -> LinkError:
        return LinkError(f"the modem at {self.name} is gone; is it unplugged?")


def _reason(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
