"""Many messages from standard input: sent in order as they come, answered by one JSON object each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

import trio

from meshnode.cli import say
from meshnode.cli.app import DONE, NOT_YET
from meshnode.cli.ask import connect
from meshnode.cli.options import Common
from meshnode.cli.text import lines
from meshnode.control import notices, replies, requests
from meshnode.core.records import STATES
from meshnode.errors import UsageError

TOGETHER = 64  # messages in one request: what is piped in leaves together, and shares datagrams
FAR = (*STATES, "expired")  # in the order a message goes through them


def post_lines(common: Common, channel: str) -> None:
    """Post each line."""
    trio.run(_Lines(common, lambda texts: requests.PostLinesRequest(channel=channel, texts=texts)).run)


def send_lines(common: Common, contact: str, wait: requests.Wait, timeout_s: float, cls: int) -> int:
    """Send each line; the exit code says whether all came far enough in time."""
    many = _Lines(
        common, lambda texts: requests.SendLinesRequest(contact=contact, texts=texts, cls=cls), wait, timeout_s
    )
    return trio.run(many.run)


class _Lines:
    """One connection asks, another watches how far each message has come."""

    def __init__(
        self, common: Common, word: Callable[[list[str]], requests.Request], wait: str = "kept", timeout_s: float = 60.0
    ) -> None:
        self._common = common
        self._word = word
        self._wait = wait
        self._timeout_s = timeout_s
        self._latest: dict[str, notices.StateNotice] = {}
        self._moved = trio.Event()
        self._late = False

    async def run(self) -> int:
        """All of standard input."""
        async with trio.open_nursery() as watching:
            if self._wait != "kept":
                await watching.start(self._watch)
            async with connect(self._common) as client, trio.open_nursery() as waiting, aclosing(lines()) as given:
                async for texts in given:
                    for at in range(0, len(texts), TOGETHER):
                        told = await client.ask(self._word(texts[at : at + TOGETHER]), replies.LinesReply)
                        await self._take(told.states, waiting)
                        if told.refused:
                            raise UsageError(told.refused)
            watching.cancel_scope.cancel()
        return NOT_YET if self._late else DONE

    async def _take(self, states: list[replies.StateReply], waiting: trio.Nursery) -> None:
        """Answer at once and in the order of the lines where nothing is waited for."""
        for reply in states:
            if self._wait == "kept":
                await self._answer(reply)
            else:
                waiting.start_soon(self._answer, reply)

    async def _watch(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with connect(self._common) as client:
            async for notice in client.stream(requests.WatchRequest()):
                if isinstance(notice, notices.ReadyNotice):
                    task_status.started()
                elif isinstance(notice, notices.StateNotice):
                    self._latest[notice.id] = notice
                    self._moved.set()
                    self._moved = trio.Event()

    async def _answer(self, reply: replies.StateReply) -> None:
        with trio.move_on_after(self._timeout_s):
            while _far(reply.state) < _far(self._wait):
                reply = await self._next(reply)
        reached = reply.state != "expired" and _far(reply.state) >= _far(self._wait)
        self._late |= not reached
        say.line({"id": reply.id, "state": reply.state, "witnesses": reply.witnesses, "reached": reached})

    async def _next(self, reply: replies.StateReply) -> replies.StateReply:
        known = self._latest.get(reply.id)
        if known is None or _far(known.state) <= _far(reply.state):
            await self._moved.wait()
            return reply
        return replies.StateReply(id=reply.id, state=known.state, witnesses=known.witnesses)


def _far(state: str) -> int:
    return FAR.index(state)
