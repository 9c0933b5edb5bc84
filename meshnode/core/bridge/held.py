"""What a bridge holds back, and why: for people to see. The items themselves wait in their stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnode.core.ids import ChannelId

MOST: Final = 500  # the newest; what is to cross is decided anew each time, not by this list


@dataclass(frozen=True, slots=True)
class Item:
    """A block or an envelope that is to cross. `channel` is None for envelopes; `message` names one of our own."""

    kind: str  # "post", "keys" or "envelope", as `queue` shows it
    id: bytes
    cls: int
    size: int
    channel: ChannelId | None = None
    message: bytes = b""


class Held:
    """Items held back, oldest first, and the rule that keeps each; none where a budget or an hour does, which end."""

    def __init__(self) -> None:
        self._items: dict[bytes, tuple[Item, str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def note(self, item: Item, rule: str) -> None:
        """It may not cross now."""
        self._items.pop(item.id, None)
        self._items[item.id] = (item, rule)
        while len(self._items) > MOST:
            del self._items[next(iter(self._items))]

    def forget(self, item: bytes) -> None:
        """It crossed, or is gone."""
        self._items.pop(item, None)

    def release(self) -> None:
        """The uplink has room again: what waited for that crosses with the next comparison."""
        self._items = {name: entry for name, entry in self._items.items() if entry[1]}

    def __iter__(self) -> Iterator[tuple[Item, str]]:
        """Each with the rule that keeps it; an empty text where it waits for an hour or for bytes."""
        return ((item, why) for item, why in self._items.values())
