"""An answer that flows: its generator is closed with it, whoever leaves first.

A generator that is only dropped is closed some time later by the collector, outside of any task, and what it holds (a
place among those who follow the events) until then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.responses import StreamingResponse

from meshnode.web.guard import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Flowing:
    """An ASGI answer."""

    pieces: AsyncGenerator[bytes, None]
    headers: Mapping[str, str]
    status: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, or as much as is wanted."""
        async with aclosing(self.pieces) as pieces:
            await StreamingResponse(pieces, self.status, self.headers)(scope, receive, send)
