"""What a real daemon wrote down goes through the core again, and the same comes of it; and a change is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from meshnode.config import JournalSection, WebSection
from meshnode.control.client import connect
from meshnode.control.replies import Reply, StateReply, UriReply
from meshnode.control.requests import ContactAddRequest, InviteRequest, SendRequest
from meshnode.core.inputs import Compose
from meshnode.daemon.home import Home, open_home
from meshnode.daemon.journal import Begun, Came, Entry, Journal, read_journal
from meshnode.errors import SignatureError, StoreError
from meshnode_sim.cli.app import run
from meshnode_sim.replay import replay
from support.boxes import boxes

pytestmark = pytest.mark.xdist_group("replay")  # one recording serves them all


@pytest.fixture(scope="module")
def valley(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two daemons that became acquainted and wrote to each other; Ada's was started twice."""
    folder = tmp_path_factory.mktemp("valley")
    trio.run(_record, folder)
    return folder


async def _record(folder: Path) -> None:
    keep = JournalSection(keep=True)
    async with boxes(folder, "Ada", "Bo", web=WebSection(), journal=keep) as running:
        ada, bo = running.homes
        await _become_contacts(ada, bo)
        await _become_contacts(bo, ada)
        await _deliver(ada, "Bo", "soup is ready")
        await running.stop(0)
        await running.start(0)
        await _deliver(bo, "Ada", "coming")


async def _become_contacts(one: Path, other: Path) -> None:
    async with connect(other / "control.sock") as asked:
        uri = (await asked.ask(InviteRequest(), UriReply)).uri
    async with connect(one / "control.sock") as asked:
        await asked.ask(ContactAddRequest(uri), Reply)


async def _deliver(home: Path, to: str, text: str) -> None:
    async with connect(home / "control.sock") as asked:
        said = await asked.ask(SendRequest(to, text, wait="delivered", timeout_s=300.0), StateReply)
    assert said.state in ("delivered", "read")


@pytest.fixture
def ada(valley: Path) -> Iterator[Home]:
    with open_home(valley / "ada", lock=False) as home:
        yield home


def rewritten(home: Home, folder: Path, change: Callable[[Entry], Entry | None]) -> Path:
    """The journal of a home with other entries, in another folder."""
    folder.mkdir()
    journal = Journal(folder, 10**9, home.store_key())
    for now, entry in read_journal(home.path, home.store_key()):
        if (changed := change(entry)) is not None:
            journal.write(changed, now)
    journal.close()
    return folder


def test_the_same_comes_of_it(ada: Home) -> None:
    lives = replay(ada, ada.path)
    assert [(life.epoch, life.differs) for life in lives] == [(1, ""), (2, "")]
    assert all(life.steps > 5 and life.effects > 5 for life in lives)


def test_nothing_in_it_can_be_read_without_the_home(valley: Path, ada: Home) -> None:
    assert b"soup" not in (valley / "ada" / "journal").read_bytes()
    with open_home(valley / "bo", lock=False) as bo, pytest.raises(SignatureError):
        replay(bo, ada.path)


def test_another_input_is_noticed(ada: Home, tmp_path: Path) -> None:
    def otherwise(entry: Entry) -> Entry:
        return replace(entry, text="bread is ready") if isinstance(entry, Compose) else entry

    first, second = replay(ada, rewritten(ada, tmp_path / "j", otherwise))
    assert "Compose at" in first.differs
    assert "is not what it was" in first.differs
    assert second.differs == ""


def test_other_draws_are_noticed(ada: Home, tmp_path: Path) -> None:
    def without_draws(entry: Entry) -> Entry:
        return replace(entry, draws=()) if isinstance(entry, Came) else entry

    def with_more(entry: Entry) -> Entry:
        return replace(entry, draws=(*entry.draws, b"more")) if isinstance(entry, Came) else entry

    for number, change in enumerate((without_draws, with_more)):
        lives = replay(ada, rewritten(ada, tmp_path / str(number), change))
        assert all("drew other randomness" in life.differs for life in lives)


def test_a_step_that_never_ended_is_played_and_compared_with_nothing(ada: Home, tmp_path: Path) -> None:
    entries = [entry for _, entry in read_journal(ada.path, ada.store_key())]
    last = max(index for index, entry in enumerate(entries) if isinstance(entry, Came))
    numbers = iter(range(len(entries)))
    folder = rewritten(ada, tmp_path / "j", lambda entry: None if next(numbers) == last else entry)
    assert [life.differs for life in replay(ada, folder)] == ["", ""]


def test_a_journal_without_a_beginning_is_refused(ada: Home, tmp_path: Path) -> None:
    folder = rewritten(ada, tmp_path / "j", lambda entry: None if isinstance(entry, Begun) else entry)
    with pytest.raises(StoreError, match="fresh start"):
        replay(ada, folder)
    other = rewritten(ada, tmp_path / "k", lambda e: replace(e, whose=b"else") if isinstance(e, Begun) else e)
    with pytest.raises(StoreError, match="fresh start"):
        replay(ada, other)


def test_the_command(ada: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(ada.path / "journal")]) == 0
    assert "start 1: " in (told := capsys.readouterr().out)
    assert told.count("all as before") == 2
    shutil.copy(ada.path / "journal", tmp_path / "journal")
    assert run(["replay", str(tmp_path), "--home", str(ada.path), "--json"]) == 0
    assert [life["epoch"] for life in json.loads(capsys.readouterr().out)["lives"]] == [1, 2]
    folder = rewritten(
        ada, tmp_path / "j", lambda entry: replace(entry, effects=()) if isinstance(entry, Came) else entry
    )
    assert run(["replay", str(folder), "--home", str(ada.path)]) == 1
    said = capsys.readouterr()
    assert "effects, not 0 as before" in said.out
    assert "not what came of it then" in said.err
