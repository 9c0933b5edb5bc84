"""The installed program and what it is connected to: odd locales, full disks, closed ends, bytes that are no text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import Commands

BO = "mesh:cagndivqegz244zkkyjwpyh5qkc73nuil7snm332xf4yhs7bmvngyuascn7gqz7ro"


def program(home: Path, words: list[str | bytes], **options: object) -> subprocess.CompletedProcess[bytes]:
    plain = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = [sys.executable, "-m", "meshnode", *words]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, env={**plain, **options.pop("env", {})}, check=False, **options)


@pytest.fixture
def home(meshnode: Commands) -> Path:
    assert meshnode("init", "--name", "Zoë").code == 0
    assert meshnode("contact", "add", BO, "--name", "Bö").code == 0
    return meshnode.home


def test_it_speaks_utf_8_in_any_locale(home: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for form in ([], ["--json"]):
        ran = program(home, ["contact", "list", "--home", str(home), *form], env=ascii_only)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert "Bö" in ran.stdout.decode()
    ran = program(home, ["contact", "rename", "Bö", "Bø".encode(), "--home", str(home)], env=ascii_only)
    assert ran.stdout.decode().startswith("Bø renamed")


def test_an_answer_that_cannot_be_written_is_one_sentence(home: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = program(home, ["contact", "list", "--home", str(home)], stdout=full)
    assert ran.returncode == 1
    assert ran.stderr.decode().startswith("meshnode: the answer cannot be written (No space left on device)")
    assert ran.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [["contact", "rename", "B", b"\xff"], ["send", b"\xff", "hi"], [b"\xff"]])
def test_words_that_are_no_text_are_wrong_words(home: Path, words: list[str | bytes]) -> None:
    ran = program(home, words)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.count(b"\n") == 1
    assert b"Traceback" not in ran.stderr


def test_a_home_whose_path_is_no_text_is_refused(home: Path) -> None:
    ran = program(home, ["inbox"], env={"MESHNODE_HOME": b"/tmp/\xff"})
    assert ran.returncode == 1
    assert ran.stderr == b"meshnode: the path of the home is not UTF-8 text; choose another\n"


def test_without_standard_input_there_is_no_message(home: Path) -> None:
    shell = f"exec {sys.executable} -m meshnode send Bo --home {home} <&-"
    ran = subprocess.run(["sh", "-c", shell], capture_output=True, check=False)
    assert ran.returncode == 1
    assert b"empty message" in ran.stderr


def test_standard_input_without_an_end_is_refused(home: Path) -> None:
    with open("/dev/zero", "rb") as endless:
        ran = program(home, ["send", "Bo", "--home", str(home)], stdin=endless)
    assert ran.returncode == 1
    assert b"longer than any message" in ran.stderr


def test_what_goes_wrong_does_not_steer_the_terminal(meshnode: Commands) -> None:
    ran = meshnode("why", "\x1b[31m")
    assert ran.code == 3
    ran = meshnode.bare("status", "--home", "/nowhere/\x1b[31m")
    assert "\x1b" not in ran.err


def test_lists_of_commands_say_what_each_does(meshnode: Commands) -> None:
    for words in ((), ("--help",)):
        assert "Send a message to a contact" in meshnode.bare(*words).out
    assert "Give a contact another name" in meshnode.bare("contact", "--help").out


def test_where_nothing_can_be_written_the_exit_code_speaks(home: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = program(home, ["status", "--home", str(home)], stdout=full, stderr=full)
    assert ran.returncode == 3


def test_a_node_goes_on_without_anybody_to_tell(home: Path) -> None:
    words = ["run", "--interface", "none9", "--overlay", "none", "--json", "--home", str(home)]
    program_ = [sys.executable, "-m", "meshnode", *words]
    with open("/dev/full", "wb") as full, subprocess.Popen(program_, stdout=full, stderr=full) as ran:
        while (asked := program(home, ["status", "--json", "--home", str(home)])).returncode == 3:
            assert ran.poll() is None  # it begins
        assert b'"none9"' in asked.stdout
        ran.terminate()
        assert ran.wait(timeout=60) == 0
