"""What two neighbours share: a pairwise key, which proves the sender where the mesh key cannot; what is made of it."""

from __future__ import annotations

from meshnode.core.ids import EnvelopeId, NeighbourId, keyed
from meshnode.core.ports import Sealer

CUSTODY_MAC_SIZE = 8
ECHO_SIZE = 2


def pair_key(
    sealer: Sealer, link_key: bytes, secret: bytes, public: bytes, a: NeighbourId, b: NeighbourId
) -> bytes | None:
    """The key of neighbours `a` and `b` (in any order) from our X25519 secret and their key; None if that is bad.

    `link_key` is that of the mesh secret the datagram is sealed under; the link ids are those under the same secret.
    """
    shared = sealer.agree(secret, public)
    if shared is None:
        return None
    return keyed(link_key, b"mn-pair-v1", shared + min(a, b) + max(a, b))


def custody_mac(key: bytes, envelope: EnvelopeId, taker: NeighbourId) -> bytes:
    """`taker` has the envelope on disk: made by the taker, checkable by the giver alone (protocol rule 9.4)."""
    return keyed(key, b"mn-took", envelope + taker, CUSTODY_MAC_SIZE)


def sealed_echo(key: bytes, beacon: bytes, said_in: bytes) -> bytes:
    """2 B: who shares `key` heard the beacon of that nonce, and says so in the datagram of the other (rule 3.3)."""
    return keyed(key, b"mn-hears", beacon + said_in, ECHO_SIZE)
