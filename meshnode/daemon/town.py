"""Who is told what happens: those who wait for one message, those who watch, and the list of warnings."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from meshnode.control import notices as told
from meshnode.control.feed import Feed
from meshnode.control.replies import utc_text
from meshnode.core.inputs import LinkChanged
from meshnode.core.notices import (
    BranchAdopted,
    DateTaken,
    ForkFound,
    MessageFiled,
    Notice,
    OthersStopped,
    Warned,
)
from meshnode.core.settings import Law
from meshnode.daemon import wording
from meshnode.daemon.book import Book
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.desk import cursor
from meshnode.daemon.health import Health
from meshnode.daemon.home import Home
from meshnode.daemon.progress import Progress
from meshnode.daemon.walltime import WallTime

_log = structlog.get_logger("daemon")


class Town:
    """One node's crier."""

    def __init__(self, home: Home, clock: PoweredClock, wall: WallTime, health: Health) -> None:
        self.feed = Feed(at=lambda: self.at)
        self.progress = Progress()
        self.book = Book(home.keys.persona, home.name)
        self.newest = 0
        self._ready = False
        self._early: list[told.Notice] = []
        self._name = home.name
        self._clock = clock
        self._wall = wall
        self._health = health
        self._listeners: list[Callable[[told.Notice], None]] = []
        self._stopped: frozenset[str] = frozenset()
        self.on_stopped: Callable[[frozenset[str]], None] = _unheard

    def listen(self, listener: Callable[[told.Notice], None]) -> None:
        """Call this for every notice, too."""
        self._listeners.append(listener)

    def tell(self, notice: Notice) -> None:
        """A notice of the core, or a warning of the daemon."""
        if isinstance(notice, DateTaken):
            self._wall.neighbours = notice.clock
        if isinstance(notice, BranchAdopted):
            self._mended(notice)
        if isinstance(notice, OthersStopped):
            self._others_stopped(notice)
        warned = wording.warning(notice, self.book)
        if warned is not None and not self._health.note(warned) and isinstance(notice, Warned):
            return
        if isinstance(notice, Warned):
            _log.warning(notice.code, text=notice.text)
        if isinstance(notice, MessageFiled):
            self.newest = max(self.newest, notice.message.cursor)
        self.progress.publish(notice)
        worded = wording.notice(notice, self.at, cursor(self.newest, self._clock.now()), self.book, self._name)
        if worded is not None:
            self.publish(worded)

    def _mended(self, adopted: BranchAdopted) -> None:
        split = wording.warning(ForkFound(adopted.log, adopted.split, adopted.persona), self.book)
        if split is not None:
            self._health.clear(split.code, split.text)

    def link_changed(self, change: LinkChanged) -> None:
        """The bound interface came, changed or went. What is found at the start stands in `ready`, the first notice."""
        up = change.settings is not None
        if self._ready:
            state, detail = ("up", wording.link(change.settings)) if change.settings else ("down", "")
            self.publish(told.InterfaceNotice(at=self.at, name=change.link, state=state, detail=detail))
        if up:
            self._health.clear("link_missing")
            self._note_law(change)
        else:
            self.link_missing(change.link, "gone or down")

    def _note_law(self, change: LinkChanged) -> None:
        """Whether the law can be kept on this interface."""
        law = change.settings.law if change.settings else Law()
        if law.limited and not law.others_held and law.reserve_ppm:
            self.tell(Warned("airtime_unshaped", f"What others send on {change.link} is counted, but cannot be held."))
        else:
            self._health.clear("airtime_unshaped")
        if law.limited and law.standing_ppm >= law.duty_ppm:
            self.tell(Warned("beacons_too_often", f"The beacons of {change.link} alone use more than the law allows."))
        else:
            self._health.clear("beacons_too_often")

    def _others_stopped(self, notice: OthersStopped) -> None:
        """What shares an interface with the node has used its part of the hour there, or may go on."""
        self._stopped = self._stopped | {notice.link} if notice.stopped else self._stopped - {notice.link}
        self.on_stopped(self._stopped)
        self._health.clear("overlay_stopped")
        if self._stopped:
            names = ", ".join(sorted(self._stopped))
            self.tell(Warned("overlay_stopped", f"Yggdrasil and sessions are kept off {names} until the hour slid on."))

    def radio_changed(self, name: str, state: str) -> None:
        """A radio that may not be the bound one was plugged in or pulled out."""
        self.publish(told.InterfaceNotice(at=self.at, name=name, state=state))

    def link_missing(self, name: str, state: str) -> None:
        """Nothing can be sent or heard there."""
        self.tell(Warned("link_missing", f"The interface {name} is {state}: the node waits for it."))

    def publish(self, notice: told.Notice) -> None:
        """A notice as it is shown. Listeners hear `ready` first, then what was found before."""
        self.feed.publish(notice)
        if not self._ready and not isinstance(notice, told.ReadyNotice):
            self._early.append(notice)
            return
        self._ready = True
        early, self._early = self._early, []
        for one in (notice, *early):
            for listener in self._listeners:
                listener(one)

    @property
    def at(self) -> str:
        """The moment it is, for a notice."""
        return utc_text(self._wall.unix_now())


def _unheard(interfaces: frozenset[str]) -> None:
    return None
