"""Commands to nodes that run: two of them, one hop apart."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.control import client, notices, question, replies, requests
from support.commands import Commands
from support.villages import READY_WITHIN_S, village


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


def _typed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    class Stdin(io.TextIOWrapper):
        pass

    monkeypatch.setattr("sys.stdin", Stdin(io.BytesIO(data), encoding="utf-8"))


def neighbour(who: Commands) -> Any:
    """The other one, once both hear each other: with another secret of the mesh, as one test takes, they begin anew."""
    last = time.monotonic() + READY_WITHIN_S
    while not (known := who("neighbours", "--json").json["neighbours"]) or not known[0]["bound"]:
        assert time.monotonic() < last, known
        time.sleep(0.05)
    return known[0]


def test_a_message_is_delivered_read_and_explained(ada: Commands, bo: Commands) -> None:
    sent = ada("send", "Bo", "soup is ready", "--wait", "delivered", "--timeout", "180", "--json")
    assert sent.code == 0
    assert sent.json["state"] in ("delivered", "read")
    arrived = [m for m in bo("inbox", "--contact", "Ada", "--json").json["messages"] if m["id"] == sent.json["id"]]
    assert [(m["text"], m["from"], m["to"], m["files"]) for m in arrived] == [("soup is ready", "Ada", "Bo", [])]
    why = ada("why", sent.json["id"][:9], "--json").json
    assert why["id"] == sent.json["id"]
    assert why["state"] in ("delivered", "read")
    assert "delivered" in ada("why", sent.json["id"]).out or "read" in ada("why", sent.json["id"]).out


def test_an_emergency_is_taken_back_once(ada: Commands, bo: Commands) -> None:
    sent = ada("send", "Bo", "the mill is on fire", "--class", "1", "--json").json["id"]
    taken = ada("cancel", sent[:9], "--json").json["id"]
    assert ada("cancel", sent, "--json").json["id"] == taken
    shown = {m["id"]: (m["text"], m["cancels"]) for m in ada("inbox", "--json").json["messages"]}
    assert (shown[sent], shown[taken]) == (("the mill is on fire", ""), ("✖ the mill is on fire", sent))
    ordinary = ada("send", "Bo", "soup is ready", "--json").json["id"]
    for id, why in ((ordinary, "only an emergency"), (taken, "only an emergency"), ("ffff", "no message here")):
        ran = ada("cancel", id)
        assert (ran.code, why in ran.err) == (1, True)


def test_the_text_comes_from_standard_input(ada: Commands, bo: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, "Grüße\nzwei Zeilen\n".encode())
    sent = ada("send", "Bo", "--wait", "delivered", "--timeout", "180", "--json").json
    texts = {m["id"]: m["text"] for m in bo("inbox", "--json").json["messages"]}
    assert texts[sent["id"]] == "Grüße\nzwei Zeilen"


@pytest.mark.parametrize("typed", [b"", b"\n", b"\xff\xfe"])
def test_what_is_no_text_is_not_sent(ada: Commands, monkeypatch: pytest.MonkeyPatch, typed: bytes) -> None:
    _typed(monkeypatch, typed)
    ran = ada("send", "Bo")
    assert ran.code == 1
    assert ran.err.count("\n") == 1


def test_each_line_is_a_message(ada: Commands, bo: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, b"one\n\ntwo\nthree\n")
    ran = ada("send", "Bo", "--lines", "--wait", "delivered", "--timeout", "180")
    assert ran.code == 0
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert {a["state"] for a in answers} <= {"delivered", "read"}
    texts = {m["id"]: m["text"] for m in bo("inbox", "--json").json["messages"]}
    assert sorted(texts[a["id"]] for a in answers) == ["one", "three", "two"]


def test_lines_are_posted_in_order(ada: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, b"first\nsecond\n")
    answers = [json.loads(line) for line in ada("post", "market", "--lines").out.splitlines()]
    assert len(answers) == 2
    shown = [m["text"] for m in ada("inbox", "--channel", "market", "--json").json["messages"]]
    assert shown[-2:] == ["first", "second"]


def test_a_post_joins_the_channel(ada: Commands) -> None:
    posted = ada("post", "weather", "rain at noon", "--json").json
    assert posted["state"] in ("written", "kept", "on_air", "carried")
    assert "weather" in [c["name"] for c in ada("channel", "list", "--json").json["channels"]]
    mine = ada("inbox", "--channel", "weather", "--json").json["messages"]
    assert [(m["from"], m["channel"], m["text"]) for m in mine] == [("Ada", "weather", "rain at noon")]
    left = ada("channel", "leave", "weather", "--json").json["channels"]
    assert "weather" not in [c["name"] for c in left]


def test_the_same_request_is_the_same_message(homes: list[Path]) -> None:
    request = requests.SendRequest(contact="Bo", text="once", request_id="0f" * 16)
    first = question.ask(homes[0] / "control.sock", request, replies.StateReply)
    again = question.ask(homes[0] / "control.sock", request, replies.StateReply)
    assert first.id == again.id


def test_not_yet_delivered_exits_4(ada: Commands, bo: Commands, tmp_path: Path) -> None:
    stranger = ada.bare("init", "--name", "Zoe", "--json", "--home", str(tmp_path / "zoe")).json["invite"]
    ada("contact", "add", stranger)
    ran = ada("send", "Zoe", "are you there?", "--wait", "delivered", "--timeout", "0.1", "--json")
    assert ran.code == 4
    assert ran.json["waiting_for"] == "key of Zoe"
    waiting = ada("queue", "--json").json["queue"]
    assert ("message", "key of Zoe") in [(one["kind"], one["waits_for"]) for one in waiting]
    assert "key of Zoe" in ada("queue").out
    ran = ada("trace", "Zoe", "--timeout", "0.1", "--json")
    assert (ran.code, ran.json["path"]) == (4, [])
    ada("contact", "remove", "Zoe")


def test_a_blocked_contact_is_not_written_to(ada: Commands) -> None:
    ada("contact", "block", "Bo")
    ran = ada("send", "Bo", "hello")
    ada("contact", "unblock", "Bo")
    assert ran.code == 1
    assert "blocked" in ran.err


def test_status_on_one_screen_and_as_json(ada: Commands) -> None:
    neighbour(ada)
    status = ada("status", "--json").json
    promised = "version persona uptime_s interface overlay neighbours counts airtime store clock"
    assert set(promised.split()) <= status.keys()
    assert {"name", "driver", "state"} <= status["interface"].keys()
    assert {"backend", "address", "public_key", "peers"} <= status["overlay"].keys()
    assert {"logs", "blocks", "envelopes", "chunks"} <= status["counts"].keys()
    assert status["mesh"] == "valley"
    assert {"node", "address", "carrier", "last_heard_s"} <= status["neighbours"][0].keys()
    shown = ada("status").out
    assert "valley (closed)" in shown
    assert len(shown.splitlines()) < 25


def test_neighbours_peers_queue_devices(ada: Commands) -> None:
    assert neighbour(ada)["bound"]
    assert "both ways" in ada("neighbours").out
    assert "sessions" in ada("peers", "--json").json
    assert "queue" in ada("queue", "--json").json
    devices = ada("device", "list", "--json").json["devices"]
    assert [(d["own"], d["revoked"]) for d in devices] == [(True, False)]
    assert ada("device", "revoke", "zz").code == 1
    for words in (
        ("peers",),
        ("queue",),
        ("device", "list"),
        ("peer", "list"),
        ("channel", "list"),
        ("contact", "list"),
    ):
        assert ada(*words).code == 0, words


def test_without_an_overlay_there_is_nothing_to_peer(ada: Commands) -> None:
    ran = ada("peer", "add", "tls://192.0.2.7:443")
    assert ran.code == 1
    assert "overlay" in ran.err


def test_trace_shows_the_way(ada: Commands) -> None:
    traced = ada("trace", "Bo", "--timeout", "180", "--json")
    assert traced.code == 0
    assert [set(hop) for hop in traced.json["path"]] == [{"node", "carrier", "rtt_ms"}]


def test_membership_is_handed_on_aloud(ada: Commands, tmp_path: Path) -> None:
    ran = ada("mesh", "invite", "--json")
    assert ran.json["mesh"] == "valley"
    assert "membership" in ran.err
    joining = Commands(tmp_path / "cy", ada._capture)
    joining("init", "--name", "Cy")
    assert joining("mesh", "join", ran.json["uri"]).code == 3
    refused = ada("mesh", "join", ada("invite", "--json").json["uri"])
    assert refused.code == 1
    assert "contact add" in refused.err


def test_another_command_cannot_take_the_home(ada: Commands) -> None:
    assert ada("init").code == 1
    ran = ada("run", "--interface", "lo", "--overlay", "none")
    assert ran.code == 1
    assert "Another meshnode" in ran.err


def test_doctor_of_a_running_node(ada: Commands) -> None:
    ran = ada("doctor", "--json")
    assert {c["name"] for c in ran.json["checks"]} >= {
        "home",
        "config",
        "store",
        "interface",
        "overlay",
        "clock",
        "disk",
    }


def test_watch_begins_with_ready_and_misses_none(homes: list[Path], ada: Commands) -> None:
    begun = ada("inbox", "--json").json["cursor"]
    ids = [ada("post", "square", f"post {number}", "--json").json["id"] for number in range(3)]

    async def watched() -> list[notices.Notice]:
        seen: list[notices.Notice] = []
        async with client.connect(homes[0] / "control.sock") as connection:
            stream = connection.stream(requests.WatchRequest(since=begun))
            async for notice in stream:
                seen.append(notice)
                if sum(isinstance(one, notices.MessageNotice) for one in seen) == len(ids):
                    break
            await stream.aclose()
        return seen

    seen = trio.run(watched)
    assert isinstance(seen[0], notices.ReadyNotice)
    assert [one.id for one in seen if isinstance(one, notices.MessageNotice)] == ids
    assert ada("watch", "--since", "soon").code == 1


def test_the_inbox_by_pages(ada: Commands) -> None:
    for number in range(3):
        ada("post", "pages", f"page {number}")
    newest = ada("inbox", "--channel", "pages", "--limit", "2", "--json").json
    assert [m["text"] for m in newest["messages"]] == ["page 1", "page 2"]
    assert ada("inbox", "--channel", "pages", "--since", newest["cursor"], "--json").json["messages"] == []
    first = ada("inbox", "--channel", "pages", "--since", "0", "--limit", "2", "--json").json
    assert len(first["messages"]) == 2
    rest = ada("inbox", "--channel", "pages", "--since", first["cursor"], "--json").json
    assert [m["text"] for m in (*first["messages"], *rest["messages"])] == ["page 0", "page 1", "page 2"]
    assert ada("inbox", "--channel", "pages", "--since", rest["cursor"], "--json").json["messages"] == []
    assert "page 2" in ada("inbox", "--channel", "pages").out


def test_capture_writes_our_frames_opened(homes: list[Path], ada: Commands, tmp_path: Path) -> None:
    file = tmp_path / "valley.pcapng"

    async def captured() -> None:
        async with client.connect(homes[0] / "control.sock") as connection:
            stream = connection.stream(requests.CaptureRequest(path=str(file)))
            posted = False
            async for _ in stream:
                if not posted:
                    await trio.to_thread.run_sync(lambda: ada("post", "square", "seen by members"))
                    posted = True
                if b"seen by members" in (seen := file.read_bytes()) and b"heard from " in seen:
                    break
            await stream.aclose()

    trio.run(captured)
    data = file.read_bytes()
    assert data[:4] == bytes.fromhex("0a0d0d0a")
    assert b"sent to " in data
    assert ada("capture", "/nowhere/x.pcapng").code == 1


def test_a_node_from_start_to_end(tmp_path: Path) -> None:
    """The installed program: ready, then notices; SIGTERM ends it, watchers are told, Ctrl-C ends a watcher."""
    home = str(tmp_path / "home")
    program = [sys.executable, "-m", "meshnode"]
    subprocess.run([*program, "init", "--home", home], check=True, capture_output=True)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    run = [*program, "run", "--home", home, "--interface", "lo", "--overlay", "none", "--json"]
    watch = [*program, "watch", "--home", home]
    with subprocess.Popen(run, **pipes) as node:
        assert json.loads(node.stdout.readline())["event"] == "ready"
        with subprocess.Popen(watch, **pipes) as staying, subprocess.Popen(watch, **pipes) as leaving:
            assert json.loads(staying.stdout.readline())["event"] == "ready"
            assert json.loads(leaving.stdout.readline())["pid"] == node.pid
            leaving.send_signal(signal.SIGINT)
            assert leaving.wait(60) == 0
            node.send_signal(signal.SIGTERM)
            assert node.wait(60) == 0
            assert json.loads(node.stdout.read().splitlines()[-1])["event"] == "stopped"
            assert staying.wait(60) == 0
            assert json.loads(staying.stdout.read().splitlines()[-1])["event"] == "stopped"


def test_ctrl_c_ends_reading_lines_cleanly(homes: list[Path]) -> None:
    words = [sys.executable, "-m", "meshnode", "post", "square", "--lines", "--home", str(homes[0])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdin.write(b"one more\n")
        ran.stdin.flush()
        assert b'"id"' in ran.stdout.readline()
        ran.send_signal(signal.SIGINT)
        assert ran.wait(timeout=60) == 130
        assert ran.stderr.read() == b""


def test_a_text_too_long_for_one_request_is_refused_before_it_is_sent(ada: Commands) -> None:
    ran = ada("send", "Bo", "x" * 2_000_000)
    assert (ran.code, ran.out) == (1, "")
    assert "longer than a node takes" in ran.err


def test_a_line_that_is_refused_ends_it_and_those_before_it_are_kept(
    ada: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    _typed(monkeypatch, b"before\n" + b"x" * 5000 + b"\nafter\n")
    ran = ada("send", "Bo", "--lines")
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 1
    assert ran.err.count("\n") == 1
    assert "at most" in ran.err


def test_watching_ends_when_its_reader_leaves(homes: list[Path]) -> None:
    words = [sys.executable, "-m", "meshnode", "watch", "--home", str(homes[0])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        assert b'"ready"' in ran.stdout.readline()
        ran.stdout.close()
        assert ran.wait(timeout=60) == 0
        assert ran.stderr.read() == b""


def test_a_mesh_invite_may_come_from_standard_input(ada: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    _typed(monkeypatch, ada("mesh", "invite", "--json").json["uri"].encode() + b"\n")
    assert ada("mesh", "join").code == 0


def test_a_mesh_secret_is_renewed(ada: Commands, bo: Commands) -> None:
    ran = ada("mesh", "renew", "--json", "--words")
    assert (ran.json["mesh"], ran.json["number"]) == ("valley", 1)
    assert ran.err.count("\n") == 2
    held = bo("mesh", "join", ran.json["words"], "--json").json
    assert held["secrets"] == [{"number": 0, "current": True}, {"number": 1, "current": False}]
    assert "understood" in ada("mesh", "secrets").out
    for member in (ada, bo):
        assert member("mesh", "use", "1").code == 0
        assert member("mesh", "drop", "0", "--json").json["secrets"] == [{"number": 1, "current": True}]
    assert ada("mesh", "drop", "1").code == 1


def test_channels_begin_and_end(ada: Commands) -> None:
    assert "harvest" in ada("channel", "create", "harvest").out
    again = ada("channel", "create", "harvest")
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "harvest" not in ada("channel", "leave", "harvest").out
    gone = ada("channel", "leave", "harvest")
    assert gone.code == 1
    assert "no channel called 'harvest'" in gone.err
