"""Making room: what goes when the store nears its limit, and in which order.

1. what has expired: envelopes, tombstones, marks
2. envelopes that were delivered (a receipt opened their tag), then those only passing through, oldest first
3. bodies of blocks of people who are neither me nor a contact, the farthest ring first, then the oldest; not of
   those by which others judge the writer (person logs, prekeys, checkpoints: chain/prune.py)
4. posts in the inbox written by such people, oldest first

Never: what I wrote, what a contact wrote, an envelope whose custody we took and that may still arrive. When these alone
fill the store, the node refuses to take more; then only the reserve is left, for own words, chain steps and receipts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import apsw

from meshnode.core.chain.prune import UNTOUCHABLE
from meshnode.core.ids import PERSON_CHANNEL, LogId
from meshnode.core.records import BODY_DROPPED, BODY_HELD, ROLE_TRANSIT

STRANGERS = 2  # rings from here on are neither mine (0) nor a contact's (1)

_EXPIRED: Final = "FROM envelope WHERE expires_at <= ?"
_DELIVERED: Final = "FROM envelope WHERE tag IN (SELECT tag FROM tombstone)"
_TRANSIT: Final = "FROM envelope WHERE role = ? ORDER BY held_since"
_BODIES: Final = (
    "FROM block JOIN log USING (log) JOIN body USING (n)"
    f" WHERE ring >= ? AND body_state = ? AND substr(log, -{len(PERSON_CHANNEL)}) <> ?"
    f" AND kind NOT IN ({', '.join(map(str, sorted(UNTOUCHABLE)))}) ORDER BY ring DESC, n"
)
_STRANGERS_BODIES: Final = (STRANGERS, BODY_HELD, PERSON_CHANNEL)
_POSTS: Final = (
    "FROM message WHERE channel <> x'' AND NOT outgoing AND peer NOT IN (SELECT persona FROM contact) ORDER BY cursor"
)

Kind = Literal["expired", "delivered", "transit", "body", "post"]
Dropped = list[tuple[LogId, int]]
_Step = Callable[[apsw.Connection, float, int, Dropped], int]


@dataclass(frozen=True, slots=True)
class Going:
    """Something that goes when room is needed: an envelope that expired, arrived or passes through, a body, a post.

    `size` in bytes; `since`: when it came, in powered-on seconds, of a post in Unix seconds. `who`: the node that gave
    an envelope; the persona that wrote, or its device where nobody has said whose that is. `channel`: where.
    """

    kind: Kind
    id: bytes
    size: int
    since: float
    who: bytes
    channel: bytes


def next_to_go(database: apsw.Connection, now: float, most: int) -> list[Going]:
    """What `evict_once` would take, in its order, as far as it is of any size; nobody's words."""
    envelope = "id, length(data), held_since, giver, x''"
    writer = "coalesce((SELECT persona FROM device WHERE device = substr(log, 1, 32)), substr(log, 1, 32))"
    questions: tuple[tuple[Kind, str, str, tuple[object, ...]], ...] = (
        ("expired", envelope, _EXPIRED, (now,)),
        ("delivered", envelope, _DELIVERED, ()),
        ("transit", envelope, _TRANSIT, (ROLE_TRANSIT,)),
        ("body", f"id, length(body), received_at, {writer}, substr(log, -16)", _BODIES, _STRANGERS_BODIES),
        ("post", "id, length(text), received_at, peer, channel", _POSTS, ()),
    )
    found: dict[tuple[str, bytes], Going] = {}
    for kind, columns, source, bound in questions:
        for row in database.execute(f"SELECT {columns} {source}", bound):
            if len(found) >= most:
                return list(found.values())
            found.setdefault((columns, row[0]), Going(kind, *row))  # what arrived may have expired, too
    return list(found.values())


def evict_once(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> bool:
    """Of the first kind that has any, take about `wanted` bytes; False when nothing is left that may go.

    Blocks (log, seq) that lost their bodies are added to `dropped`.
    """
    return any(step(database, now, wanted, dropped) for step in _STEPS)


def _expired(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> int:
    before = database.total_changes()
    database.execute(f"DELETE {_EXPIRED}", (now,))
    for table in ("tombstone", "seen", "refused"):
        database.execute(f"DELETE FROM {table} WHERE until <= ?", (now,))
    return database.total_changes() - before


def _delivered(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> int:
    database.execute(f"DELETE {_DELIVERED}")
    return database.changes()


def _transit(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> int:
    ids = _portion(database.execute(f"SELECT id, length(data) {_TRANSIT}", (ROLE_TRANSIT,)), wanted)
    database.executemany("DELETE FROM envelope WHERE id = ?", ids)
    return len(ids)


def _strangers_bodies(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> int:
    numbers = _portion(database.execute(f"SELECT n, length(body) {_BODIES}", _STRANGERS_BODIES), wanted)
    marked = "UPDATE block SET body_state = ? WHERE n = ? RETURNING log, seq"
    rows = database.executemany(marked, [(BODY_DROPPED, n) for (n,) in numbers])
    dropped += [(LogId(log), seq) for log, seq in rows]
    database.executemany("DELETE FROM body WHERE n = ?", numbers)
    return len(numbers)


def _strangers_posts(database: apsw.Connection, now: float, wanted: int, dropped: Dropped) -> int:
    ids = _portion(database.execute(f"SELECT id, length(text) {_POSTS}"), wanted)
    database.executemany("DELETE FROM state WHERE message = ?", ids)
    database.executemany("DELETE FROM message WHERE id = ?", ids)
    return len(ids)


def _portion(rows: Iterable[tuple[Any, ...]], wanted: int) -> list[tuple[Any]]:
    """The keys of the first rows whose sizes add up to what is wanted."""
    keys: list[tuple[Any]] = []
    for key, size in rows:
        keys.append((key,))
        wanted -= size
        if wanted <= 0:
            break
    return keys


_STEPS: tuple[_Step, ...] = (_expired, _delivered, _transit, _strangers_bodies, _strangers_posts)
