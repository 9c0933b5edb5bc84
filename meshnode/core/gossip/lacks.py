"""What peers of sessions have and we lack: noted while comparing, asked for, and struck once it is here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from meshnode.core.bridge.gate import Gate
from meshnode.core.chain.frontier import Element
from meshnode.core.gossip.logs import Logs
from meshnode.core.gossip.sync import Sync
from meshnode.core.ids import LogId
from meshnode.core.wire.frames import Frame, Want, Wish
from meshnode.core.wire.limits import MAX_WISHES

MAX_WANTED: Final = 32_768  # logs asked for at once; more in the next round


class Lacks:
    """Fetches for all sessions of a node. `send`: one frame to a session."""

    def __init__(self, logs: Logs, gate: Gate, send: Callable[[Sync, Frame], None]) -> None:
        self._logs = logs
        self._gate = gate
        self._send = send

    def lack(self, sync: Sync, element: Element) -> None:
        """They have this; note what of it we want."""
        held = self._logs.book.get(element.log)
        if self._refuses(sync, element.log) or (held is None and not element.head):
            return
        if sync.uplink and not self._gate.carries(element.log):
            return
        if len(sync.wanted) >= MAX_WANTED and element.log not in sync.wanted:
            return
        upto = min(element.head, held.limit) if held else element.head
        if element.forked and not (held and held.forked):
            sync.splits[element.log] = element.head + 1  # who is asked past a split answers with the proof
        if held is None or held.gaps(upto) or element.log in sync.splits:
            sync.wanted[element.log] = max(upto, sync.wanted.get(element.log, 0))
            sync.asked.discard(element.log)

    def ask(self, sync: Sync) -> None:
        """A WANT for what was not asked for yet."""
        wishes: list[Wish] = []
        for log, upto in sync.wanted.items():
            if log in sync.asked:
                continue
            sync.asked.add(log)
            held = self._logs.book.get(log)
            gaps = held.gaps(upto) if held else [(1, upto)]
            wishes += [Wish(log, first, count) for first, count in gaps if count]
            wishes += [Wish(log, sync.splits[log], 1)] if log in sync.splits else []
        for at in range(0, len(wishes), MAX_WISHES):
            self._send(sync, Want(tuple(wishes[at : at + MAX_WISHES])))

    def strike(self, sync: Sync, logs: Iterable[LogId]) -> None:
        """Of these logs nothing more is wanted where all is here."""
        for log in logs:
            if self._have(sync, log, sync.wanted[log]):
                del sync.wanted[log]
                sync.splits.pop(log, None)
                sync.asked.discard(log)

    def _have(self, sync: Sync, log: LogId, upto: int) -> bool:
        held = self._logs.book.get(log)
        if held is None or self._logs.admission.refuses(log):
            return self._refuses(sync, log)
        return not held.gaps(upto) and (held.forked or log not in sync.splits)

    def _refuses(self, sync: Sync, log: LogId) -> bool:
        """It is not wanted, or not of this peer today."""
        admission = self._logs.admission
        return admission.refuses(log) or (log not in self._logs.book and admission.waits(log, sync.neighbour.node))
