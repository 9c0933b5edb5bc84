"""Making room: what goes when the store nears its limit, and in which order.

1. what has expired: envelopes, tombstones, marks
2. envelopes that were delivered (a receipt opened their tag), then those only passing through, oldest first
3. bodies of blocks of people who are neither me nor a contact, the farthest ring first, then the oldest
4. posts in the inbox written by such people, oldest first

Never: what I wrote, what a contact wrote, an envelope whose custody we took and that may still arrive. When these alone
fill the store, the node refuses to take more; then only the reserve is left, for own words, chain steps and receipts.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw

from meshnode.core.records import BODY_DROPPED, BODY_HELD, ROLE_TRANSIT

STRANGERS = 2  # rings from here on are neither mine (0) nor a contact's (1)
PORTION = 500  # rows a step takes at once: some hundred kilobytes

_Step = Callable[[apsw.Connection, float], int]


def evict_once(database: apsw.Connection, now: float) -> bool:
    """Take one portion of the first kind that has any; False when nothing is left that may go."""
    return any(step(database, now) for step in _STEPS)


def _expired(database: apsw.Connection, now: float) -> int:
    before = database.total_changes()
    database.execute("DELETE FROM envelope WHERE expires_at <= ?", (now,))
    for table in ("tombstone", "seen", "refused"):
        database.execute(f"DELETE FROM {table} WHERE until <= ?", (now,))
    return database.total_changes() - before


def _delivered(database: apsw.Connection, now: float) -> int:
    database.execute("DELETE FROM envelope WHERE tag IN (SELECT tag FROM tombstone)")
    return database.changes()


def _transit(database: apsw.Connection, now: float) -> int:
    oldest = "SELECT id FROM envelope WHERE role = ? ORDER BY held_since LIMIT ?"
    database.execute(f"DELETE FROM envelope WHERE id IN ({oldest})", (ROLE_TRANSIT, PORTION))
    return database.changes()


def _strangers_bodies(database: apsw.Connection, now: float) -> int:
    chosen = (
        "SELECT block.n FROM block JOIN log USING (log) WHERE ring >= ? AND body_state = ?"
        " ORDER BY ring DESC, block.n LIMIT ?"
    )
    numbers = database.execute(chosen, (STRANGERS, BODY_HELD, PORTION)).fetchall()
    database.executemany("UPDATE block SET body_state = ? WHERE n = ?", [(BODY_DROPPED, n) for (n,) in numbers])
    database.executemany("DELETE FROM body WHERE n = ?", numbers)
    return len(numbers)


def _strangers_posts(database: apsw.Connection, now: float) -> int:
    oldest = (
        "SELECT id FROM message WHERE channel <> x'' AND NOT outgoing AND peer NOT IN (SELECT persona FROM contact)"
        " ORDER BY cursor LIMIT ?"
    )
    numbers = database.execute(oldest, (PORTION,)).fetchall()
    database.executemany("DELETE FROM state WHERE message = ?", numbers)
    database.executemany("DELETE FROM message WHERE id = ?", numbers)
    return len(numbers)


_STEPS: tuple[_Step, ...] = (_expired, _delivered, _transit, _strangers_bodies, _strangers_posts)
