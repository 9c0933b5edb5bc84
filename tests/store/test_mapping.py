"""Every record class has its table, and every value comes back as it went in."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshnode.core.effects import Forget, Persist
from meshnode.core.records import BODY_DROPPED, BlockRecord, RatchetRecord, RecordKey
from meshnode.errors import StoreError
from meshnode.store.tables import TABLES
from support.store_fakes import KINDS, any_record, message, open_store

loose = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = open_store(tmp_path_factory.mktemp("mapping"))
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", KINDS)
def test_each_table_has_the_columns_of_its_class_and_its_key(kind: Any, store: Any) -> None:
    found = list(store._database.execute(f"SELECT name, pk FROM pragma_table_info('{TABLES[kind].name}')"))
    names = {name for name, _ in found}
    if kind is BlockRecord:
        assert names | {"body"} == {field.name for field in fields(kind)} | {"n"}
        return
    assert names == {field.name for field in fields(kind)}
    assert tuple(name for _, name in sorted((pk, name) for name, pk in found if pk)) == kind.KEY


def test_every_table_is_strict(store: Any) -> None:
    loose_ones = store._database.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    assert loose_ones == []


@loose
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(kind: Any, store: Any, data: st.DataObject) -> None:
    record = data.draw(any_record(kind))
    store.commit([Persist((record,))], 0.0, False)
    key = TABLES[kind].key_of(record)
    where = "WHERE " + " AND ".join(f'"{name}" = ?' for name in kind.KEY)
    assert list(store.reads.every(kind, where, key)) == [record]
    store.commit([Forget((RecordKey(kind, key),))], 0.0, False)
    assert list(store.reads.every(kind, where, key)) == []


def test_an_updated_block_keeps_its_place_and_can_lose_its_body(store: Any) -> None:
    first = BlockRecord(b"l" * 52, 1, b"i" * 32, b"c", b"s" * 64, b"body", 0, 1, 5.0)
    bare = BlockRecord(b"l" * 52, 1, b"i" * 32, b"c", b"s" * 64, b"", BODY_DROPPED, 1, 5.0)
    store.commit([Persist((first,))], 0.0, False)
    number = store._database.execute("SELECT n FROM block WHERE log = ?", (first.log,)).get
    store.commit([Persist((bare,))], 0.0, False)
    assert store.reads.blocks([(first.log, 1, 1)]) == (bare,)
    assert store._database.execute("SELECT n FROM block WHERE log = ?", (first.log,)).get == number
    assert store._database.execute("SELECT count(*) FROM body WHERE n = ?", (number,)).get == 0


def test_words_and_chain_keys_do_not_stand_in_the_file(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ratchet = RatchetRecord(b"d" * 32, b"r" * 16, b"p" * 32, 0.0, b"the chain key of Bo")
    store.commit([Persist((message(1, text="soup is ready"), ratchet))], 1.0, True)
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"soup" not in raw
    assert b"chain key" not in raw
    assert b"d" * 32 in raw
    store.close()


def test_a_sealed_value_moved_to_another_row_does_not_open(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.commit([Persist((message(1), message(2)))], 1.0, True)
    store._database.execute("UPDATE message SET text = (SELECT text FROM message WHERE cursor = 1) WHERE cursor = 2")
    with pytest.raises(StoreError, match="does not open with this home's key"):
        store.reads.inbox()
    store.close()
