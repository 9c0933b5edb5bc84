"""kill -9 at any moment: what was acknowledged is there, whole and once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from meshnode.core.records import FactRecord
from support.store_fakes import open_store

WRITER = """
import sys; from pathlib import Path
from support.store_fakes import fact, message, open_store, state
from meshnode.core.effects import Persist
store = open_store(Path(sys.argv[1]), reserve=False)
number = len(store.reads.inbox(limit=10**6))
while True:
    number += 1
    promise = number % 3 == 0
    pair = (message(number), state(number, "delivered"), fact("last", str(number).encode()))
    store.commit([Persist(pair)], float(number), promise)
    if promise:
        sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    acknowledged = 0
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                acknowledged = int(process.stdout.readline())
            process.kill()
            for line in process.stdout:
                acknowledged = int(line) if line.endswith("\n") else acknowledged
        store = open_store(tmp_path, reserve=False)
        cursors = [filed.cursor for filed, where in store.reads.inbox(limit=10**6) if where is not None]
        assert cursors == list(range(1, len(cursors) + 1))
        assert len(cursors) >= acknowledged
        assert store.now == float(len(cursors))
        assert [record.value for record in store.reads.every(FactRecord)] == [str(len(cursors)).encode()]
        store.close()
