"""The seal of datagrams on a link, 29 B around the plaintext, and the window against replays.

    byte0 (version 5 bits | pairwise 1 | key number 2) | nonce 12 (link id 6, epoch 3, counter 3) | ciphertext | tag 16

AES-256-GCM-SIV, because a cloned card or a rolled-back counter then shows equal plaintexts at most. The associated data
says whether it was sent to all or to whom, so that a datagram cannot be turned from one into the other.

The epoch is a boot counter that the host has on disk before the first datagram. When `spent` turns true, raise and
persist it in the same step, before sealing on: the persisted value comes first, as effects go out in order.
"""

from __future__ import annotations

from typing import NamedTuple

from meshnode.core.ids import NeighbourId
from meshnode.core.ports import Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.primitives import NONCE_SIZE, TAG_SIZE
from meshnode.errors import SignatureError, UsageError, WireError

VERSION = 1
LINK_OVERHEAD = 1 + NONCE_SIZE + TAG_SIZE
MAX_DATAGRAM = 1200
COUNTER_END = 1 << 24
EPOCH_END = 1 << 24
WINDOW = 64

_LABEL = b"mn-link-v1"
_PAIRWISE = 4
_TO_ALL, _TO_ONE, _TO_UNMET = b"\0", b"\1", b"\2"  # the last: unicast to an address whose link id is not known yet


class LinkHeader(NamedTuple):
    """What a datagram shows to everyone. Believe it only once the datagram is opened."""

    pairwise: bool
    number: int
    sender: NeighbourId
    epoch: int
    counter: int


class LinkSeal:
    """Seals and opens for one node on one mesh, whatever the link."""

    def __init__(self, sealer: Sealer, mesh: MeshKeys, me: NeighbourId, epoch: int) -> None:
        self._sealer = sealer
        self._mesh = mesh
        self.me = me
        self.epoch = epoch
        self._counter = 0

    @property
    def spent(self) -> bool:
        """This epoch has no counters left: persist the next one and `raise_epoch` before sealing on."""
        return self._counter >= COUNTER_END

    @property
    def next_nonce(self) -> bytes:
        """The 12 B that the next datagram will stand under."""
        return self.me + self.epoch.to_bytes(3, "big") + self._counter.to_bytes(3, "big")

    def raise_epoch(self, epoch: int) -> None:
        """Go on under a higher epoch, which the host commits before what is sealed next is sent."""
        if not self.epoch < epoch < EPOCH_END:
            raise UsageError("the epoch of the link only rises, and ends at 2^24")
        self.epoch = epoch
        self._counter = 0

    def seal_multicast(self, plaintext: bytes) -> bytes:
        """A datagram for every member in hearing."""
        return self._seal(self._mesh.link, 0, plaintext, _TO_ALL)

    def seal_unicast(self, plaintext: bytes, to: NeighbourId | None, pair: bytes | None) -> bytes:
        """A datagram for one neighbour, under the pairwise key if there is one. `to` None: a node not met yet."""
        if to is None:
            return self._seal(self._mesh.link, 0, plaintext, _TO_UNMET)
        flag = 0 if pair is None else _PAIRWISE
        return self._seal(pair or self._mesh.link, flag, plaintext, _TO_ONE + to)

    def open_untrusted(
        self, data: bytes, header: LinkHeader, multicast: bool, me: NeighbourId, pair: bytes | None
    ) -> bytes:
        """The plaintext; SignatureError if no key held here opens it. `pair` is the key shared with `header.sender`."""
        secret = self._mesh.numbered(header.number)
        key = pair if header.pairwise else secret.link if secret else None
        if key is None:
            raise SignatureError("a datagram is sealed with a key not held here")
        ways = (_TO_ALL,) if multicast else (_TO_ONE + me,) if header.pairwise else (_TO_ONE + me, _TO_UNMET)
        nonce, sealed = data[1 : 1 + NONCE_SIZE], data[1 + NONCE_SIZE :]
        for way in ways:
            plaintext = self._sealer.aead_open(key, nonce, sealed, _LABEL + data[:1] + way)
            if plaintext is not None:
                return plaintext
        raise SignatureError("a datagram does not open")

    def _seal(self, key: bytes, flag: int, plaintext: bytes, way: bytes) -> bytes:
        if self.spent:
            raise UsageError("the epoch of the link is spent: persist and raise it first")
        byte0 = bytes((VERSION << 3 | flag | self._mesh.current.number,))
        nonce = self.next_nonce
        self._counter += 1
        return byte0 + nonce + self._sealer.aead_seal(key, nonce, plaintext, _LABEL + byte0 + way)


def nonce_of(data: bytes) -> bytes:
    """The 12 B that a datagram of at least the size of a seal stands under."""
    return data[1 : 1 + NONCE_SIZE]


def peek_untrusted(data: bytes) -> LinkHeader:
    """The clear part of a datagram; nothing of it is proved yet."""
    if not LINK_OVERHEAD <= len(data) <= MAX_DATAGRAM:
        raise WireError("a datagram is too short or too long")
    if data[0] >> 3 != VERSION:
        raise WireError("a datagram has another version of the seal")
    sender = NeighbourId(data[1:7])
    epoch, counter = int.from_bytes(data[7:10], "big"), int.from_bytes(data[10:13], "big")
    return LinkHeader(bool(data[0] & _PAIRWISE), data[0] & 3, sender, epoch, counter)


class ReplayWindow:
    """What was heard of one link id: the highest (epoch, counter), and which of the 64 up to it (bit 0 the highest)."""

    __slots__ = ("bits", "counter", "epoch")

    def __init__(self, epoch: int = 0, counter: int = 0, bits: int = 0) -> None:
        self.epoch = epoch
        self.counter = counter
        self.bits = bits

    def fresh(self, epoch: int, counter: int) -> bool:
        """Not heard yet, and not too old to tell."""
        if epoch != self.epoch:
            return epoch > self.epoch
        behind = self.counter - counter
        return behind < 0 or (behind < WINDOW and not self.bits >> behind & 1)

    def accept(self, epoch: int, counter: int) -> None:
        """Note a fresh datagram that was opened."""
        if epoch > self.epoch:
            self.epoch, self.counter, self.bits = epoch, counter, 1
            return
        ahead = counter - self.counter
        if ahead > 0:
            self.counter = counter
            self.bits = self.bits << min(ahead, WINDOW) & (1 << WINDOW) - 1 | 1
        else:
            self.bits |= 1 << -ahead
