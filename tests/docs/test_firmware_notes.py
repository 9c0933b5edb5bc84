"""Every chip that hardware/ knows has a page of firmware notes with the same parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.board.profile import boards

NOTES = Path(__file__).parents[2] / "firmware-notes"
PAGES = sorted(path for path in NOTES.glob("*.md") if path.name != "README.md")
PARTS = ["Versions", "Firmware and board files", "Options that matter", "Quirks", "Known issues", "How to flash"]
PARTS += ["How to verify", "What we have not seen ourselves"]


def test_every_chip_and_special_driver_has_its_page() -> None:
    chips = {board.chip for board in boards() if board.chip}
    assert {path.stem for path in PAGES} == chips | {"mm81x", "warthog"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_has_all_parts_in_order(path: Path) -> None:
    text = path.read_text()
    places = [text.index(f"\n## {part}") for part in PARTS]
    assert places == sorted(places)


def test_the_index_names_every_page() -> None:
    index = (NOTES / "README.md").read_text()
    assert all(f"({path.name})" in index for path in PAGES)


def test_what_boards_cite_stands_on_a_page() -> None:
    """An issue that a profile names is found again, by its repository and number, in the notes."""
    text = " ".join(path.read_text() for path in PAGES)
    for issue in {issue for board in boards() for issue in board.issues}:
        repository, _, number = issue.partition("#")
        assert f"#{number}" in text, issue
        assert repository in text, issue
