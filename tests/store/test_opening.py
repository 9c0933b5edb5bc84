"""A store that cannot be opened says why in one sentence, and stays as it was."""

from __future__ import annotations

import hashlib
import stat
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from meshnode.core.effects import Persist
from meshnode.errors import StoreError, StoreNewerError
from meshnode.store import database, migrations
from meshnode.store.store import Store
from support.store_fakes import LIMIT, FakeKey, block, fact, message, open_store


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    store = open_store(tmp_path, reserve=False)
    store.commit([Persist(tuple(block(1, seq, bytes(900)) for seq in range(200))), Persist((message(1),))], 1.0, True)
    store.close()
    return tmp_path


def digest(folder: Path) -> dict[str, str]:
    """What is in each file; an empty log beside a store says nothing and counts as none."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {name: hashlib.sha256(raw).hexdigest() for name, raw in found.items() if raw}


def refused(folder: Path, kind: type[StoreError], sentence: str) -> None:
    before = digest(folder)
    with pytest.raises(kind, match=sentence) as caught:
        open_store(folder, reserve=False)
    assert digest(folder) == before
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_the_file_is_private(filled: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in filled.iterdir()} == {0o600}


def test_the_log_beside_it_is_private_too(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.make_room(1.0)
    store.commit([Persist((fact("a"),))], 1.0, True)
    assert {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        ".db": 0o600, ".db-wal": 0o600, ".reserve": 0o600,
    }  # fmt: skip
    store.close()


def test_a_newer_store_is_left_alone(filled: Path) -> None:
    database = apsw.Connection(str(filled / "store.db"))
    database.pragma("user_version", len(migrations.STEPS) + 1)
    database.close()
    refused(filled, StoreNewerError, "newer meshnode .*update meshnode")


def test_an_older_store_is_brought_forward(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = "ALTER TABLE fact ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, later))
    store = open_store(filled)
    assert store._database.pragma("user_version") == len(migrations.STEPS)
    store.commit([Persist((fact("a"),))], 1.0, True)
    assert store._database.execute("SELECT note FROM fact").get == "none"
    assert [filed.text for filed, _ in store.reads.inbox()] == ["words 1"]
    store.close()


def test_a_step_that_fails_leaves_the_older_store(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (*migrations.STEPS, "CREATE TABLE a (b) STRICT; nonsense"))
        with pytest.raises(StoreError):
            open_store(filled)
    store = open_store(filled)
    assert store._database.pragma("user_version") == len(migrations.STEPS)
    assert len(store.reads.inbox()) == 1
    store.close()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    database = apsw.Connection(str(tmp_path / "store.db"))
    database.execute("CREATE TABLE recipes (soup)")
    database.close()
    refused(tmp_path, StoreError, "another program")


def test_something_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"soup is ready\n" * 500)
    refused(tmp_path, StoreError, "is damaged")


@pytest.mark.parametrize("page", [1, 3, 8])
def test_a_damaged_store_is_left_alone(filled: Path, page: int) -> None:
    path = filled / "store.db"
    raw = bytearray(path.read_bytes())
    raw[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(raw)
    refused(filled, StoreError, "is damaged .*restore a backup")


def test_a_store_cut_short_is_left_alone(filled: Path) -> None:
    path = filled / "store.db"
    path.write_bytes(path.read_bytes()[: 20 * 4096])
    refused(filled, StoreError, "is damaged")


def test_a_damaged_store_with_a_log_beside_it_keeps_both(tmp_path: Path) -> None:
    store = open_store(tmp_path, reserve=False)
    store.commit([Persist(tuple(block(1, seq, bytes(900)) for seq in range(5000)))], 1.0, True)
    store.commit([Persist((fact("newest"),))], 1.0, True)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "store.db", tmp_path / "store.db-wal"):
        (copy / path.name).write_bytes(path.read_bytes())
    store.close()
    raw = bytearray((copy / "store.db").read_bytes())
    raw[4096 * 5 : 4096 * 40] = bytes(4096 * 35)
    (copy / "store.db").write_bytes(raw)
    assert (copy / "store.db-wal").stat().st_size > 0
    refused(copy, StoreError, "is damaged")


def test_the_wrong_key_is_named(filled: Path) -> None:
    with pytest.raises(StoreError, match="this home's key"):
        Store(filled / "store.db", FakeKey(2), LIMIT, reserve=False)
    open_store(filled).close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([], 1.0, True)
    with pytest.raises(StoreError, match="in use by another program"):
        open_store(tmp_path)
    store.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError, match=r"store\.db cannot be opened"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match=r"store\.db cannot be opened"):
        open_store(tmp_path / "missing")


@pytest.mark.parametrize(
    "more",
    [
        "PRAGMA ignore_check_constraints = 1; CREATE TABLE more (x CHECK (x > 0)); INSERT INTO more VALUES (0)",
        "CREATE TRIGGER more AFTER INSERT ON fact BEGIN DELETE FROM message; END; PRAGMA user_version = 3",
        "PRAGMA user_version = 0",
        "CREATE TABLE more (x DEFAULT (CAST(x'ff' AS TEXT)))",
    ],
)
def test_a_store_that_somebody_gave_us_is_looked_at_before_anything_in_it_runs(tmp_path: Path, more: str) -> None:
    path = tmp_path / "store.db"
    database.close_database(database.open_database(path))
    database.close_database(database.open_database(path, given=True))
    with closing(apsw.Connection(str(path))) as other:
        other.execute(more)
    with pytest.raises(StoreError, match="tables that are not ours"):
        database.open_database(path, given=True)


def test_a_store_of_a_version_below_all_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    database.close_database(database.open_database(path))
    with closing(apsw.Connection(str(path))) as other:
        other.pragma("user_version", -9)
    with pytest.raises(StoreError, match="another program"):
        database.open_database(path)
