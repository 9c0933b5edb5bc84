"""The README's examples run, and it says what must be said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import Commands
from support.villages import village

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks() -> list[str]:
    """The shell blocks."""
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    """All lines of them that call meshnode, as words."""
    lines = [line for block in blocks() for line in block.splitlines() if line.startswith("meshnode ")]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    with village(tmp_path_factory.mktemp("readme"), 2) as running:
        yield running


def test_its_two_commands_are_targets_of_make() -> None:
    targets = re.findall(r"^make ([a-z-]+)", blocks()[0], re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_its_first_mesh_works(homes: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every meshnode command of the README, on two nodes that run: what takes an invite gets a real one."""
    ada, bo = Commands(homes[0], capsys), Commands(homes[1], capsys)
    contact = ada.bare("init", "--name", "Zoe", "--json", "--home", str(tmp_path / "zoe")).json["invite"]
    membership = bo("mesh", "invite", "--json").json["uri"]
    for number, words in enumerate(commands()):
        said = [{"mesh:m...": membership, "mesh:c...": contact}.get(word, word) for word in words[1:] if word != "&"]
        if said[0] == "run":
            assert ada("run", "--help").code == 0
            assert all(option in ada("run", "--help").out for option in said if option.startswith("--"))
        elif said[0] == "init":
            assert ada.bare(*said, "--home", str(tmp_path / f"home{number}")).code == 0
        else:
            assert ada(*said).code == 0, words


@pytest.mark.parametrize(
    "said",
    ["yggdrasil-py", "hears the radio near both ends", "whoever knows its name is in", "deniable", "signed for good"],
)
def test_it_says_what_must_be_said(said: str) -> None:
    assert said in " ".join(README.split())


def test_its_picture_is_of_the_demo_as_it_speaks() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text()
    for words in ("$ make demo", "takes custody", "LOSES POWER", "opens it", "Delivered over 4 hops"):
        assert words in picture, words
