"""What all handlers of the control socket share: the node behind them, whose it is, and who watches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from meshnode.control.feed import Feed
from meshnode.control.replies import StatusReply
from meshnode.core.identity.keys import Keys
from meshnode.core.ports import Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.daemon.adapters import ControlHandlers
from meshnode.daemon.book import Book
from meshnode.daemon.membership import Membership
from meshnode.daemon.progress import Progress
from meshnode.errors import UsageError

if TYPE_CHECKING:
    from meshnode.daemon.household import Household  # which runs nodes; a home at rest is asked without
    from meshnode.daemon.restoring import Restoring

_CURSOR = re.compile(r"(?P<number>[0-9]{0,18})(@(?P<moment>[0-9]{1,15}(\.[0-9]{1,9})?))?")


@dataclass(frozen=True, slots=True)
class Me:
    """Whose node this is. `mesh` is the one it runs in; what `membership` changes ends it and begins another."""

    home: Path
    name: str
    keys: Keys
    mesh: MeshKeys
    sealer: Sealer
    membership: Membership


@dataclass(frozen=True, slots=True)
class Desk:
    """`host` is a running daemon, or a home whose node does not run. `pages`: where its page is served."""

    host: ControlHandlers
    me: Me
    book: Book
    progress: Progress
    feed: Feed
    household: Household | None = None
    pages: Callable[[], Sequence[str]] = tuple
    restoring: Restoring | None = None

    async def load(self) -> None:
        """Read the address book again."""
        channels = [channel for channel, _ in await self.host.channels()]
        self.book.load(await self.host.contacts(), channels)

    def unix_now(self) -> float | None:
        """The date, as far as it is known."""
        ahead = self.status().clock.offset_s
        return None if ahead is None else time.time() - ahead

    def status(self) -> StatusReply:
        """The state of the node."""
        return msgspec.convert(self.host.status(), StatusReply)


def cursor(message: int, now: float) -> str:
    """Goes on after this message, and after the states that changed until now."""
    return f"{message}@{now:.3f}"


def read_cursor(text: str) -> tuple[int, float]:
    """The message and the moment of a cursor; a message's own cursor has no moment."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is not a cursor; take one from `inbox` or `watch`")
    return int(found["number"] or 0), float(found["moment"] or 0.0)
