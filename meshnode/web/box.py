"""What all handlers of the page share: the box, who is signed in, and questions to the nodes of a household."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import trio

from meshnode.control.client import connect
from meshnode.control.replies import MemberReply, Reply
from meshnode.control.requests import Request
from meshnode.web.hub import Hubs
from meshnode.web.logins import Login, Logins, Patience
from meshnode.web.past import Past
from meshnode.web.places import Places
from meshnode.web.routes import Asked
from meshnode.web.secure import Secure
from meshnode.web.spool import Spool

R = TypeVar("R", bound=Reply)

AT_ONCE: Final = 16  # questions to one node: of a household's phones some wait, and the command line is not shut out


@dataclass(frozen=True, slots=True)
class Box:
    """`socket` is the control socket of the box itself."""

    socket: Path
    logins: Logins
    patience: Patience
    hubs: Hubs
    spool: Spool
    backups: Spool
    past: Past
    clock: Callable[[], float]
    secure: Secure
    places: Places = field(default_factory=Places)
    turns: dict[Path, trio.CapacityLimiter] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """What the page serves now."""
        return {"signed_in": len(self.logins), "streams": len(self.places)}

    async def ask(self, request: Request, reply: type[R]) -> R:
        """A question to the box."""
        return await self._ask(self.socket, request, reply)

    async def ask_mine(self, asked: Asked, request: Request, reply: type[R]) -> R:
        """A question to the node of who asks."""
        return await self._ask(asked.who.socket, request, reply)

    async def _ask(self, socket: Path, request: Request, reply: type[R]) -> R:
        async with self.turns.setdefault(socket, trio.CapacityLimiter(AT_ONCE)), connect(socket) as client:
            return await client.ask(request, reply)


def login_of(member: MemberReply) -> Login:
    """A sign-in as this member."""
    return Login(member.name, member.role, member.persona, Path(member.socket))
