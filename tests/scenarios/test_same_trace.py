"""The same seed gives the same trace; and no id, order or timer hangs on bytes that sealing or hashing made."""

from __future__ import annotations

import re
import subprocess
import sys
from hashlib import blake2b

from meshnode.core.effects import Dial, Effect, Forget, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from support.trial_world import TrialWorld


def _trace(seed: int, *, sealing: str = "") -> list[tuple[float, str, Effect]]:
    """Everything three nodes did in five minutes of a busy, lossy, dying valley."""
    world = TrialWorld(seed, loss=0.2, sealing=sealing)
    trace: list[tuple[float, str, Effect]] = []
    boxes = a, b, c = world.line("abc")
    for box in boxes:
        box.effects_log = lambda name, effect: trace.append((world.now, name, effect))
    for number in range(12):
        world.at(20 + 4 * number, lambda n=number: a.write(c, f"message {n}"))
        world.at(21 + 4 * number, lambda n=number: c.write(a, f"answer {n}"))
        world.at(22 + 4 * number, lambda n=number: b.post(f"post {n}"))
    world.at(40, b.cut)
    world.at(41.5, b.boot)
    world.run(300)
    assert len(c.inbox()) == len(a.inbox()) == 12
    return trace


def _hash(trace: list[tuple[float, str, Effect]]) -> str:
    return blake2b(repr(trace).encode()).hexdigest()


def test_the_same_seed_gives_the_same_trace() -> None:
    assert _hash(_trace(5)) == _hash(_trace(5))


def test_another_seed_gives_another() -> None:
    assert _hash(_trace(5)) != _hash(_trace(6))


def _shape(effect: Effect) -> object:
    """An effect without the bytes: kinds, sizes, places."""
    match effect:
        case Persist(records, promise):
            return "persist", promise, tuple((type(row).__name__, _size(row)) for row in records)
        case Forget(keys, promise):
            return "forget", promise, tuple(key.table.__name__ for key in keys)
        case Send(link, to, data, cls):
            return "send", link, to, len(data), cls
        case SendRecord(session, data):
            return "record", session, len(data)
        case Notify(notice):
            return "notify", type(notice).__name__
        case ReadStored(token, blocks, envelopes):
            return "read", token, tuple((first, count) for _, first, count in blocks), len(envelopes)
        case Dial() | Hangup():
            return repr(effect)


def _size(row: object) -> int:
    return len(re.sub(rb"[0-9.]+", b"0", b"".join(_bytes(getattr(row, name)) for name in row.__slots__)))  # type: ignore[attr-defined]


def _bytes(value: object) -> bytes:
    return bytes(len(value)) if isinstance(value, bytes) else b""


def test_other_ciphertexts_give_the_same_shape() -> None:
    """Prekeys and what is sealed to them differ in every byte; nothing else moves."""
    one, other = _trace(5, sealing="one"), _trace(5, sealing="other")
    assert _hash(one) != _hash(other)
    for (at, name, effect), (at_too, name_too, other_effect) in zip(one, other, strict=True):
        assert (at, name, _shape(effect)) == (at_too, name_too, _shape(other_effect))


def test_the_order_of_sets_does_not_show() -> None:
    """In other processes hashes of bytes are salted otherwise."""
    script = f"import runpy; t = runpy.run_path({__file__!r}); print(t['_hash'](t['_trace'](7)))"
    told = set()
    for salt in ("1", "2"):
        where = {"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(path for path in sys.path if path)}
        done = subprocess.run([sys.executable, "-c", script], env=where, capture_output=True, text=True, check=True)
        told.add(done.stdout)
    assert len(told) == 1
