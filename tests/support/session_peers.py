"""Nodes for tests of sessions: keys, a mesh, and a far end that can be made to misbehave."""

from contextlib import asynccontextmanager

import trio

from meshnode.core.identity.keys import new_keys
from meshnode.core.sealing.mesh import closed_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.sealing.stream import Handshake
from meshnode.peering.memory import MemorySessions, Switchboard

MESH = closed_mesh("valley", bytes(range(32)))
OTHER_MESH = closed_mesh("valley", bytes(32))


def identity(seed: int):
    """Keys, sealer and entropy of node number `seed`."""
    sealer, entropy = SeededSealer(seed), SeededEntropy(seed)
    return new_keys(sealer, entropy), sealer, entropy


def memory_node(seed: int, board: Switchboard, mesh=MESH) -> MemorySessions:
    """Sessions at address `n<seed>`."""
    keys, sealer, entropy = identity(seed)
    return MemorySessions(keys, mesh, sealer, entropy, address=f"n{seed}", board=board)


def handshake(role: int, seed: int, mesh=MESH, mine=b"", yours=b"") -> Handshake:
    """One side of a handshake by hand."""
    keys, sealer, entropy = identity(seed)
    return Handshake(role, keys, mesh, mine, yours, entropy, sealer)


@asynccontextmanager
async def running(*parts, room=100):
    """Parts that serve, each with the channel of what it says."""
    async with trio.open_nursery() as nursery:
        channels = []
        for part in parts:
            inlet, outlet = trio.open_memory_channel(room)
            await nursery.start(part.run, inlet)
            channels.append(outlet)
        yield channels
        nursery.cancel_scope.cancel()


async def until(channel, kind):
    """The next input of that kind; others are passed over."""
    with trio.fail_after(100):
        while True:
            said = await channel.receive()
            if isinstance(said, kind):
                return said
