"""What was carried of a channel before it was joined: read from the store a page at a time, however long it is.

    joined -> ReadStored (a page) -> Stored: its posts, ReadStored (the next) -> ... -> the last page
    started again, still joined -> ReadStored (the page that was never filed) -> ...
    left -> no more is asked, what is unread waits -> joined -> ReadStored -> ...

What is unread is a fact for each log, `history/<log>`. A page is struck off in the very step that files its posts, so a
start finds exactly the rest; the last page takes the fact with it. Posts that come meanwhile are filed as they come and
struck off as well: a page does not bring them again.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from meshnode.core.chain.block import Block, stored_block
from meshnode.core.chain.kinds import POSTS, acted_upon
from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.effects import ReadStored
from meshnode.core.ids import ChannelId, LogId, log_channel
from meshnode.core.inputs import Stored
from meshnode.core.records import BODY_HELD, BlockRecord, FactRecord, RecordKey, Snapshot

FIRST_TOKEN: Final = 1  # of our questions to the store; those of gossip begin at 1 << 32
PAGE: Final = 64  # blocks of an answer: a megabyte at most; and stretches of a question
_FACT: Final = "history/"
_STRETCH: Final = struct.Struct(">QQd")  # first, last, since

Page = tuple[tuple[LogId, int, int], ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Blocks `first` to `last` of a log, not read yet. What was received before `since` an earlier joining filed."""

    first: int
    last: int
    since: Instant


