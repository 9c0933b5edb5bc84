"""The files of hardware/ are found, and every board file is sound."""

from __future__ import annotations

import tomllib

import pytest

from meshnode import resources


def test_boards_are_found() -> None:
    assert "generic.toml" in [path.name for path in resources.files("boards")]


@pytest.mark.parametrize("path", resources.files("boards"), ids=lambda path: path.stem)
def test_a_board_is_named_like_its_file(path) -> None:
    board = tomllib.loads(path.read_text())
    assert board["name"] == path.stem
    assert board["title"]
    assert 256 <= board["link"]["multicast_payload"] <= board["link"]["unicast_payload"] <= 1200
