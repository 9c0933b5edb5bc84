"""Fake modems on ptys for the time of a block, served by a thread in real time."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from meshnode.air.airtime import S1gRate
from meshnode.air.topology import Topology, both_ways, full
from meshnode.board.dialect import dialect
from meshnode.halow.modem.conversation import Conversation, Event
from meshnode.halow.modem.port import SerialPort
from meshnode_sim.modem.air import ModemAir
from meshnode_sim.modem.pty import FakeModem, Line, serve


def air_of(modems: int, loss: int = 0, seed: int = 1) -> ModemAir:
    """Everybody hears everybody, at 1 MHz MCS 2."""
    return ModemAir(Topology(modems, both_ways(full(modems), loss), S1gRate(1, 2), S1gRate(1, 0)), seed)


@asynccontextmanager
async def served(air: ModemAir, modems: Sequence[FakeModem]) -> AsyncIterator[list[Line]]:
    """The modems on ptys; they end with the block."""
    lines = [Line(modem) for modem in modems]
    for line in lines:
        line.plug()
    stop = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, serve, lines, air, stop.is_set)
        try:
            yield lines
        finally:
            stop.set()
    for line in lines:
        line.unplug()


@asynccontextmanager
async def talking(path: str, name: str, baud: int = 115_200) -> AsyncIterator[tuple[Conversation, list[Event]]]:
    """A conversation with the modem at `path`, and the events it gave."""
    events: list[Event] = []
    port = SerialPort(path, baud)
    talk = Conversation(port, dialect(name), events.append)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(talk.run)
            with trio.fail_after(60):
                yield talk, events
            nursery.cancel_scope.cancel()
    finally:
        port.close()
