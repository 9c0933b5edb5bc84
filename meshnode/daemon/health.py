"""Every warning a person can see: what it is, why, and what to do. `docs/how-to/warnings.md` is made from this page.

The core and the carriers raise warnings by code with a sentence of their own; here stands what is always true of that
code. The newest of each code is kept until the daemon ends, so that `status` shows what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshnode.core.notices import Warned
from meshnode.daemon.adapters import HealthWarning

KEPT = 32  # codes; more than exist, unless something is badly wrong


@dataclass(frozen=True, slots=True)
class Advice:
    """What is always true of a code."""

    cause: str
    remedy: str


ADVICE: dict[str, Advice] = {
    "store-full": Advice(
        "The store, or the disk below it, is full.",
        "Free disk space or raise store.limit_mb. Until then the node keeps only what you write and what is promised.",
    ),
    "part-failed": Advice(
        "A part of the daemon stopped with an error and is started again after a while.",
        "Look at the log for the line that names the part; `meshnode doctor` checks what it needs.",
    ),
    "clock-unknown": Advice(
        "The system's clock is not set or shows an impossible date.",
        "Nothing is lost without a date. Set the clock, or run an NTP client, to see when messages were written.",
    ),
    "reordered-start": Advice(
        "Another copy of this home is in use, or the store is older than what was sent from it.",
        "Use each home on one machine only; after a restore, `meshnode restore` gives the copy new keys.",
    ),
}
UNKNOWN = Advice("See the sentence of the warning.", "`meshnode doctor` checks what the node needs.")


class Health:
    """The warnings that hold."""

    def __init__(self, unix_now: Callable[[], float]) -> None:
        self._unix_now = unix_now
        self._held: dict[str, HealthWarning] = {}

    def note(self, warned: Warned) -> bool:
        """Keep a warning; True if it says something new."""
        before = self._held.pop(warned.code, None)
        advice = ADVICE.get(warned.code, UNKNOWN)
        self._held[warned.code] = HealthWarning(warned.code, warned.text, advice.cause, advice.remedy, self._unix_now())
        while len(self._held) > KEPT:
            del self._held[next(iter(self._held))]
        return before is None or before.text != warned.text

    def clear(self, code: str) -> None:
        """What was wrong is right again."""
        self._held.pop(code, None)

    def held(self) -> tuple[HealthWarning, ...]:
        """All that hold, newest last."""
        return tuple(self._held.values())
