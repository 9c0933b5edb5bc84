"""One step of a session's chain: message key, receipt and next chain key, each by its own label (protocol rule 7.2).

CK0 = K(root, "mn-i2r" | "mn-r2i")    MK = K(CK, "mn-msg")    receipt = K(CK, "mn-rcpt")[:16]    CK' = K(CK, "mn-next")
"""

from __future__ import annotations

from meshnode.core.ids import Receipt, hashed, keyed
from meshnode.core.sealing.envelope import RECEIPT_SIZE

ROOT_SIZE = 32
ROOT_ID_SIZE = 16


def root_hash(root: bytes) -> bytes:
    """H(root), 32 B: what the first message signs."""
    return hashed(b"mn-root", root)


def root_id(root: bytes) -> bytes:
    """H(root) cut to 16 B: names the session."""
    return root_hash(root)[:ROOT_ID_SIZE]


def first_key(root: bytes, from_initiator: bool) -> bytes:
    """CK0 of one direction."""
    return keyed(root, b"mn-i2r" if from_initiator else b"mn-r2i")


def message_key(chain: bytes) -> bytes:
    """MK of this step."""
    return keyed(chain, b"mn-msg")


def receipt_of(chain: bytes) -> Receipt:
    """The receipt of this step; its hash is the tag."""
    return Receipt(keyed(chain, b"mn-rcpt", size=RECEIPT_SIZE))


def next_key(chain: bytes) -> bytes:
    """CK of the next step."""
    return keyed(chain, b"mn-next")
