"""Parcels as seen by the daemon: pseudo-sessions below 0, whose records stay here until a command takes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio


@dataclass(eq=False, slots=True)
class Parcel:
    """One that is being written: the records so far, and whether the node has said that it is whole."""

    records: list[bytes] = field(default_factory=list)
    whole: trio.Event = field(default_factory=trio.Event)


class Parcels:
    """All that are open."""

    def __init__(self) -> None:
        self._open: dict[int, Parcel] = {}
        self._last = 0

    def begin(self) -> tuple[int, Parcel]:
        """A new pseudo-session."""
        self._last -= 1
        self._open[self._last] = Parcel()
        return self._last, self._open[self._last]

    def end(self, session: int) -> None:
        """Nothing more is written into it."""
        self._open.pop(session, None)

    def add(self, session: int, record: bytes) -> None:
        """The node sent a record."""
        if parcel := self._open.get(session):
            parcel.records.append(record)

    def close(self, session: int) -> None:
        """The node hung up: all is in it."""
        if parcel := self._open.get(session):
            parcel.whole.set()
