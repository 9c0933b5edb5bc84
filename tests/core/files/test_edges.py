"""What the parts of files do alone: before the node wires them, and where little happens."""

from __future__ import annotations

from meshnode.core.effects import Notify
from meshnode.core.files.fetching import Fetch, Fetching
from meshnode.core.files.library import Held
from meshnode.core.files.seeking import Seeking
from meshnode.core.files.serving import Job, Serving
from meshnode.core.ids import FileId, NodeKey
from meshnode.core.inputs import KeepChunks, KeepFile, Stored
from meshnode.core.neighbours.neighbour import Neighbour
from meshnode.core.notices import FileMoved
from meshnode.core.records import FILE_WANTED, ChunkRecord
from meshnode.core.sealing.manifest import CHUNK_SIZE
from meshnode.core.wire.frames import ChunkWant
from support.trial_files import attach, sample
from support.trial_world import Box, TrialWorld

GIVEN = sample(3 * CHUNK_SIZE)
NOWHERE = FileId(b"\x07" * 32)


def alone() -> tuple[Box, Seeking, Fetching, Serving]:
    """The parts of a box once more, wired to nothing."""
    box = TrialWorld(1).add("a")
    node = box.node
    seeking = Seeking(node.ctx, node.neighbours, node.files.library)
    fetching = Fetching(node.ctx, node.neighbours, node.files.library, seeking)
    return box, seeking, fetching, Serving(node.ctx, node.neighbours, node.outbox, node.files.library, seeking)


def test_parts_that_nobody_wired_do_nothing() -> None:
    box, seeking, fetching, serving = alone()
    for call in (Seeking(box.node.ctx, box.node.neighbours, box.node.files.library).on_route, fetching.on_lost):
        call(NOWHERE)
    Seeking(box.node.ctx, box.node.neighbours, box.node.files.library).on_gone(NOWHERE, NodeKey(b""))
    fetching.on_chunk(NOWHERE, 0, b"")
    serving.spare(NOWHERE, 0)
    assert not serving.carry(NOWHERE, 0)
    seeking.proved(NOWHERE, NodeKey(b""))
    assert seeking.routes(NOWHERE) == []


def test_what_a_person_wants_is_not_spared_for_others() -> None:
    _, _, fetching, _ = alone()
    fetching.fetches[NOWHERE] = Fetch(NOWHERE, 1000, None)
    fetching.spare(NOWHERE, 0)
    fetching.spare(GIVEN.file, 0)
    assert fetching.fetching(NOWHERE)


def test_a_file_is_told_of_when_its_last_chunk_is_there() -> None:
    box = TrialWorld(2).add("a")
    box.feed(KeepFile(GIVEN.file, GIVEN.size, GIVEN.hashes))
    box.feed(KeepChunks(GIVEN.file, 0, GIVEN.chunks[:2]))
    assert not box.node.files.whole(GIVEN.file)
    box.node.files.library._count(box.node.files.library.files[GIVEN.file], 0)
    assert box.node.files.library.files[GIVEN.file].filled == 2 * CHUNK_SIZE
    box.feed(KeepChunks(GIVEN.file, 1, GIVEN.chunks[1:]))
    assert box.node.files.whole(GIVEN.file)


def test_nothing_is_swept_before_its_time() -> None:
    box = TrialWorld(3).add("a")
    attach(box, GIVEN)
    box.node.files.library.tick()
    assert box.node.files.whole(GIVEN.file)


def test_an_answer_of_the_store_reaches_the_one_who_asked() -> None:
    box, _, _, serving = alone()
    attach(box, GIVEN)
    near, far = (Neighbour(bytes([n]) * 6, NodeKey(bytes([n]) * 32), session=n) for n in (1, 2))  # type: ignore[arg-type]
    for neighbour in (near, far):
        serving.want_arrived(neighbour, ChunkWant(GIVEN.file, 1, 0, ((0, 10),)))
    jobs = [next(iter(line.jobs.values())) for line in serving.lines.values()]
    assert serving.stored(Stored(jobs[0].token, chunks=(ChunkRecord(GIVEN.file, 1, GIVEN.chunks[1]),)))
    assert [len(line.jobs) for line in serving.lines.values()] == [0, 1]
    assert serving.stored(Stored(jobs[1].token))
    assert [len(line.jobs) for line in serving.lines.values()] == [0, 0]
    assert not serving.stored(Stored(1))
    serving.session_writable(1, 0)
    assert serving._queued[1] == 0


def test_a_span_beyond_the_end_is_nothing_in_a_session_either() -> None:
    box, _, _, serving = alone()
    attach(box, GIVEN)
    far = Neighbour(b"far---", NodeKey(b"f" * 32), session=1)  # type: ignore[arg-type]
    serving.want_arrived(far, ChunkWant(GIVEN.file, 65_535, 0, ((60_000, 60_010),)))
    (line,) = serving.lines.values()
    assert line.jobs == {}
    assert Job(GIVEN.file, 0, []).body is None


def test_what_is_here_needs_no_sparing_when_its_asker_leaves() -> None:
    box, _, _, serving = alone()
    attach(box, GIVEN)
    spared: list[int] = []
    serving.spare = lambda file, number: spared.append(number)
    near = Neighbour(b"near--", NodeKey(b"n" * 32), session=1)  # type: ignore[arg-type]
    serving.want_arrived(near, ChunkWant(GIVEN.file, 1, 0, ((0, 10),)))
    serving.neighbour_lost(near.node)
    assert (serving.lines, spared) == ({}, [])


def test_a_person_is_told_of_a_large_file_now_and_then() -> None:
    box, _, fetching, _ = alone()
    held = Held(NOWHERE, 100 * CHUNK_SIZE, FILE_WANTED)
    fetch = Fetch(NOWHERE, held.size, None)
    for number in range(100):
        box.node.files.library._count(held, number)
        fetching._tell(fetch, held)
    told = [effect.notice for effect in box.node.ctx.out if isinstance(effect, Notify)]
    assert told[-1] == FileMoved(NOWHERE, "here", held.size, held.size)
    assert len(told) == 32
