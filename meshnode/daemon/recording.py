"""What it takes to play a node again: beside its inputs, what it was made of, what it drew, and what came of each.

    Begun   a node was made: its epoch, whose it is, and the snapshot it was made of
    input   as it was told
    Came    the randomness that step took, and a digest of each of its effects; missing for a step that never ended

Keys of the home and of the mesh are not in it. What is erased for secrecy's sake (used chain keys, old prekeys) lives
on in a journal, sealed: it is for finding a fault, and off until asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from hashlib import sha256
from typing import Any, get_args

import msgspec

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect, Notify, Persist
from meshnode.core.inputs import Input
from meshnode.core.ports import Entropy
from meshnode.core.records import BlockIndex, MessageRecord, Record, Snapshot
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon.home import Home
from meshnode.daemon.journal import Begun, Came, Draw, Journal

Note = Callable[[Draw], None]

_DIGEST_SIZE = 8

_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in (BlockIndex, *get_args(Record))}


class Recording:
    """The journal of one daemon, as its loop writes it."""

    def __init__(self, home: Home) -> None:
        self._journal = Journal(home.path, home.config.journal.limit_mb * 1_000_000, home.store_key())
        self._drawn: list[Draw] = []

    def begin(self, home: Home, snapshot: Snapshot, epoch: int, now: Instant) -> Home:
        """A node is about to be made of these; the home it is to be made with notes what the node draws."""
        self._drawn.clear()
        self._journal.write(Begun(epoch, whose(home), encode_snapshot(snapshot)), now)
        return home.with_chance(NotedEntropy(home.entropy, self._drawn.append), NotedSealer(self._drawn.append))

    def told(self, given: Input, now: Instant) -> None:
        """The node is about to take this input."""
        self._journal.write(given, now)

    def came(self, effects: Iterable[Effect], now: Instant) -> None:
        """What came of it."""
        self._journal.write(Came(tuple(self._drawn), tuple(map(digest, effects))), now)
        self._drawn.clear()

    def flush(self) -> None:
        """Hand what was noted to the system, so that it outlives the process."""
        self._journal.flush()

    def close(self) -> None:
        """Finish the file."""
        self._journal.close()


class NotedEntropy:
    """`ports.Entropy` that tells what it gave."""

    def __init__(self, inner: Entropy, note: Note) -> None:
        self._inner = inner
        self._note = note

    def take(self, purpose: str, size: int) -> bytes:
        """`size` unpredictable bytes."""
        drawn = self._inner.take(purpose, size)
        self._note(drawn)
        return drawn

    def between(self, purpose: str, low: float, high: float) -> float:
        """A uniform draw from [low, high)."""
        drawn = self._inner.between(purpose, low, high)
        self._note(drawn)
        return drawn


class NotedSealer(RealSealer):
    """`ports.Sealer` that tells what it made of randomness of its own."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As the real one."""
        sealed = super().hpke_seal(public, info, plaintext)
        self._note(sealed)
        return sealed

    def new_prekey(self) -> tuple[bytes, bytes]:
        """As the real one."""
        secret, public = super().new_prekey()
        self._note(secret)
        self._note(public)
        return secret, public


def whose(home: Home) -> bytes:
    """Tells apart nodes that were made of other keys, or with other settings."""
    settings = home.config.settings(open_mesh=home.mesh.open)
    made_of = (home.keys.node, home.keys.incarnation, home.mesh.id, settings)
    return _digest(made_of)


def digest(effect: Effect) -> bytes:
    """Tells effects apart, in 8 B."""
    kinds = [type(effect).__name__]
    if isinstance(effect, Persist):
        kinds += [type(record).__name__ for record in effect.records]
    elif isinstance(effect, Notify):
        kinds.append(type(effect.notice).__name__)
    return _digest((kinds, effect))


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """As a Begun holds it: of each record the name of its class, and its values in a row."""
    records = [(type(one).__name__, _values(one)) for one in (*snapshot.blocks, *snapshot.pending, *snapshot.records)]
    return _encode((snapshot.now, records, snapshot.chunks))


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot of a Begun."""
    now, rows, chunks = msgspec.msgpack.decode(data)
    found = [_CLASSES[name](*map(_frozen, values)) for name, values in rows]
    return Snapshot(
        now,
        blocks=tuple(one for one in found if isinstance(one, BlockIndex)),
        records=tuple(one for one in found if not isinstance(one, BlockIndex | MessageRecord)),
        pending=tuple(one for one in found if isinstance(one, MessageRecord)),
        chunks=tuple(map(_frozen, chunks)),
    )


def _values(record: Any) -> list[object]:
    return [getattr(record, one.name) for one in fields(record)]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _digest(value: object) -> bytes:
    return sha256(_encode(value)).digest()[:_DIGEST_SIZE]


def _encode(value: object) -> bytes:
    return msgspec.msgpack.encode(value, enc_hook=_named, order="deterministic")


def _named(kind: Any) -> str:
    """The table that a key is of stands for itself by its name."""
    return str(kind.__name__)
