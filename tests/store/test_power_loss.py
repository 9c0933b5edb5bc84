"""The power goes at any point: nothing that was acknowledged is lost, nothing is half there, nothing appears twice."""

from __future__ import annotations

import random
import tempfile
from itertools import count
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.effects import Forget, Persist
from meshnode.core.records import FactRecord, RecordKey
from meshnode.store.store import Store
from support.cut_vfs import CutVfs, image
from support.store_fakes import LIMIT, FakeKey, fact, message, open_store, state

Commit = tuple[list[tuple[int, bytes]], bool, bool]  # facts to set (empty: delete), promise?, checkpoint after it?
Rows = tuple[dict[str, bytes], list[int]]

_names = count()

commits = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=6000)), min_size=1, max_size=4),
        st.booleans(),
        st.integers(0, 9).map(lambda n: n == 0),
    ),
    min_size=1,
    max_size=12,
)


def _run(store: Store, vfs: CutVfs, story: list[Commit]) -> tuple[list[Rows], list[int]]:
    """Play the commits; what the store held after each, and how many operations each acknowledged one had taken."""
    facts: dict[str, bytes] = {}
    held: list[Rows] = [({}, [])]
    acknowledged = [0]
    for number, (changes, promise, checkpoint) in enumerate(story, start=1):
        effects: list[Persist | Forget] = [Persist((message(number), state(number, "delivered")))]
        for name, value in changes:
            key = RecordKey(FactRecord, (str(name),))
            effects.append(Persist((fact(str(name), value),)) if value else Forget((key,)))
            facts = {k: v for k, v in {**facts, str(name): value}.items() if v}
        store.commit(effects, float(number), promise)
        held.append((facts, list(range(1, number + 1))))
        acknowledged.append(len(vfs.done) if promise else 10**9)
        if checkpoint:
            store._database.wal_checkpoint()
    return held, acknowledged


def _rows(store: Store) -> Rows:
    facts = {record.name: record.value for record in store.reads.every(FactRecord)}
    inbox = store.reads.inbox()
    assert all(where is not None and where.state == "delivered" for _, where in inbox)
    return facts, [found.cursor for found, _ in inbox]


@settings(max_examples=150, deadline=None)
@given(story=commits, where=st.floats(0, 1), seed=st.integers(0, 2**32), keep=st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_power_cut(story: list[Commit], where: float, seed: int, keep: float) -> None:
    with tempfile.TemporaryDirectory() as before, tempfile.TemporaryDirectory() as after:
        vfs = CutVfs(f"cut{next(_names)}")
        store = Store(Path(before) / "store.db", FakeKey(), LIMIT, vfs=vfs.name, reserve=False)
        held, acknowledged = _run(store, vfs, story)
        store.close()
        cut = round(where * len(vfs.done))
        vfs.unregister()
        image(vfs.done, cut, Path(after), random.Random(seed), keep)
        safe = max(number for number, at in enumerate(acknowledged) if at <= cut)
        survivor = open_store(Path(after), reserve=False)
        assert _rows(survivor) in held[safe:]
        assert survivor.now in [float(number) for number in range(safe, len(held))]
        survivor.close()


def test_the_layer_does_lose_what_was_not_synced(tmp_path: Path) -> None:
    vfs = CutVfs("cut-control")
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir(), after.mkdir()
    store = Store(before / "store.db", FakeKey(), LIMIT, vfs=vfs.name, reserve=False)
    store.commit([Persist((fact("promised"),))], 1.0, True)
    store.commit([Persist((fact("hoped for"),))], 2.0, False)
    image(vfs.done, len(vfs.done), after, random.Random(1), 0.0)
    survivor = open_store(after, reserve=False)
    assert [record.name for record in survivor.reads.every(FactRecord)] == ["promised"]
    survivor.close()
    store.close()
    vfs.unregister()
