"""What was carried of a channel before it was joined: read from the store a page at a time, however long it is.

    joined -> ReadStored (a page) -> Stored: its posts, ReadStored (the next) -> ... -> the last page

Posts that come meanwhile are filed as they come; a page does not bring them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from meshnode.core.chain.block import Block, stored_block
from meshnode.core.chain.kinds import POST, acted_upon
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored
from meshnode.core.ids import ChannelId, LogId
from meshnode.core.inputs import Stored
from meshnode.core.records import BODY_HELD, BlockRecord

FIRST_TOKEN: Final = 1  # of our questions to the store; those of gossip begin at 1 << 32
PAGE: Final = 64  # blocks: a megabyte at most

Stretches = tuple[tuple[LogId, int, int], ...]


@dataclass(slots=True)
class Reading:
    """One history that is being read. `since`: what was received before that was filed by an earlier joining."""

    channel: ChannelId
    since: Instant
    pages: Iterator[Stretches]
    meanwhile: set[tuple[LogId, int]] = field(default_factory=set)  # filed as they came


class Histories:
    """The histories that are being read, each by the token of its open question."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._tokens = count(FIRST_TOKEN)
        self._readings: dict[int, Reading] = {}

    def begin(self, channel: ChannelId, heads: Mapping[LogId, int], since: Instant) -> None:
        """Read the logs of a channel from their first blocks up to these heads."""
        self._ask(Reading(channel, since, _pages(tuple(heads.items()))))

    def came(self, channel: ChannelId, block: Block) -> None:
        """A post of a joined channel came in and is filed."""
        for reading in self._readings.values():
            if reading.channel == channel:
                reading.meanwhile.add((block.log, block.seq))

    def stored(self, told: Stored) -> list[Block] | None:
        """The posts of a page that are to be filed, and the next page is asked for; None if it was not for us."""
        reading = self._readings.pop(told.token, None)
        if reading is None:
            return None
        posts = [_post(row) for row in told.blocks if _wanted(reading, row)]
        self._ask(reading)
        return [post for post in posts if acted_upon(post.version, post.kind)]

    def _ask(self, reading: Reading) -> None:
        page = next(reading.pages, None)
        if page is not None:
            token = next(self._tokens)
            self._readings[token] = reading
            self._ctx.emit(ReadStored(token, blocks=page))


def _wanted(reading: Reading, row: BlockRecord) -> bool:
    is_post = row.kind == POST and row.body_state == BODY_HELD
    return is_post and row.received_at >= reading.since and (row.log, row.seq) not in reading.meanwhile


def _post(row: BlockRecord) -> Block:
    return stored_block(row.content, row.signature, row.body)


def _pages(heads: tuple[tuple[LogId, int], ...]) -> Iterator[Stretches]:
    """All blocks of the logs, a page of them at a time."""
    page, room = list[tuple[LogId, int, int]](), PAGE
    for log, head in heads:
        first = 1
        while first <= head:
            taken = min(room, head - first + 1)
            page.append((log, first, taken))
            first, room = first + taken, room - taken
            if not room:
                yield tuple(page)
                page, room = [], PAGE
    if page:
        yield tuple(page)
