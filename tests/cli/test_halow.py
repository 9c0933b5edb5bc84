"""`meshnode halow`: shown, written, and taken back, by command, on a board as its tree shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshnode.cli import app
from support.sysfs import BOARDS, plug


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plug(tmp_path / "sys", BOARDS["openmanet-mm8108-spi"])
    (tmp_path / "boot/firmware").mkdir(parents=True)
    (tmp_path / "boot/firmware/config.txt").write_text("arm_64bit=1\n")
    (tmp_path / "key").write_text("soup is ready\n")
    return tmp_path


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for place in ("etc", "boot", "var")
        for path in (root / place).rglob("*")
        if path.is_file()
    }


def test_setup_shows_writes_and_takes_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, dict[str, object], str]:
        code = app.run(["halow", "setup", "--root", str(root), "--json", *words])
        said = capsys.readouterr()
        return code, json.loads(said.out or "{}"), said.err

    chosen = ("--board", "openmanet-mm8108-spi", "--country", "US", "--channel", "42", "--key-file", str(root / "key"))
    before = files(root)
    code, shown, _ = run(*chosen, "--dry-run")
    assert (code, shown["written"], files(root)) == (0, False, before)
    assert "soup" not in json.dumps(shown)
    code, said, _ = run(*chosen)
    assert (code, said["written"], said["enabled"]) == (0, True, False)
    assert said["files"] == shown["files"]
    now = files(root)
    assert 'sae_password="soup is ready"' in now["etc/meshnode/halow.conf"]
    assert now["boot/firmware/config.txt"] == "arm_64bit=1\n[all]\ndtoverlay=mm810x-spi\n"
    assert run("--undo", "--dry-run")[1]["written"] is False
    assert files(root) == now
    assert run("--undo")[1]["written"] is True
    assert files(root) == before
    assert run("--undo")[1] == {"files": [], "written": False}


def test_nothing_is_assumed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*words: str) -> str:
        assert app.run(["halow", *words, "--root", str(root)]) == app.FAILED
        return capsys.readouterr().err

    assert "say where the radio is" in refusal("setup")
    assert "name your board" in refusal("setup", "--country", "US", "--interface", "wlan7")
    assert "choose a channel" in refusal("setup", "--country", "US", "--board", "openmanet-mm8108-spi")
    assert "needs a key" in refusal("hotspot")
    assert "no built-in Wi-Fi" in refusal("hotspot", "--key-file", str(root / "key"))


def test_hotspot_and_setup_are_taken_back_apart(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(root)
    words = ["halow", "hotspot", "--root", str(root), "--interface", "wlan0"]
    assert app.run([*words, "--key-file", str(root / "key"), "--welcome"]) == 0
    said = capsys.readouterr().out
    assert "address=/#/10.43.0.1" in said, "shown before"
    assert "enable meshnode-hotspot.service meshnode-hotspot-names.service" in said
    assert "[web] in config.toml" in said
    assert app.run(["halow", "setup", "--root", str(root), "--undo"]) == 0
    assert "nothing of ours" in capsys.readouterr().out
    assert app.run([*words, "--undo"]) == 0
    assert files(root) == before
