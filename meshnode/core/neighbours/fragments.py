"""Items larger than a datagram: reassembly of what comes in, repair of what went out (protocol rule 3.6).

The receiver asks. After a short silence it sends a bitmap of what is missing to the one it hears the item from; the
sender keeps what it cut for half a minute. In a crowd many send the same item: pieces are put together for each of them
apart, but one of them at a time is asked, and nobody for what they told everyone when it was whole here already.

The item's id covers the whole: a wrong whole is thrown away, the previous hop pays for it, and the item is asked for
once more, from one bound neighbour and under the pairwise key alone: among pieces that any member may have sealed in a
neighbour's name, one false piece would spoil the true ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.ids import NeighbourId, hashed
from meshnode.core.neighbours.neighbour import NEVER
from meshnode.core.wire.frames import Fragment, FragmentWant
from meshnode.errors import SignatureError, WireError

HEADER: Final = 1 + 8 + 1 + 1  # type, item, index, count
MAX_FRAGMENTS: Final = 16
MAX_OPEN: Final = 4  # per previous hop
MAX_BYTES: Final = 32 * 1024  # per previous hop
LIFE_S: Final = 30.0
ASK_AFTER_S: Final = 0.3  # of silence, doubling: fragments of one item leave in a row
AIR_S: Final = 0.1
BUSY_S: Final = 3.0
KEPT_ITEMS: Final = 32
DONE_ITEMS: Final = 128
DONE_S: Final = 0.5  # late doubles are dropped; but what could not be used then (its log unknown) comes again by WANT


def item_id(encoded: bytes) -> bytes:
    """8 B over the whole frame, type byte included."""
    return hashed(b"mn-fragment", encoded, 8)


@dataclass(slots=True)
class Assembly:
    """One item on its way in."""

    count: int  # 0: not known yet
    opened_at: Instant
    ask_at: Instant
    asked: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)
    wanted: bool = False  # some of it came to us alone: we asked for the whole, though we had it before
    again: bool = False  # a whole was wrong: what is not sealed for us alone counts no more

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(len(piece) for piece in self.pieces.values())

    @property
    def missing(self) -> int:
        """Bit i set: fragment i is missing."""
        return sum(1 << index for index in range(self.count or MAX_FRAGMENTS) if index not in self.pieces)


class Reassembly:
    """Open items per previous hop and link."""

    def __init__(self, sooner: Callable[[Instant], None] | None = None) -> None:
        self._sooner = sooner
        self._open: dict[tuple[str, NeighbourId], dict[bytes, Assembly]] = {}
        self._done: dict[bytes, Instant] = {}  # items that are whole, and since when
        self._heard_at: dict[str, Instant] = {}  # by link: the last fragment of anything
        self._turns: dict[bytes, tuple[int, Instant]] = {}  # items: how often asked for in all, not again before
        self._again: dict[bytes, None] = {}  # items that were wrong once, and asked for anew

    def is_whole(self, item: bytes, now: Instant) -> bool:
        """It became whole here a short time ago."""
        return now < self._done.get(item, NEVER) + LIFE_S

    def take_untrusted(
        self,
        link: str,
        hop: NeighbourId,
        fragment: Fragment,
        now: Instant,
        *,
        pairwise: bool = False,
        patience_s: float = 0.0,
    ) -> bytes | None:
        """The whole frame once the last piece is there. SignatureError when pieces do not fit together, or the id.

        In a crowd `patience_s` more pass before something is asked for: what another asks for, all hear.
        """
        self._heard_at[link] = now
        if not 1 < fragment.count <= MAX_FRAGMENTS or fragment.index >= fragment.count:
            raise WireError("a fragment's place is impossible")
        if now < self._done.get(fragment.item, NEVER) + DONE_S:
            return None
        items = self._open.setdefault((link, hop), {})
        if pairwise and fragment.item in items and 0 < items[fragment.item].count < fragment.count:
            del items[fragment.item]  # cut finer, as the large pieces did not come
        assembly = self._assembly(items, fragment, now)
        if assembly.again and not pairwise:
            return None
        assembly.wanted |= pairwise
        assembly.count = assembly.count or fragment.count
        if assembly.count != fragment.count:
            raise SignatureError("fragments of one item disagree")
        if fragment.index not in assembly.pieces:
            if sum(item.size for item in items.values()) + len(fragment.data) > MAX_BYTES:
                raise WireError("more fragments than one neighbour may have open")
            assembly.pieces[fragment.index] = fragment.data
            assembly.ask_at = now + ASK_AFTER_S * 2**assembly.asked + patience_s
        if len(assembly.pieces) < assembly.count:
            return self._joined(fragment.item, assembly, now)
        del items[fragment.item]
        whole = b"".join(assembly.pieces[index] for index in range(assembly.count))
        if item_id(whole) != fragment.item:
            raise SignatureError("the whole is not what its fragments said")
        self._complete(fragment.item, now)
        return whole

    def begin_again(self, link: str, hop: NeighbourId, item: bytes, now: Instant) -> None:
        """What came of an item was wrong: ask this neighbour for all of it, once."""
        if item in self._again:
            return
        self._again[item] = None
        self._done.pop(item, None)
        self._turns.pop(item, None)
        while len(self._again) > DONE_ITEMS:
            del self._again[next(iter(self._again))]
        items = self._open.setdefault((link, hop), {})
        items.pop(item, None)
        self._make_room(items)
        self._begin(items, item, Assembly(0, now, now, again=True))

    def asks(self, now: Instant) -> Iterator[tuple[str, NeighbourId, FragmentWant]]:
        """What is missing and due to be asked for; drops what grew too old."""
        due: list[tuple[Assembly, str, NeighbourId, bytes]] = []
        for (link, hop), items in list(self._open.items()):
            for item, assembly in list(items.items()):
                if now >= assembly.opened_at + LIFE_S:
                    del items[item]
                elif now >= assembly.ask_at and self._others_speak(link, assembly, now):
                    assembly.ask_at += AIR_S
                elif now >= assembly.ask_at:
                    due.append((assembly, link, hop, item))
            if not items:
                del self._open[(link, hop)]
        for assembly, link, hop, item in sorted(due, key=lambda one: (one[0].asked, -len(one[0].pieces))):
            if self._may_ask(assembly, item, now):
                yield link, hop, FragmentWant(item, assembly.missing)

    def wakeup(self) -> Instant | None:
        """When something is to be asked for, or dropped."""
        times = [
            min(assembly.ask_at, assembly.opened_at + LIFE_S)
            for items in self._open.values()
            for assembly in items.values()
        ]
        return min(times, default=None)

    def _others_speak(self, link: str, assembly: Assembly, now: Instant) -> bool:
        """Fragments come: what is missing may have to wait for air, too."""
        heard_at = self._heard_at.get(link, NEVER)
        return now < min(heard_at + AIR_S, assembly.opened_at + BUSY_S) and not assembly.again

    def _may_ask(self, assembly: Assembly, item: bytes, now: Instant) -> bool:
        """True if it is whole from nobody, and the one asked last had its time: each in turn, ever less often."""
        if not assembly.wanted and now < self._done.get(item, NEVER) + LIFE_S:
            assembly.ask_at = assembly.opened_at + LIFE_S
            return False
        asked, until = self._turns.pop(item, (0, NEVER))
        if now < until:
            self._turns[item] = (asked, until)
            assembly.ask_at = until
            return False
        assembly.asked += 1
        assembly.ask_at = now + ASK_AFTER_S * 2 ** (asked + 1)
        self._turns[item] = (asked + 1, assembly.ask_at)
        while len(self._turns) > DONE_ITEMS:
            del self._turns[next(iter(self._turns))]
        return True

    def _assembly(self, items: dict[bytes, Assembly], fragment: Fragment, now: Instant) -> Assembly:
        if fragment.item not in items:
            self._make_room(items)
            self._begin(items, fragment.item, Assembly(fragment.count, now, now + ASK_AFTER_S))
        return items[fragment.item]

    def _begin(self, items: dict[bytes, Assembly], item: bytes, assembly: Assembly) -> None:
        items[item] = assembly
        if self._sooner is not None:
            self._sooner(assembly.ask_at)

    def _make_room(self, items: dict[bytes, Assembly]) -> None:
        while len(items) >= MAX_OPEN:
            del items[next(iter(items))]

    def _joined(self, item: bytes, assembly: Assembly, now: Instant) -> bytes | None:
        """The whole, if what others sent of it fits what is missing: its id says so, whoever sent the pieces."""
        pieces = dict(assembly.pieces)
        for items in self._open.values():
            other = items.get(item)
            if other is not None and other.count == assembly.count:
                pieces = {**other.pieces, **pieces}
        if assembly.again or len(pieces) < assembly.count:
            return None
        whole = b"".join(pieces[index] for index in range(assembly.count))
        if item_id(whole) != item:
            return None
        self._complete(item, now)
        return whole

    def _complete(self, item: bytes, now: Instant) -> None:
        for others in self._open.values():  # the same item may be on its way from several neighbours
            others.pop(item, None)
        self._turns.pop(item, None)
        self._done.pop(item, None)
        self._done[item] = now
        while len(self._done) > DONE_ITEMS:
            del self._done[next(iter(self._done))]


@dataclass(frozen=True, slots=True)
class Cut:
    """An item we cut into fragments, kept for repair."""

    encoded: bytes
    cls: int
    ring: int
    step: int
    until: Instant


class CutItems:
    """What we sent in fragments lately."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Cut] = {}

    def keep(self, item: bytes, cut: Cut) -> None:
        """Remember an item; the oldest go first."""
        self._kept.pop(item, None)
        self._kept[item] = cut
        while len(self._kept) > KEPT_ITEMS:
            del self._kept[next(iter(self._kept))]

    def fits(self, item: bytes, step: int) -> bool:
        """It was cut so fine that its pieces fit where `step` bytes do."""
        cut = self._kept.get(item)
        return cut is not None and cut.step <= step

    def answer(self, want: FragmentWant, step: int, now: Instant) -> Iterator[tuple[Cut, Fragment]]:
        """The missing fragments, cut as they were before, or finer where only `step` bytes of them fit by now.

        Who holds pieces of the old cut finds that the new ones disagree, and asks for all of them.
        """
        cut = self._kept.get(want.item)
        if cut is None or now > cut.until:
            return
        step = min(step, cut.step)
        pieces = [cut.encoded[at : at + step] for at in range(0, len(cut.encoded), step)]
        if len(pieces) > MAX_FRAGMENTS:
            return
        for index, piece in enumerate(pieces):
            if want.missing >> index & 1:
                yield cut, Fragment(want.item, index, len(pieces), piece)
