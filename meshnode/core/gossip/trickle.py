"""When the next beacon of one link is due: Trickle (RFC 6206) with the rules of protocol.md 5.3 and 5.4.

Each interval has one moment in its second half. If by then two distinct bound neighbours said the same as we would, the
beacon is left out, but never in two intervals in a row. Intervals double from 0.5 s to 32 s, and on a link at rest
beyond that, as far as `fires` is told; `reset` begins anew, and `hurry` shortens to what is enough for the occasion.

While a neighbour is *missed*, they stay shorter: 8 s at first, and never beyond a 32nd of the time since it was lost.
So a cut that ends is found in a small share of its length, and after 17 minutes nothing is looked for any more.

Nothing happens at the end of an interval, so nobody is woken for it: once its moment is over the next one is drawn.
Nor at a moment that is left out: that is certain with the second who agrees, unless what we would say changes before.

    |-------------- interval -------------|------------------------- next one -------------------------|
    start              moment: fires       start: from here on counts what others say        moment
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.clock import Instant

I_MIN: Final = 0.5
I_MAX: Final = 32.0
SEEK: Final = 8.0  # 30 % of frames lost, two who look: the chance is one in a hundred that 25 s pass without a word
SEEK_SHARE: Final = 32.0  # in all about 45 beacons more for a neighbour that does not come back
K: Final = 2

Draw = Callable[[float, float], float]


class Trickle:
    """The timer of one link. Ask `fires` at the moment `wakeup` names; it says whether to send."""

    def __init__(self, draw: Draw, now: Instant) -> None:
        self._draw = draw
        self._consistent: set[bytes] = set()
        self._left_out = False
        self._skipped: tuple[float, Instant, Instant] | None = None  # interval, start and moment that was left out
        self._asked = 0.0  # a single beacon asked for out of turn; 0 none
        self._promised: Instant = float("inf")
        self._answers: set[bytes] = set()
        self._missed: dict[bytes, Instant] = {}  # since when
        self.longest = I_MAX  # of the intervals that are drawn at present
        self.last_sent: Instant = float("-inf")
        self._before = I_MIN  # the interval that runs until the next one starts
        self._begin(I_MIN, now)

    @property
    def interval(self) -> float:
        """The length of the interval whose moment comes next."""
        return self._interval

    def reset(self, now: Instant) -> None:
        """Something is inconsistent: begin with the shortest interval, unless that is running already."""
        self.hurry(I_MIN, now)

    def hurry(self, interval: float, now: Instant) -> None:
        """Begin an interval of this length, unless the present one is as short."""
        present = self._interval if now >= self._start else self._before
        if present > interval:
            self._take_back(now)
            self._begin(interval, now)

    def ask(self, at: Instant) -> None:
        """One beacon at `at` unless two others answer before; the interval goes on as it was."""
        if not self._asked:
            self._asked = at
            self._answers.clear()

    def promise(self, at: Instant) -> None:
        """One beacon at `at` at the latest, whatever others say."""
        self._promised = min(at, self._promised)

    def keep(self, now: Instant) -> None:
        """A beacon went out in other company: what was promised is kept."""
        self.last_sent, self._promised = now, float("inf")

    def heard(self, neighbour: bytes, now: Instant) -> None:
        """A bound neighbour's beacon said what ours would say."""
        if now < self._start:
            return
        self._consistent.add(neighbour)
        if len(self._consistent) >= K and not self._left_out:
            self._left_out, self._skipped = True, (self._interval, self._start, self._moment)
            self._next(now, self.longest)

    def answered(self, neighbour: bytes) -> None:
        """A bound neighbour sent a beacon, whatever it said."""
        self._answers.add(neighbour)

    def miss(self, neighbour: bytes, now: Instant) -> None:
        """A bound neighbour was lost: look for it, ever less often."""
        self._missed = {name: since for name, since in self._missed.items() if since > now - SEEK_SHARE * I_MAX}
        self._missed[neighbour] = now
        self.hurry(SEEK, now)
        if self._interval > SEEK:  # it was drawn already, and has not begun
            self._begin(SEEK, self._start)

    def found(self, neighbour: bytes) -> None:
        """It is back."""
        self._missed.pop(neighbour, None)

    def unheard(self, now: Instant) -> None:
        """What ours would say has changed: what was heard counts no longer, nor what will be left out for it."""
        self._consistent.clear()
        if (skipped := self._take_back(now)) is not None:
            self._interval, self._start, self._moment = skipped

    def wakeup(self) -> Instant:
        """When something is due."""
        due = self._moment if self._moment < self._promised else self._promised
        return self._asked if self._asked and self._asked < due else due

    def fires(self, now: Instant, longest: float = I_MAX) -> bool:
        """Go on to `now`; True when a beacon is to be sent. Nobody is missed: intervals double up to `longest`."""
        send = now >= self._promised
        if self._asked and now >= self._asked:
            self._asked = 0.0
            send |= len(self._answers) < K
        over = now >= self._moment
        send |= over
        if send:
            self.keep(now)
        if over:
            self._left_out, self._skipped, self.longest = False, None, longest
            self._next(now, longest)
        return send

    def _next(self, now: Instant, longest: float) -> None:
        """The moment of this interval is over, or left out."""
        self._before = self._interval
        end = max(now, self._start + self._interval)
        self._begin(min(2 * self._interval, self._seeking(now) or longest), end)

    def _take_back(self, now: Instant) -> tuple[float, Instant, Instant] | None:
        """A moment that was left out and lies ahead is not left out yet; which one it is."""
        skipped = self._skipped
        if skipped is None or now >= skipped[2]:
            return None
        self._left_out, self._skipped = False, None
        return skipped

    def _seeking(self, now: Instant) -> float:
        """The longest interval while somebody is missed; 0 where nobody is, or for too long."""
        lost_at = max(self._missed.values(), default=float("-inf"))
        seek = (now - lost_at) / SEEK_SHARE
        return max(SEEK, seek) if seek < I_MAX else 0.0

    def _begin(self, interval: float, start: Instant) -> None:
        self._interval, self._start = interval, start
        self._moment = start + self._draw(interval / 2, interval)
        if self._left_out:  # at least one beacon per two longest intervals
            self._moment = min(self._moment, max(start, self.last_sent + 2 * self.longest))
        self._consistent.clear()
