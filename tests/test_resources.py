"""The files of hardware/ are found, and what a board's link carries is possible."""

from __future__ import annotations

from meshnode import resources
from meshnode.board.profile import boards


def test_boards_are_found() -> None:
    assert "generic.toml" in [path.name for path in resources.files("boards")]


def test_group_frames_are_never_taken_to_be_larger_than_others() -> None:
    for board in boards():
        assert 256 <= board.link.multicast_payload <= board.link.unicast_payload <= 1200
