"""Blocks that arrive: taken one by one, and a run of them passed on as one piece of news.

taken, new here    -> bodies, chat, on to others at once (news) or lazily (catching up), a beacon soon
held already       -> counted: enough copies heard, and ours is left out
links to nothing   -> repair asks for what lies between
two at one place   -> forks
log not known      -> repair asks for its id
wrong              -> its previous hop pays; what follows it in its run is not looked at
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.compact import Compact, encode_compact
from meshnode.core.chain.verdict import Verdict
from meshnode.core.context import Context
from meshnode.core.gossip.beacon import Beacons
from meshnode.core.gossip.bodies import Bodies
from meshnode.core.gossip.flood import Flood
from meshnode.core.gossip.forks import Forks
from meshnode.core.gossip.logs import Logs, Taken
from meshnode.core.gossip.repair import Repair
from meshnode.core.gossip.session import Sessions
from meshnode.core.neighbours.table import Heard, Neighbours
from meshnode.errors import WireError

GROUP_HURRY_S: Final = 3.0  # a multicast is not acknowledged: a beacon soon shows who missed it
SINGLE_HURRY_S: Final = 8.0


class Arrivals:
    """What happens to blocks from the air, from sessions and parcels."""

    def __init__(
        self,
        ctx: Context,
        neighbours: Neighbours,
        logs: Logs,
        *,
        beacons: Beacons,
        bodies: Bodies,
        flood: Flood,
        forks: Forks,
        repair: Repair,
        sessions: Sessions,
    ) -> None:
        self._ctx = ctx
        self._neighbours = neighbours
        self._logs = logs
        self._beacons = beacons
        self._bodies = bodies
        self._flood = flood
        self._forks = forks
        self._repair = repair
        self._sessions = sessions
        self.on_block: Callable[[Block], None] = _ignore_block

    def take_untrusted(self, heard: Heard, ref: bytes, blocks: Iterable[Compact]) -> None:
        """Blocks of one log in a row, up to the first that is refused."""
        fresh: list[Block] = []
        before: bytes | None = None
        for compact in blocks:
            taken = self._block_untrusted(heard, ref, compact, before)
            block = taken.block
            if block is None:
                break
            if taken.new:
                fresh.append(block)
                self.on_block(block)
            before = block.ref
        if fresh:
            self._repair.new_items(heard, fresh[-1].log, len(fresh))
            self._pass_on(heard, fresh)

    def _block_untrusted(self, heard: Heard, ref: bytes, compact: Compact, before: bytes | None) -> Taken:
        try:
            taken = self._logs.take_untrusted(ref, compact, heard, before)
        except WireError:
            self._neighbours.fine(heard, len(encode_compact(compact, with_seq=True)))
            self._ctx.count("block_refused")
            return Taken()
        if taken.unknown:
            self._repair.gap(heard, ref, compact.seq)
        elif taken.block is not None and taken.duplicate:
            self._flood.overheard(taken.block, heard)
        elif taken.block is not None and not (taken.verdict is Verdict.NEW and taken.block.body is not None):
            self._look(heard, taken.block, taken.verdict)
        return taken

    def _look(self, heard: Heard, block: Block, verdict: Verdict | None) -> None:
        """It is not simply the next one: something is missing, or wrong with its log."""
        match verdict:
            case Verdict.FORK:
                self._forks.split(block)
            case Verdict.BEYOND_GAP | Verdict.TOO_FAR:
                self._repair.gap(heard, block.log, block.seq)
            case Verdict.FORK_BELOW:
                self._repair.gap(heard, block.log, block.seq)
                self._sessions.look_below(self._logs.book.logs[block.log], heard.session)
            case Verdict.BODY:
                self._bodies.came(block.log)
        if verdict is not None and verdict.kept and block.body is None:
            self._bodies.missing(block.log)

    def _pass_on(self, heard: Heard, blocks: list[Block]) -> None:
        """At once what came on the air or as news in a session; what was caught up with, lazily (rule 6.3)."""
        if heard.carrier != "link" and not (heard.carrier == "session" and self._sessions.live(heard.session)):
            self._beacons.hurry(GROUP_HURRY_S)
            return
        log, grouped = self._logs.book.get(blocks[0].log), False
        if log is not None and (self._neighbours.anyone_but(heard.node) or self._neighbours.gate.is_bridge):
            for block in blocks:
                grouped |= self._flood.forward(block, heard, log.ring)
        self._beacons.hurry(GROUP_HURRY_S if grouped else SINGLE_HURRY_S)


def _ignore_block(block: Block) -> None:
    return None
