"""The service of systemd: its files are hardened, written below any root, and taken away again."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meshnode.cli import app
from meshnode.cli import service as service_command
from meshnode.core.sealing.mesh import open_mesh
from meshnode.daemon import service
from meshnode.daemon.home import create_home
from meshnode.errors import UsageError

WORST = 2.2  # of systemd-analyze security
PROGRAM = Path("/usr/bin/env")  # any program outside of home directories


def unit(**wishes: object) -> str:
    files = service.plan(service.Wishes(PROGRAM, **wishes))  # type: ignore[arg-type]
    return next(file.text for file in files if file.place == service.UNIT)


def analyzed(text: str, folder: Path) -> float:
    file = folder / service.NAME
    file.write_text(text)
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: scripts/system-packages.sh installs systemd"
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(file)]
    last = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    return float(last.split(": ")[1].split()[0])


@pytest.mark.parametrize("wishes", [{}, {"interface": "wlan1", "overlay": "none", "passphrase_file": PROGRAM}])
def test_the_unit_is_hardened_and_systemd_reads_it(wishes: dict[str, object], tmp_path: Path) -> None:
    text = unit(**wishes)
    assert "@PROGRAM" not in text
    assert analyzed(text, tmp_path) <= WORST
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / service.NAME)], capture_output=True, text=True, check=False
    )
    ours = [line for line in verified.stderr.splitlines() if service.NAME in line]
    assert not ours


def test_what_a_person_wishes_stands_in_the_unit(tmp_path: Path) -> None:
    text = unit(interface="wlan1", overlay="none", passphrase_file=PROGRAM, serial=True)
    assert f"ExecStart={PROGRAM} run --interface wlan1 --overlay none\n" in text
    assert f"LoadCredential=meshnode-passphrase:{PROGRAM}\n" in text
    assert "DeviceAllow=char-ttyUSB rw\n" in text
    assert "LoadCredential" not in unit()
    assert "tty" not in unit()
    for needed in ("Type=notify", "WatchdogSec=", "Restart=always", "StateDirectory=meshnode", "StandardError=journal"):
        assert needed in text


@pytest.mark.parametrize(
    "wishes",
    [
        service.Wishes(Path("/home/ada/.local/bin/meshnode")),
        service.Wishes(Path("/opt/no such/meshnode")),
        service.Wishes(Path("meshnode")),
        service.Wishes(Path("/opt/nothing-here/meshnode")),
        service.Wishes(PROGRAM, interface="not a name"),
        service.Wishes(PROGRAM, passphrase_file=Path("/etc/%h")),
    ],
)
def test_what_systemd_could_not_run_is_refused(wishes: service.Wishes) -> None:
    with pytest.raises(UsageError):
        service.plan(wishes)


def test_a_program_in_a_home_directory_is_refused_and_shown_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "meshnode"
    program.touch()
    monkeypatch.setattr(service_command, "_program", lambda: program)
    assert app.run(["service", "install", "--root", str(tmp_path / "image")]) == 1
    assert "for all users" in capsys.readouterr().err
    assert not (tmp_path / "image").exists()
    assert app.run(["service", "install", "--root", str(tmp_path / "image"), "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "for all users" in shown.err
    assert f"ExecStart={program} " in shown.out
    assert not (tmp_path / "image").exists()


def test_files_are_written_below_a_root_and_taken_away(tmp_path: Path) -> None:
    files = service.plan(service.Wishes(PROGRAM))
    assert not service.present(tmp_path)
    service.write(tmp_path, files)
    service.write(tmp_path, files)
    assert service.present(tmp_path) == [tmp_path / place for place in service.PLACES]
    assert {path.stat().st_mode & 0o777 for path in service.present(tmp_path)} == {0o644}
    assert "u meshnode" in (tmp_path / service.ACCOUNT).read_text()
    assert service.erase(tmp_path) == [tmp_path / place for place in service.PLACES]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_somebody_else_wrote_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / service.UNIT
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Unit]\n")
    with pytest.raises(UsageError, match="not ours"):
        service.write(tmp_path, service.plan(service.Wishes(PROGRAM)))
    assert not (tmp_path / service.RULES).exists()
    assert service.foreign(tmp_path) == [theirs]
    assert service.erase(tmp_path) == []
    assert theirs.read_text() == "[Unit]\n"


def test_a_command_that_fails_says_why() -> None:
    service.call([("true",)])
    with pytest.raises(UsageError, match=r"`ls /nothing-here` failed: .*nothing-here"):
        service.call([("ls", "/nothing-here")])


def test_by_command(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, dict[str, object]]:
        call = [sys.executable, "-c", PATCHED, "service", *words, "--root", str(tmp_path), "--json"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout or "{}")

    code, shown = run("install", "--interface", "wlan1", "--dry-run")
    assert (code, shown["written"]) == (0, False)
    assert "wlan1" in json.dumps(shown)
    assert not list(tmp_path.iterdir())
    code, said = run("install", "--interface", "wlan1")
    assert (code, said["written"], said["started"]) == (0, True, False)
    assert run("status")[1]["installed"] is True
    assert run("remove", "--dry-run")[1]["written"] is False
    assert run("status")[1]["installed"] is True
    assert run("remove")[1]["written"] is True
    assert run("status")[1]["installed"] is False


PATCHED = """
import sys
from pathlib import Path
from meshnode.cli import app, service
service._program = lambda: Path("/usr/bin/env")
sys.exit(app.run(sys.argv[1:]))
"""


def test_the_service_listens_where_its_group_may_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.cli.ask import socket_of
    from meshnode.cli.options import Common, default_home

    home, socket = tmp_path / "lib", tmp_path / "run" / "control.sock"
    socket.parent.mkdir()
    for module in ("daemon.home", "cli.ask", "cli.options"):
        monkeypatch.setattr(f"meshnode.{module}.SERVICE_HOME", home)
        monkeypatch.setattr(f"meshnode.{module}.SERVICE_SOCKET", socket)
    with create_home(home, "Ada", open_mesh("m")) as made:
        assert made.control_socket == home / "control.sock"
        assert made.control_group == ""
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(socket.parent))
        assert made.control_socket == socket
        assert made.control_group == grp.getgrgid(os.getgid()).gr_name
    assert socket_of(Common(home)) == home / "control.sock"
    for variable in ("MESHNODE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    assert default_home() == tmp_path / "own" / "meshnode"
    socket.touch()
    assert socket_of(Common(home)) == socket
    assert default_home() == home
    (tmp_path / "own" / "meshnode").mkdir(parents=True)
    assert default_home() == tmp_path / "own" / "meshnode"
