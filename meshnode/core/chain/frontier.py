"""The frontier: for each log its contiguous head and whether it split. What a node has, in one digest of 8 B.

A head is a *mark* of 3 B on the wire: 23 bits of seq, and the top bit set for a log that split (it is frozen there).
The digest is a keyed hash over the whole sorted list, never a sum: chosen logs would cancel in a sum (rule 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from meshnode.core.ids import LogId, keyed

DIGEST_SIZE: Final = 8
HANDLE_SIZE: Final = 5  # of a round of reconciliation
ELEMENT_SIZE: Final = 8
_FORKED: Final = 0x800000


class Element(NamedTuple):
    """One log in the frontier."""

    log: LogId
    head: int
    forked: bool

    def encode(self) -> bytes:
        """55 B: log 52 | mark 3."""
        return self.log + put_mark(self.head, self.forked)


def put_mark(head: int, forked: bool) -> bytes:
    """3 B of contiguous head and fork flag."""
    return (head | _FORKED if forked else head).to_bytes(3, "big")


def take_mark(mark: bytes) -> tuple[int, bool]:
    """Head and fork flag out of 3 B; every value has a meaning."""
    value = int.from_bytes(mark, "big")
    return value & ~_FORKED, value >= _FORKED


def frontier_digest(key: bytes, elements: Iterable[bytes]) -> bytes:
    """The digest over encoded elements, sorted by log. `key` is the digest subkey of the mesh."""
    return keyed(key, b"mn-front-v1", b"".join(elements), DIGEST_SIZE)


class Round:
    """The elements of one round of reconciliation: handles of 40 bits that the round's nonce keys (rule 5.6).

    A twin ground against one nonce is none under the next. Logs of ours that share a handle all the same are left out
    of `elements` and told by full id (`twins`).
    """

    __slots__ = ("by_handle", "elements", "key", "nonce", "twins")

    def __init__(self, key: bytes, nonce: bytes, frontier: Iterable[Element]) -> None:
        self.key = key
        self.nonce = nonce
        self.by_handle: dict[bytes, Element] = {}
        self.twins: list[Element] = []
        keyed_hash = blake2b(nonce, digest_size=32, key=key, person=b"mn-elem-v1")
        for element in frontier:
            hasher = keyed_hash.copy()
            hasher.update(element.log)
            self._add(hasher.digest()[:HANDLE_SIZE], element)
        for handle in {self.handle_of(twin.log) for twin in self.twins}:
            self.twins.append(self.by_handle.pop(handle))
        self.elements = sorted(handle + put_mark(one.head, one.forked) for handle, one in self.by_handle.items())

    def _add(self, handle: bytes, element: Element) -> None:
        if handle in self.by_handle:
            self.twins.append(element)
        else:
            self.by_handle[handle] = element

    def handle_of(self, log: LogId) -> bytes:
        """The handle of a log in this round."""
        return keyed(self.key, b"mn-elem-v1", self.nonce + log, HANDLE_SIZE)


def take_element(element: bytes) -> tuple[bytes, int, bool]:
    """Handle, head and fork flag out of the 8 B of a round's element."""
    return (element[:HANDLE_SIZE], *take_mark(element[HANDLE_SIZE:]))
