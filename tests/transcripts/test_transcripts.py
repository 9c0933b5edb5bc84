"""Every transcript comes out again as it stands. MESHNODE_TRANSCRIPTS=refresh writes them anew: then read the diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.transcript import replayed

HERE = Path(__file__).parent
STORIES = sorted(path.name for path in HERE.glob("*.txt"))


def test_there_are_stories() -> None:
    told = ("binding", "first-message", "session-message", "post", "fork", "parcel", "expiry")
    assert {f"{name}.txt" for name in told} <= set(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_it_comes_out_as_it_stands(story: str) -> None:
    path = HERE / story
    text = path.read_text(encoding="utf-8")
    now = replayed(text)
    if os.environ.get("MESHNODE_TRANSCRIPTS") == "refresh":
        path.write_text(now, encoding="utf-8")
    assert now == text or os.environ.get("MESHNODE_TRANSCRIPTS") == "refresh"