class Histories:
    """What is unread of each channel, in order, and the open question of each that is being read."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._tokens = count(FIRST_TOKEN)
        self._unread: dict[ChannelId, dict[LogId, list[Unread]]] = {}
        self._asked: dict[int, tuple[ChannelId, Page]] = {}
        self._interrupted: list[ChannelId] = []

    def restore(self, snapshot: Snapshot, joined: Collection[ChannelId]) -> None:
        """Go on from the disk; the readings of joined channels are taken up by the first tick."""
        for record in snapshot.records:
            if isinstance(record, FactRecord) and record.name.startswith(_FACT):
                log = LogId(bytes.fromhex(record.name[len(_FACT) :]))
                stretches = [Unread(*fields) for fields in _STRETCH.iter_unpack(record.value)]
                self._unread.setdefault(log_channel(log), {})[log] = stretches
        self._interrupted = [channel for channel in self._unread if channel in joined]

    def begin(self, channel: ChannelId, heads: Mapping[LogId, int], since: Instant) -> None:
        """Read the logs of a channel from their first blocks up to these heads, and what a leaving left unread."""
        unread = self._unread.get(channel, {})
        self._keep({log: _widened(unread.get(log, []), head, since) for log, head in heads.items()})
        self._ask(channel)

    def leave(self, channel: ChannelId) -> None:
        """The channel was left: an open question is dropped, and no other is asked."""
        self._asked = {token: asked for token, asked in self._asked.items() if asked[0] != channel}
        self._interrupted = [one for one in self._interrupted if one != channel]

    def came(self, channel: ChannelId, block: Block) -> None:
        """A post of a joined channel came in and is filed."""
        stretches = self._unread.get(channel, {}).get(block.log, [])
        if _covering(stretches, block.seq) is not None:
            self._keep({block.log: _without(stretches, block.seq, block.seq)})

    def log_gone(self, log: LogId) -> None:
        """A log is held no longer: nothing of it can be read."""
        if log in self._unread.get(log_channel(log), {}):
            self._keep({log: []})

    def stored(self, told: Stored) -> list[Block] | None:
        """The posts of a page that are to be filed, and the next page is asked for; None if it was not for us."""
        channel, page = self._asked.pop(told.token, (None, ()))
        if channel is None:
            return None
        posts = [_post(row) for row in told.blocks if self._wanted(row)]
        self._strike_off(channel, page if len(told.blocks) < PAGE else _up_to(page, told.blocks[-1]))
        self._ask(channel)
        return [post for post in posts if acted_upon(post.version, post.kind)]

    def tick(self) -> None:
        """Take up the readings that the last run did not end."""
        interrupted, self._interrupted = self._interrupted, []
        for channel in interrupted:
            self._ask(channel)

    def wakeup(self) -> Instant | None:
        """When something is due: at once after a start, if a reading was interrupted."""
        return 0.0 if self._interrupted else None

    def _wanted(self, row: BlockRecord) -> bool:
        if row.kind not in POSTS or row.body_state != BODY_HELD:
            return False
        stretch = _covering(self._unread.get(log_channel(row.log), {}).get(row.log, []), row.seq)
        return stretch is not None and row.received_at >= stretch.since

    def _strike_off(self, channel: ChannelId, page: Page) -> None:
        unread, left = self._unread.get(channel, {}), dict[LogId, list[Unread]]()
        for log, first, number in page:
            if log in unread:
                left[log] = _without(left.get(log, unread[log]), first, first + number - 1)
        self._keep(left)

    def _ask(self, channel: ChannelId) -> None:
        page = _page(self._unread.get(channel, {}))
        if page:
            token = next(self._tokens)
            self._asked[token] = (channel, page)
            self._ctx.emit(ReadStored(token, blocks=page, most=PAGE))

    def _keep(self, changed: Mapping[LogId, list[Unread]]) -> None:
        """This is what is unread of these logs now, in memory and on disk."""
        for log, stretches in changed.items():
            logs = self._unread.setdefault(log_channel(log), {})
            logs[log] = stretches
            if not stretches:
                del logs[log]
        rows = [FactRecord(_name(log), _packed(stretches)) for log, stretches in changed.items() if stretches]
        read = [RecordKey(FactRecord, (_name(log),)) for log, stretches in changed.items() if not stretches]
        if rows:
            self._ctx.persist(*rows)
        if read:
            self._ctx.forget(*read)


def _page(unread: Mapping[LogId, Iterable[Unread]]) -> Page:
    """What is unread of some logs. However far a head lies: the store answers with a page of what is there."""
    stretches = ((log, stretch) for log, those in unread.items() for stretch in those)
    return tuple((log, one.first, one.last - one.first + 1) for log, one in islice(stretches, PAGE))


def _up_to(page: Page, last: BlockRecord) -> Page:
    """What of a page came before the answer was full."""
    full = next(
        place for place, (log, first, number) in enumerate(page) if log == last.log and 0 <= last.seq - first < number
    )
    log, first, _ = page[full]
    return (*page[:full], (log, first, last.seq - first + 1))


def _widened(stretches: Iterable[Unread], head: int, since: Instant) -> list[Unread]:
    """All of a log up to its head: what was unread stays as it was, what is between is read for what came `since`."""
    wide, first = list[Unread](), 1
    for stretch in stretches:
        if first < stretch.first:
            wide.append(Unread(first, stretch.first - 1, since))
        wide.append(stretch)
        first = stretch.last + 1
    return [*wide, Unread(first, head, since)] if first <= head else wide


def _without(stretches: Iterable[Unread], first: int, last: int) -> list[Unread]:
    """These stretches less the blocks `first` to `last`."""
    return [part for stretch in stretches for part in _outside(stretch, first, last)]


def _outside(stretch: Unread, first: int, last: int) -> Iterator[Unread]:
    before, after = min(stretch.last, first - 1), max(stretch.first, last + 1)
    if stretch.first <= before:
        yield Unread(stretch.first, before, stretch.since)
    if after <= stretch.last:
        yield Unread(after, stretch.last, stretch.since)


def _covering(stretches: Iterable[Unread], seq: int) -> Unread | None:
    return next((stretch for stretch in stretches if stretch.first <= seq <= stretch.last), None)


def _post(row: BlockRecord) -> Block:
    return stored_block(row.content, row.signature, row.body)


def _name(log: LogId) -> str:
    return _FACT + log.hex()


def _packed(stretches: Iterable[Unread]) -> bytes:
    return b"".join(_STRETCH.pack(stretch.first, stretch.last, stretch.since) for stretch in stretches)
