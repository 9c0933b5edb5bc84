"""The journal gives back what the node was told, is bounded, and is nobody else's business."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.clock import WallClock
from meshnode.core.inputs import (
    AdoptBranches,
    BeginExport,
    BodiesDropped,
    ClockSet,
    Compose,
    DialFailed,
    DropFile,
    EncounterBegan,
    EncounterEnded,
    FetchFile,
    FrameReceived,
    KeepChunks,
    KeepFile,
    LinkChanged,
    LinkUsed,
    MarkRead,
    PeerSeen,
    RecordReceived,
    RemoveContact,
    RevokeDevice,
    SessionWritable,
    SetChannel,
    SetContact,
    StationSeen,
    Stored,
    StoreState,
    Tick,
)
from meshnode.core.sealing.atrest import StoreKey
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings
from meshnode.daemon.journal import MARK, Begun, Came, Entry, Journal, drop_unsealed, read_journal
from meshnode.errors import SignatureError, StoreError
from support.store_fakes import block, envelope

KEY = StoreKey(SeededSealer(1), SeededEntropy(1), bytes(32))

ALL: list[Entry] = [
    Tick(),
    LinkChanged("halow0", LinkSettings(multicast=False)),
    LinkChanged("halow0", None),
    LinkUsed("halow0", 1, 2, 3, 4, 5, 6, 7),
    StationSeen("halow0"),
    FrameReceived("halow0", "fe80::1", True, b"\0\xff"),
    EncounterBegan(1, b"n" * 32, "overlay", "200::1", True),
    RecordReceived(1, b"frames"),
    EncounterEnded(1),
    SessionWritable(1, 2),
    DialFailed("200::1", "no route"),
    PeerSeen("200::1", "overlay", False),
    Stored(3, (block(1, 1),), (envelope(1, 1),)),
    StoreState(1, 2, True),
    BodiesDropped(((b"l" * 52, 7),)),
    ClockSet(WallClock(1.5, 2.5, float("inf"), "unknown")),
    Compose("soup is ready", to=b"p" * 32, request=b"r" * 16),
    MarkRead((b"m" * 16,)),
    SetContact(b"p" * 32, "Bo", True, False),
    RemoveContact(b"p" * 32),
    SetChannel(b"c" * 16, "square", True),
    RevokeDevice(b"statement"),
    AdoptBranches(b"d" * 32),
    KeepFile(b"f" * 32, 5, b"h" * 32),
    KeepChunks(b"f" * 32, 0, (b"words",)),
    FetchFile(b"f" * 32, 5),
    DropFile(b"f" * 32),
    BeginExport(-1, None, 5.0),
    Begun(7, b"w" * 8, b"snapshot"),
    Came((b"drawn", 0.25), (b"e" * 8, b"f" * 8)),
]


def test_every_input_comes_back(tmp_path: Path) -> None:
    assert {type(one) for one in ALL} == set(get_args(Entry))
    journal = Journal(tmp_path, 10**6, KEY)
    for number, one in enumerate(ALL):
        journal.write(one, float(number))
    journal.close()
    assert list(read_journal(tmp_path, KEY)) == [(float(number), one) for number, one in enumerate(ALL)]
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o600


def test_it_is_bounded_and_loses_the_oldest(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10_000, KEY)
    for number in range(1000):
        journal.write(FrameReceived("halow0", "fe80::1", True, bytes(100)), float(number))
    journal.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    times = [now for now, _ in read_journal(tmp_path, KEY)]
    assert times == [float(number) for number in range(1000 - len(times), 1000)]
    assert len(times) > 20


def test_what_is_longer_than_a_file_may_be_ends_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10_000, KEY)
    journal.write(Begun(1, b"w" * 8, bytes(4_000)), 1.0)
    journal.write(Tick(), 2.0)
    journal.write(Begun(2, b"w" * 8, bytes(5_000)), 3.0)
    journal.write(Tick(), 4.0)  # of a life whose beginning is not there
    journal.close()
    assert [now for now, _ in read_journal(tmp_path, KEY)] == [1.0, 2.0]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        journal = Journal(tmp_path, 10**6, KEY)
        journal.write(Tick(), float(number))
        journal.close()
    assert [now for now, _ in read_journal(tmp_path, KEY)] == [0.0, 1.0, 2.0]


@given(cut=st.integers(0, 60))
def test_a_record_cut_off_is_left_out(cut: int, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("cut")
    journal = Journal(folder, 10**6, KEY)
    journal.write(Tick(), 1.0)
    journal.flush()
    whole = (folder / "journal").stat().st_size
    journal.write(FrameReceived("halow0", "fe80::1", True, bytes(20)), 2.0)
    journal.close()
    raw = (folder / "journal").read_bytes()
    (folder / "journal").write_bytes(raw[: min(len(raw) - 1, whole + cut)])
    assert list(read_journal(folder, KEY)) == [(1.0, Tick())]
    journal = Journal(folder, 10**6, KEY)
    journal.write(Tick(), 3.0)
    journal.close()
    assert list(read_journal(folder, KEY)) == [(1.0, Tick()), (3.0, Tick())], "what follows a crash can be read"


def test_zeros_that_a_power_cut_left_at_the_end_are_left_out(tmp_path: Path) -> None:
    for now in (1.0, 2.0):
        journal = Journal(tmp_path, 10**6, KEY)
        journal.write(Tick(), now)
        journal.close()
        with (tmp_path / "journal").open("ab") as file:
            file.write(bytes(100))
        assert [at for at, _ in read_journal(tmp_path, KEY)][-1] == now


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"soup" * 10)
    with pytest.raises(StoreError, match="not a journal"):
        list(read_journal(tmp_path, KEY))
    for begun in (MARK, b""):
        (tmp_path / "journal").write_bytes(begun)
        assert list(read_journal(tmp_path, KEY)) == []


def test_a_full_disk_ends_the_journal_and_not_the_node(tmp_path: Path) -> None:
    (tmp_path / "journal").symlink_to("/dev/full")
    journal = Journal(tmp_path, 1_000_000, KEY)
    for _ in range(3):
        journal.write(Tick(), 1.0)
        journal.flush()
    journal.close()


def test_it_opens_with_the_key_of_its_home_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10**6, KEY)
    journal.write(Compose("soup is ready", to=b"p" * 32), 1.0)
    journal.close()
    assert b"soup" not in (tmp_path / "journal").read_bytes()
    with pytest.raises(SignatureError):
        list(read_journal(tmp_path, StoreKey(SeededSealer(1), SeededEntropy(1), bytes(31) + b"1")))


def test_one_of_another_kind_makes_room(tmp_path: Path) -> None:
    """What an older meshnode wrote cannot be read, and nothing could be that was written behind it."""
    kept = tmp_path / "kept"
    kept.mkdir()
    journal = Journal(kept, 10**6, KEY)
    journal.write(Tick(), 1.0)
    journal.close()
    (kept / "journal.old").write_bytes(b"meshnode journal 1\nwords of people")
    drop_unsealed(kept)
    assert [path.name for path in kept.iterdir()] == ["journal"], "where none is written any more, either"
    for name in ("journal", "journal.old"):
        (tmp_path / name).write_bytes(b"meshnode journal 1\n....")
    journal = Journal(tmp_path, 10**6, KEY)
    journal.write(Tick(), 1.0)
    journal.close()
    assert list(read_journal(tmp_path, KEY)) == [(1.0, Tick())]
