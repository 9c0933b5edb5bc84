"""The demo itself: it is real, so it takes real seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
import trio

from meshnode.cli import app
from meshnode.demo import play
from meshnode.errors import UsageError
from support.commands import Commands


@pytest.fixture
def meshnode(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(play, "PATIENCE_S", 300.0)  # a person would have given up; a busy machine has not
    return Commands(tmp_path / "home", capsys)


def test_a_message_crosses_four_hops_and_a_power_cut(meshnode: Commands) -> None:
    ran = meshnode("demo", "--json")
    assert ran.code == 0
    assert ran.json["delivered"] is True
    assert ran.json["hops"] == 4
    assert ran.json["latency_s"] > 0
    assert ran.json["bytes_on_air"] > 0
    assert ran.err == ""
    assert list(meshnode.home.parent.iterdir()) == []


def test_it_tells_its_story(meshnode: Commands) -> None:
    ran = meshnode("demo", "--nodes", "3", "--seed", "7")
    assert ran.code == 0
    story = [line.split("  ", 3)[-1] for line in ran.out.splitlines() if " s  " in line]
    for told in ("writes to Cy", "takes custody", "LOSES POWER", "is back", "opens it", "reads it", "state: "):
        assert any(told in line for line in story), told
    assert "Delivered over 2 hops" in ran.out


def test_served_homes_answer_until_the_end(meshnode: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[int] = []

    async def visit(village: play.Village, voice: play.Voice) -> None:
        for home in village.homes:
            words = ["status", "--json", "--home", str(home)]
            answered.append(await trio.to_thread.run_sync(app.run, words))

    monkeypatch.setattr(play, "_serve", visit)
    ran = meshnode("demo", "--nodes", "2", "--serve", "--json")
    assert ran.code == 0
    assert answered == [0, 0]
    assert len(msgspec.json.decode(ran.out.splitlines()[0])["homes"]) == 2
    assert list(meshnode.home.parent.iterdir()) == []


@pytest.mark.parametrize("nodes", [0, 1, 13])
def test_too_few_and_too_many_nodes(nodes: int) -> None:
    with pytest.raises(UsageError, match="2 to 12"):
        trio.run(play.play, nodes, 1, lambda outcome, homes: None)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_served_demo_cleanly(how: signal.Signals, tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "meshnode", "demo", "--nodes", "2", "--serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if "meshnode status --home" in line:
                break
        demo.send_signal(how)
        assert demo.wait(60) == 0
        assert demo.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []
