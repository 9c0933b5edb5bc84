"""The seal of a parcel, a file that is carried by hand: for the mesh, or for one contact. A lost one tells nothing.

    byte0 (version 5 bits | for one contact 1 | key number 2) | salt 16 | for one contact: HPKE(key 32), 1,168 | records

Records as in a session (records.py), under K(parcel subkey, byte0 | salt), or K(key, byte0 | salt). Truncation shows
as a missing final record; what opened before is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshnode.core.ids import KEY_SIZE, keyed
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.primitives import HPKE_OVERHEAD
from meshnode.core.sealing.records import RecordOpen, RecordSeal
from meshnode.errors import SignatureError, WireError

VERSION = 1
SALT_SIZE = 16

_HEAD_SIZE = 1 + SALT_SIZE
_KEY_BOX_SIZE = KEY_SIZE + HPKE_OVERHEAD
_FOR_ONE = 4


def begin_parcel(sealer: Sealer, entropy: Entropy, mesh: MeshKeys) -> tuple[bytes, RecordSeal]:
    """The header of a parcel for the mesh, and the seal of what follows."""
    head = bytes((VERSION << 3 | mesh.current.number,)) + entropy.take("parcel", SALT_SIZE)
    return head, RecordSeal(sealer, _records_key(mesh.parcel, head))


def begin_parcel_for(sealer: Sealer, entropy: Entropy, prekey_public: bytes) -> tuple[bytes, RecordSeal]:
    """The header of a parcel that only the holder of one prekey opens, and the seal of what follows."""
    head = bytes((VERSION << 3 | _FOR_ONE,)) + entropy.take("parcel", SALT_SIZE)
    key = entropy.take("parcel", KEY_SIZE)
    return head + sealer.hpke_seal(prekey_public, _info(head), key), RecordSeal(sealer, _records_key(key, head))


class ParcelOpen:
    """Opens a parcel from bytes as they are read. `prekeys`: our live prekey secrets, for parcels to us alone."""

    def __init__(self, sealer: Sealer, mesh: MeshKeys, prekeys: Sequence[bytes] = ()) -> None:
        self._sealer = sealer
        self._mesh = mesh
        self._prekeys = prekeys
        self._waiting = b""
        self._records: RecordOpen | None = None

    @property
    def finished(self) -> bool:
        """The final record was opened: nothing is missing."""
        return self._records is not None and self._records.finished

    def feed_untrusted(self, data: bytes) -> Iterator[bytes]:
        """The contents now complete, one record after the other."""
        if self._records is None:
            self._waiting += data
            data = self._begin_untrusted()
        return self._records.feed_untrusted(data) if self._records else iter(())

    def _begin_untrusted(self) -> bytes:
        """Read the header once it is complete; gives back what follows it."""
        if not self._waiting:
            return b""
        byte0 = self._waiting[0]
        if byte0 >> 3 != VERSION:
            raise WireError("this is no parcel, or one made by a newer meshnode")
        size = _HEAD_SIZE + (_KEY_BOX_SIZE if byte0 & _FOR_ONE else 0)
        if len(self._waiting) < size:
            return b""
        head, box = self._waiting[:_HEAD_SIZE], self._waiting[_HEAD_SIZE:size]
        key = self._boxed_key_untrusted(head, box) if byte0 & _FOR_ONE else self._mesh_key(byte0 & 3)
        self._records = RecordOpen(self._sealer, _records_key(key, head))
        rest, self._waiting = self._waiting[size:], b""
        return rest

    def _mesh_key(self, number: int) -> bytes:
        secret = self._mesh.numbered(number)
        if secret is None:
            raise SignatureError("the parcel belongs to another mesh")
        return secret.parcel

    def _boxed_key_untrusted(self, head: bytes, box: bytes) -> bytes:
        for secret in self._prekeys:
            key = self._sealer.hpke_open(secret, _info(head), box)
            if key is not None:
                return key
        raise SignatureError("the parcel is sealed for somebody else")


def _records_key(key: bytes, head: bytes) -> bytes:
    return keyed(key, b"mn-parcel", head)


def _info(head: bytes) -> bytes:
    return b"mn-parcel-to-v1" + head
