"""Effects done, in order, after all that was to be kept is kept. Nothing here waits or raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from meshnode.core.effects import Dial, Effect, Forget, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from meshnode.core.notices import Notice
from meshnode.daemon.adapters import LinkAdapter, Sessions
from meshnode.daemon.parcels import Parcels

Tell = Callable[[Notice], None]


class Performer:
    """Hands each effect to the carrier it is for. Sessions below 0 are parcels, which the daemon itself writes."""

    def __init__(self, links: Mapping[str, LinkAdapter], sessions: Sessions, tell: Tell) -> None:
        self._links = links
        self._sessions = sessions
        self.tell = tell
        self.parcels = Parcels()

    def perform(self, effects: Iterable[Effect]) -> list[ReadStored]:
        """Do what can be done at once; the reads that are left to do."""
        reads: list[ReadStored] = []
        for effect in effects:
            match effect:
                case Send(link, to, data):
                    if adapter := self._links.get(link):
                        adapter.send(to, data)
                case SendRecord(session, data):
                    self._send_record(session, data)
                case Dial(address, carrier, link):
                    self._sessions.dial(address, carrier, link)
                case Hangup(session):
                    self.hang_up(session)
                case Notify(notice):
                    self.tell(notice)
                case ReadStored():
                    reads.append(effect)
                case Persist() | Forget():
                    pass  # committed before this was called
        return reads

    def _send_record(self, session: int, data: bytes) -> None:
        if session > 0:
            self._sessions.send(session, data)
        else:
            self.parcels.add(session, data)

    def hang_up(self, session: int) -> None:
        """Close a session after what was sent is written."""
        if session > 0:
            self._sessions.hangup(session)
        else:
            self.parcels.close(session)
