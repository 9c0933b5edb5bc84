"""Just enough of a node to gossip: keys, outbox, neighbours, gossip, and a person who writes posts."""

from __future__ import annotations

from functools import cache

from meshnode.core.airtime.outbox import Outbox
from meshnode.core.chain.block import ROOT, Block, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.context import Context
from meshnode.core.effects import Effect
from meshnode.core.gossip.gossip import Gossip
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import ChannelId, LogId, NodeKey, channel_id, log_id
from meshnode.core.inputs import (
    DialFailed,
    EncounterBegan,
    EncounterEnded,
    FrameReceived,
    Input,
    LinkChanged,
    PeerSeen,
    RecordReceived,
    SessionWritable,
    StationSeen,
    Stored,
)
from meshnode.core.neighbours.table import Heard, Neighbour, Neighbours
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import MeshKeys, closed_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.trust.rings import Rings
from support.world import Disk, World

MESH = closed_mesh("valley", bytes(range(32)))
VALLEY = channel_id("valley")


@cache
def keys_of(name: str) -> Keys:
    return new_keys(SeededSealer(name), SeededEntropy("keys of " + name))


class GossipNode:
    """The parts that carry blocks. `blocks` are those that came from others, in order."""

    def __init__(
        self,
        name: str,
        *,
        epoch: int = 1,
        snapshot: Snapshot | None = None,
        settings: Settings | None = None,
        mesh: MeshKeys = MESH,
        keys: Keys | None = None,
    ) -> None:
        self.keys = keys or keys_of(name)
        self.node: NodeKey = self.keys.node
        self.ctx = Context(
            self.keys, mesh, settings or Settings(), SeededSealer(name), SeededEntropy(f"{name} {epoch}")
        )
        self.outbox = Outbox(self.ctx)
        self.neighbours = Neighbours(self.ctx, self.outbox, epoch)
        self.rings = Rings(self.keys)
        self.gossip = Gossip(self.ctx, self.neighbours, self.outbox, self.rings)
        self.blocks: list[Block] = []
        self.covered: list[tuple[Neighbour, LogId, int]] = []
        self.ahead: list[Block] = []
        self.heard: list[Heard] = []
        self.carries = False
        self.gossip.wire(
            on_block=self.blocks.append,
            on_covered=lambda neighbour, log, head: self.covered.append((neighbour, log, head)),
            on_own_block_ahead=self.ahead.append,
            envelope_digest=lambda: bytes(4),
            carrying=lambda: self.carries,
            unsure=lambda: False,
        )
        if snapshot is not None:
            self.rings.restore(snapshot)
            self.neighbours.restore(snapshot)
            self.gossip.restore(snapshot)

    def step(self, happened: Input, now: float) -> list[Effect]:
        self.ctx.now, self.ctx.out = now, []
        self._route(happened)
        return self.finish()

    def finish(self) -> list[Effect]:
        self.gossip._stir()  # tests speak to its parts directly; what it remembers is held against them in test_due.py
        for part in (self.neighbours, self.gossip):
            for _ in range(8):
                due = part.wakeup()
                if due is None or due > self.ctx.now:
                    break
                part.tick()
            else:
                raise AssertionError("a timer is due again at once")
        self.outbox.flush()
        return self.ctx.out

    def next_wakeup(self) -> float | None:
        self.gossip._stir()
        times = [self.neighbours.wakeup(), self.gossip.wakeup(), self.outbox.wakeup()]
        return min((at for at in times if at is not None), default=None)

    def _route(self, happened: Input) -> None:
        match happened:
            case LinkChanged():
                if happened.settings is None:
                    self.ctx.links.pop(happened.link, None)
                else:
                    self.ctx.links[happened.link] = happened.settings
                self.neighbours.link_changed(happened)
                self.gossip.link_changed(happened)
            case StationSeen(link):
                self.gossip.station_seen(link)
            case FrameReceived():
                self._heard(self.neighbours.receive_untrusted(happened))
            case RecordReceived():
                self._heard(self.neighbours.record_untrusted(happened))
            case EncounterBegan():
                self.neighbours.session_opened(happened)
                self.gossip.session_opened(happened)
            case EncounterEnded():
                self.neighbours.session_closed(happened)
                self.gossip.session_closed(happened)
            case SessionWritable():
                self.gossip.session_writable(happened)
            case Stored():
                self.gossip.stored(happened)
            case DialFailed():
                self.gossip.dial_failed(happened)
            case PeerSeen():
                self.neighbours.peer_seen(happened)
                self.gossip.peer_seen(happened)
            case _:
                pass

    def _heard(self, heard: Heard | None) -> None:
        if heard is not None:
            self.heard.append(heard)
            self.gossip.heard(heard)

    # what a person does

    def log(self, channel: ChannelId = VALLEY) -> LogId:
        return log_id(self.keys.device, self.keys.incarnation, channel)

    def write(self, text: str, channel: ChannelId = VALLEY) -> Block:
        """The next post of our own log."""
        log = self.gossip.logs.book.get(self.log(channel))
        seq = log.last + 1 if log else 1
        prev = log.rows.ref_at(seq - 1) if log and log.last else ROOT
        return write_block(
            self.log(channel), seq, prev, POST, text.encode(), time=0, secret=self.keys.device_secret,
            sealer=self.ctx.sealer,
        )  # fmt: skip

    def heads(self) -> dict[LogId, int]:
        return {element.log: element.head for element in self.gossip.logs.book.frontier()}


def post(world: World, name: str, text: str, channel: ChannelId = VALLEY) -> Block:
    """The person at `name` posts a line."""
    node = world.seats[name].core
    assert isinstance(node, GossipNode)
    node.ctx.now, node.ctx.out = world.now, []
    block = node.write(text, channel)
    node.gossip.publish(block)
    world.perform(name, node.finish())
    return block


def node_of(world: World, name: str) -> GossipNode:
    node = world.seats[name].core
    assert isinstance(node, GossipNode)
    return node


def restart(world: World, name: str, *, epoch: int, settings: Settings | None = None) -> GossipNode:
    """Power off and on: what is not on disk is gone."""
    disk: Disk = world.seats[name].disk
    core = GossipNode(name, epoch=epoch, snapshot=disk.snapshot(world.now), settings=settings)
    world.replace(name, core)
    return core


def village(
    seed: int, names: str, *, loss: float = 0.0, retries: int = 7, settings: LinkSettings | None = None
) -> World:
    """A world of nodes with one letter each; nobody hears anybody yet."""
    world = World(seed, loss=loss, retries=retries, settings=settings)
    for name in names:
        world.add(name, GossipNode(name))
    return world


def agree(world: World, *names: str) -> bool:
    """All have the same frontier."""
    return len({node_of(world, name).gossip.logs.digest() for name in names}) == 1
