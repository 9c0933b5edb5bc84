"""Range-based set reconciliation over the elements of one round (8 B each: keyed handle 5, mark 3).

Both sides sort their elements. One tells a fingerprint for each of sixteen ranges; the other answers for those that
differ: with finer fingerprints where it has many elements, with the elements where it has few. Nobody keeps state but
its own sorted list, so an exchange may break off anywhere and begin anew. The cost follows the difference.

    mode 1  fingerprint of what I have in this range
    mode 2  all I have in this range; answered by mode 3 where something differs
    mode 3  what I have in this range and you did not list; not answered
    mode 0  nothing to say: equal, or settled

A fingerprint is 8 B of a keyed hash over the round's nonce and the whole list of the range. It is no sum, so chosen
elements cannot cancel; and handles are keyed with the nonce, drawn afresh by who opens the round, so nobody can choose
elements for it beforehand. Two lists of one fingerprint cost 2^64 tries within the round.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from meshnode.core.chain.frontier import ELEMENT_SIZE
from meshnode.errors import WireError

SKIP, FINGERPRINT, LISTED, ANSWERED = range(4)
BUCKETS: Final = 16
LIST_UP_TO: Final = 24  # elements told rather than split: sixteen fingerprints cost as much
FINGERPRINT_SIZE: Final = 8
MAX_RANGES: Final = 2048  # in one answer; what is left over goes on unsplit in the next
MAX_ANSWERED: Final = 4096  # elements in one answer, 32 kB; likewise
_CHUNK: Final = 512  # elements in one range of an answer: 4 kB, so that batches can be cut between ranges
END: Final = b""  # the upper bound of the last range


@dataclass(frozen=True, slots=True)
class Range:
    """From the range before (or the lowest element) up to `upper`, exclusive; `END` is the end. Bounds may be cut."""

    upper: bytes
    mode: int
    fingerprint: bytes = b""
    elements: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Answer:
    """What comes of one batch of ranges: the reply (empty: done), and the elements each side turned out to lack."""

    ranges: tuple[Range, ...] = ()
    missing_there: list[bytes] = field(default_factory=list)
    missing_here: list[bytes] = field(default_factory=list)


class Reconciler:
    """One side of one round. `key` is the digest subkey of the mesh, `nonce` the round's."""

    def __init__(self, elements: Iterable[bytes], key: bytes, nonce: bytes) -> None:
        self.elements = sorted(elements)
        self._hash = blake2b(nonce, digest_size=32, key=key, person=b"mn-range-v1")

    def open(self) -> tuple[Range, ...]:
        """The first batch: the whole set in sixteen ranges, or listed when it is small."""
        return tuple(self._told(0, len(self.elements), END))

    def answer_untrusted(self, ranges: Sequence[Range]) -> Answer:
        """Compare what the other side told with what is here."""
        _check(ranges)
        answer, reply, low = Answer(), _Reply(), 0
        for one in ranges:
            high = bisect_left(self.elements, one.upper) if one.upper != END else len(self.elements)
            if one.mode == FINGERPRINT:
                self._compare(one, low, high, reply)
            elif one.mode == LISTED:
                self._differ(one, low, high, answer, reply)
            elif one.mode == ANSWERED:
                mine = set(self.elements[low:high])
                answer.missing_here += [element for element in one.elements if element not in mine]
            reply.upto(one.upper)
            low = high
        answer.ranges = reply.done()
        return answer

    def _compare(self, one: Range, low: int, high: int, reply: _Reply) -> None:
        mine = self._fingerprint(low, high)
        if mine == one.fingerprint:
            return
        if len(reply.ranges) + BUCKETS > MAX_RANGES:
            reply.add(Range(one.upper, FINGERPRINT, mine))
        else:
            for told in self._told(low, high, one.upper):
                reply.add(told)

    def _differ(self, one: Range, low: int, high: int, answer: Answer, reply: _Reply) -> None:
        mine, theirs = set(self.elements[low:high]), set(one.elements)
        only_here = [element for element in self.elements[low:high] if element not in theirs]
        room = max(0, MAX_ANSWERED - reply.answered)
        told, left = only_here[:room], only_here[room:]
        for at in range(0, len(told), _CHUNK):
            chunk = tuple(told[at : at + _CHUNK])
            after = only_here[at + len(chunk) :]
            reply.add(Range(after[0] if after else one.upper, ANSWERED, elements=chunk))
        if not left:
            answer.missing_here += [element for element in one.elements if element not in mine]
        elif told:  # what lies past the first one left over is settled in the next round
            answer.missing_here += [element for element in one.elements if element < left[0] and element not in mine]
        if left:
            first = bisect_left(self.elements, left[0]) if told else low
            reply.add(Range(one.upper, FINGERPRINT, self._fingerprint(first, high)))
        answer.missing_there += told

    def _told(self, low: int, high: int, upper: bytes) -> Iterable[Range]:
        """My elements from `low` to `high` in ranges that end at `upper`."""
        count = high - low
        if count <= LIST_UP_TO:
            yield Range(upper, LISTED, elements=tuple(self.elements[low:high]))
            return
        cuts = [low + count * part // BUCKETS for part in range(BUCKETS + 1)]
        for start, stop in pairwise(cuts):
            bound = upper if stop == high else _between(self.elements[stop - 1], self.elements[stop])
            yield Range(bound, FINGERPRINT, self._fingerprint(start, stop))

    def _fingerprint(self, low: int, high: int) -> bytes:
        hasher = self._hash.copy()
        hasher.update(b"".join(self.elements[low:high]))
        return hasher.digest()[:FINGERPRINT_SIZE]


class _Reply:
    """Ranges in a row; stretches without news become one skip, and none at the end."""

    def __init__(self) -> None:
        self.ranges: list[Range] = []
        self.answered = 0
        self._skip: bytes | None = None

    def add(self, one: Range) -> None:
        if self._skip is not None:
            self.ranges.append(Range(self._skip, SKIP))
            self._skip = None
        self.ranges.append(one)
        if one.mode == ANSWERED:
            self.answered += len(one.elements)

    def upto(self, upper: bytes) -> None:
        """All up to `upper` is settled, unless the last range added says so already."""
        if self._skip is not None or not self.ranges or self.ranges[-1].upper != upper:
            self._skip = upper

    def done(self) -> tuple[Range, ...]:
        return tuple(self.ranges)


def split_ranges(ranges: Sequence[Range], limit: int) -> list[tuple[Range, ...]]:
    """Cut one batch into several of at most `limit` bytes on the wire each, answered one by one."""
    batches: list[list[Range]] = [[]]
    room, lower = limit, b""
    for one in ranges:
        size = range_size(one)
        if size > room and batches[-1]:
            batches.append([Range(lower, SKIP)])
            room = limit - range_size(batches[-1][0])
        batches[-1].append(one)
        room -= size
        lower = one.upper
    return [tuple(batch) for batch in batches]


def range_size(one: Range) -> int:
    """Bytes of one range on the wire, at most."""
    return 1 + len(one.upper) + len(one.fingerprint) + 2 + ELEMENT_SIZE * len(one.elements)


def _between(below: bytes, above: bytes) -> bytes:
    """The shortest bound that parts two neighbours."""
    size = next(at for at in range(ELEMENT_SIZE) if below[at] != above[at]) + 1
    return above[:size]


def _check(ranges: Sequence[Range]) -> None:
    """Ranges must ascend, and elements lie in theirs, ascending."""
    lower = b""
    for at, one in enumerate(ranges):
        if (at + 1 != len(ranges)) if one.upper == END else (one.upper <= lower):
            raise WireError("ranges do not ascend")
        before = b""
        for element in one.elements:
            if element <= before or element < lower or (one.upper != END and element >= one.upper):
                raise WireError("elements do not lie in their range in order")
            before = element
        lower = one.upper
