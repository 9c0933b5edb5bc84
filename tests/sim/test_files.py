"""Files in virtual time: the same core fetches them over the modelled radio, before and after a power cut."""

from __future__ import annotations

from meshnode.core.inputs import FetchFile, KeepChunks, KeepFile
from meshnode.core.records import ChunkRecord
from meshnode.core.sealing.manifest import CHUNK_SIZE
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import parse
from meshnode_sim.simulate import build
from support.trial_files import Sample, sample

LINE = """
[topology]
shape = "line"
nodes = 3
[radio]
width_mhz = 2
loss = 0.2
"""


def test_a_file_crosses_a_lossy_line_and_a_power_cut() -> None:
    world, given = build(parse(LINE), 300 * SECOND_NS), sample(10 * CHUNK_SIZE)
    world.run(60 * SECOND_NS)
    first, middle, last = world.hosts
    first.give(KeepFile(given.file, given.size, given.hashes))
    first.give(KeepChunks(given.file, 0, given.chunks))
    last.give(FetchFile(given.file, given.size))
    world.run(62 * SECOND_NS)
    held = last.memory.every(ChunkRecord)
    assert 0 < len(held) < len(given.chunks)
    world.cut_power(1)
    world.run(70 * SECOND_NS)
    world.boot(1)
    world.run(300 * SECOND_NS)
    assert _content(last.memory.every(ChunkRecord), given) == given.content
    assert middle.memory.every(ChunkRecord)


def _content(rows: list[ChunkRecord], given: Sample) -> bytes:
    return b"".join(row.body for row in sorted(rows, key=lambda row: row.number) if row.file == given.file)
