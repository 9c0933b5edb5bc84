"""Files by command, between two nodes that run, and what of them a home at rest shows."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from meshnode.control import question, replies, requests
from meshnode.core.sealing.manifest import CHUNK_SIZE, MAX_PREVIEW
from support.commands import Commands, Ran
from support.villages import village


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    with village(tmp_path_factory.mktemp("village"), 2) as running:
        yield running


@pytest.fixture
def ada(homes: list[Path], capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(homes[0], capsys)


@pytest.fixture
def bo(homes: list[Path], capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(homes[1], capsys)


def written(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(Random(name).randbytes(size))
    return path


def file_of(ran: Ran, message: str) -> Any:
    (found,) = [m for m in ran.json["messages"] if m["id"] == message]
    (file,) = found["files"]
    return file


def test_a_photo_for_one_person(ada: Commands, bo: Commands, tmp_path: Path) -> None:
    photo, small = written(tmp_path, "bridge.jpg", 70_000), written(tmp_path, "small.jpg", 900)
    wait = ("--wait", "delivered", "--timeout", "180", "--json")
    sent = ada("send", "Bo", "the bridge", "--file", str(photo), "--preview", str(small), *wait)
    assert sent.code == 0, sent.err
    offered = file_of(bo("inbox", "--json"), sent.json["id"])
    assert (offered["name"], offered["size"], offered["state"], offered["held"]) == ("bridge.jpg", 70_000, "offered", 0)
    assert (offered["media"], base64.b64decode(offered["preview"])) == ("image/jpeg", small.read_bytes())
    assert file_of(ada("inbox", "--json"), sent.json["id"])["state"] == "here"
    got = bo("files", "get", offered["id"][:10], str(tmp_path / "got.jpg"), "--json")
    assert (got.code, got.json["reached"], got.json["file"]["state"]) == (0, True, "here")
    assert (tmp_path / "got.jpg").read_bytes() == photo.read_bytes()
    assert list(tmp_path.glob("*.part")) == []
    listed = bo("files", "list").out
    assert "bridge.jpg" in listed
    assert "here" in listed
    assert "Ada" in listed
    again = bo("files", "get", offered["id"])
    assert again.out == "bridge.jpg is here\n"
    assert "got.jpg is a directory" not in again.err


def test_a_file_for_all_is_read_in_parts_and_dropped(ada: Commands, bo: Commands, tmp_path: Path) -> None:
    notes = written(tmp_path, "notes.txt", CHUNK_SIZE + 500)
    assert ada("post", "square", "read this", "--file", str(notes)).code == 0
    bo("channel", "join", "square")
    rows = question.ask(ada.home / "control.sock", requests.FilesRequest(), replies.FilesReply).files
    (row,) = [row for row in rows if row.file.name == "notes.txt"]
    part = _read(ada, row.file.id, CHUNK_SIZE - 10, 600)
    assert part == notes.read_bytes()[CHUNK_SIZE - 10 :][:600]
    assert _read(ada, row.file.id, 10_000_000, 600) == b""
    assert _read(ada, row.file.id, CHUNK_SIZE * 2, 600) == b""
    dropped = ada("files", "drop", row.file.id[:8])
    assert dropped.out == "notes.txt is kept here no longer\n"
    assert _read(ada, row.file.id, 0, 600) == b""
    late = ada("files", "get", row.file.id, "--timeout", "0", "--json")
    assert (late.code, late.json["reached"]) == (4, False)
    assert "0 B of 33.3 kB" in ada("files", "get", row.file.id, "--timeout", "0").out
    assert "0 %" in ada("files", "list").out


def _read(who: Commands, file: str, offset: int, size: int) -> bytes:
    request = requests.FileReadRequest(id=file, offset=offset, size=size)
    return question.ask(who.home / "control.sock", request, replies.FilePartReply).data


def test_the_same_request_is_the_same_message_with_one_file(ada: Commands, tmp_path: Path) -> None:
    photo = written(tmp_path, "once.jpg", 1000)
    words = ("send", "Bo", "--file", str(photo), "--request", "1f" * 16, "--json")
    first, second = ada(*words).json, ada(*words).json
    assert first["id"] == second["id"]
    names = [row["file"]["name"] for row in ada("files", "list", "--json").json["files"]]
    assert names.count("once.jpg") == 1
    assert "" not in names


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--file", "nowhere.jpg"), "cannot be read"),
        (("--file", "."), "is not a file"),
        (("--file", "empty"), "is empty"),
        (("--file", "a.jpg", "--preview", "large"), "too large for a preview"),
        (("--file", "a.jpg", "--preview", "nowhere"), "cannot be read"),
        (("--preview", "a.jpg"), "--file"),
    ],
)
def test_what_cannot_be_attached_is_said(
    ada: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in (("a.jpg", 10), ("empty", 0), ("large", MAX_PREVIEW + 1)):
        written(tmp_path, name, size)
    ran = ada("send", "Bo", "x", *words)
    assert ran.code == 1
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_ids_that_name_no_file_or_several(ada: Commands, tmp_path: Path) -> None:
    ada("send", "Bo", "--file", str(written(tmp_path, "b.jpg", 10)))
    for words in (("get", "ffffff" * 8), ("drop", "x"), ("get", "")):
        ran = ada("files", *words)
        assert ran.code == 1
        assert "files list" in ran.err


def test_where_it_cannot_be_written(ada: Commands, tmp_path: Path) -> None:
    ada("send", "Bo", "--file", str(written(tmp_path, "c.jpg", 10)))
    files = {row["file"]["name"]: row["file"]["id"] for row in ada("files", "list", "--json").json["files"]}
    for path, why in ((tmp_path, "is a directory"), (tmp_path / "none" / "c.jpg", "cannot be written")):
        ran = ada("files", "get", files["c.jpg"], str(path))
        assert (ran.code, why in ran.err) == (1, True)


def test_a_refused_message_leaves_no_file_behind(ada: Commands, tmp_path: Path) -> None:
    photo = written(tmp_path, "d.jpg", 1000)
    ran = ada("send", "Bo", "x" * 3600, "--file", str(photo))
    assert ran.code == 1
    assert "d.jpg" not in ada("files", "list").out
    assert "-  " not in ada("files", "list", "--json").json["files"]


def test_a_home_at_rest_shows_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with village(tmp_path / "v", 2) as homes:
        ada = Commands(homes[0], capsys)
        photo = written(tmp_path, "rest.jpg", 1000)
        sent = ada("send", "Bo", "--file", str(photo), "--json").json["id"]
    file = file_of(ada("inbox", "--json"), sent)
    assert (file["name"], file["state"], file["size"], file["held"]) == ("rest.jpg", "here", 1000, 1000)
