"""Commands and answers over one port: one at a time, events sorted out, trouble explained.

An answer ends with OK or ERROR. Lines of an asynchronous prefix and binary packets go to `on_event` whenever they come;
an echoed command is dropped. A modem that does not answer in time leaves the line in doubt: `settle` finds the
beginning of an answer again.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from meshnode.board.dialect import Dialect
from meshnode.errors import LinkError, ModemRefusedError, ModemSilentError
from meshnode.halow.modem.port import Port
from meshnode.halow.modem.reader import Line, Noise, Packet, Reader

PATIENCE_S = 10.0  # a modem that scans answers late
SETTLE_S = 1.6  # a Newracom modem left in data mode says so after one second of silence
SETTLE_TRIES = 4

Event = Line | Packet


class Conversation:
    """One modem on one port."""

    def __init__(self, port: Port, dialect: Dialect, on_event: Callable[[Event], None]) -> None:
        self.dialect = dialect
        self.noise = 0
        self._port = port
        self._on_event = on_event
        self._reader = Reader(dialect)
        self._say, self._heard = trio.open_memory_channel[str](256)
        self._one_at_a_time = trio.Lock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read until cancelled. Raises LinkError when the modem is gone."""
        task_status.started()
        while True:
            for piece in self._reader.feed_untrusted(await self._port.receive()):
                match piece:
                    case Noise(octets):
                        self.noise += octets
                    case Line(text) if not text.startswith(tuple(self.dialect.async_prefixes) or ("\0",)):
                        self._answer(text)
                    case _:
                        self._on_event(piece)

    async def command(self, text: str, *, patience_s: float = PATIENCE_S) -> list[str]:
        """The lines of the answer, without OK. Raises ModemRefusedError, and LinkError when nothing comes."""
        async with self._one_at_a_time:
            return await self._exchange(text, patience_s)

    async def transfer(self, text: str, payload: bytes, *, patience_s: float = PATIENCE_S) -> None:
        """A command after whose OK the modem takes raw bytes: nobody else may speak in between."""
        async with self._one_at_a_time:
            await self._exchange(text, patience_s)
            await self._port.send(payload)

    async def settle(self) -> None:
        """Find the beginning of an answer, from whatever state the line is in. Raises LinkError with the reason."""
        async with self._one_at_a_time:
            await self._port.send(self.dialect.line_end.encode())
            for _ in range(SETTLE_TRIES):
                try:
                    await self._exchange("AT", SETTLE_S)
                    await self._drain()
                    return
                except ModemRefusedError:
                    continue  # the rest of a line that was begun before
                except ModemSilentError:
                    continue
        raise LinkError(self._why_silent())

    async def _drain(self) -> None:
        """What earlier commands are still answered must not count for the next."""
        with trio.move_on_after(0.1):
            while True:
                await self._heard.receive()

    async def _exchange(self, text: str, patience_s: float) -> list[str]:
        self._forget()
        await self._port.send(f"{text}{self.dialect.line_end}".encode())
        lines: list[str] = []
        with trio.move_on_after(patience_s):
            while True:
                line = await self._heard.receive()
                if line == "OK":
                    return lines
                if line == "ERROR":
                    raise self._refusal(text, lines)
                if line != text:  # its echo
                    lines.append(line)
        raise ModemSilentError(f"the modem does not answer {_verb(text)} within {patience_s:g} s")

    def _answer(self, text: str) -> None:
        try:
            self._say.send_nowait(text)
        except trio.WouldBlock:
            self.noise += len(text)  # nobody asked for so much

    def _forget(self) -> None:
        try:
            while True:
                self._heard.receive_nowait()
        except trio.WouldBlock:
            pass

    def _refusal(self, text: str, lines: list[str]) -> ModemRefusedError:
        last = lines[-1] if lines else ""
        value = last.partition(":")[2].strip() or last.partition("=")[2].strip()
        if last.startswith("+ERR"):
            return ModemRefusedError(f"the modem refuses {_verb(text)}: {value}")
        if value.isascii() and value.isdigit():
            meaning = self.dialect.errors.get(int(value), f"error {value}")
            return ModemRefusedError(f"the modem refuses {_verb(text)}: {meaning}", int(value))
        return ModemRefusedError(f"the modem refuses {_verb(text)}: unknown or malformed")

    def _why_silent(self) -> str:
        where = f"the modem at {self._port.name}"
        if self.noise:
            return f"what {where} says is no text ({self.noise} bytes of noise): another baud rate, or another device"
        return f"{where} does not answer AT: another baud rate, its console port, or no modem of {self.dialect.title}"


def _verb(text: str) -> str:
    """A command without its parameters: they may be secret."""
    return text.partition("=")[0]
