"""Every scenario that ships has its sentence and its picture in the guide, and every picture stands alone."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from meshnode_sim import library
from meshnode_sim.cli.app import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "how-to" / "simulate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", library.shipped())
def test_a_scenario_has_its_sentence_and_its_picture(name: str) -> None:
    section = GUIDE.split(f"### {name}\n")[1].split("\n### ")[0]
    assert library.find(name).about in section
    picture = DOCS / "pictures" / f"{name}.svg"
    assert f"(../pictures/{name}.svg)" in section
    drawn = ElementTree.parse(picture).getroot()
    assert drawn.tag.endswith("svg")
    links = re.findall(r'href="([^"]*)"', picture.read_text(encoding="utf-8"))
    assert all(link.startswith(("#", "data:image/png")) for link in links)


def test_every_command_of_the_simulator_is_told() -> None:
    told = GUIDE + (DOCS.parent / "sim" / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"meshnode-sim {name}" in told or f"`{name}`" in told, name
