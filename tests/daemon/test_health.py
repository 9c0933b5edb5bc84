"""Warnings are kept by code, the newest last, and every code that is raised has advice and a place in the manual."""

from __future__ import annotations

import re
from pathlib import Path

from meshnode.core.notices import Warned
from meshnode.daemon.health import ADVICE, KEPT, Health, manual

ROOT = Path(__file__).parents[2]


def test_the_newest_of_each_code_is_kept() -> None:
    now = [5.0]
    health = Health(lambda: now[0])
    assert health.note(Warned("store_full", "first"))
    assert health.note(Warned("part_failed", "second"))
    now[0] = 9.0
    assert health.note(Warned("store_full", "third"))
    assert not health.note(Warned("store_full", "third"))
    assert [(held.code, held.text, held.at) for held in health.held()] == [
        ("part_failed", "second", 5.0), ("store_full", "third", 9.0),
    ]  # fmt: skip
    assert health.held()[0].remedy == ADVICE["part_failed"].remedy


def test_what_is_right_again_is_cleared() -> None:
    health = Health(lambda: 0.0)
    health.note(Warned("store_full", "x"))
    health.clear("store_full")
    health.clear("store_full")
    assert health.held() == ()


def test_unknown_codes_are_kept_within_bounds() -> None:
    health = Health(lambda: 0.0)
    for number in range(3 * KEPT):
        health.note(Warned(f"code_{number}", "x"))
    assert len(health.held()) == KEPT
    assert health.held()[-1].remedy


def test_every_code_that_is_raised_has_advice() -> None:
    raised = set()
    for path in (ROOT / "meshnode").rglob("*.py"):
        raised |= set(re.findall(r"(?:\.warn\(|Warned\()\s*\"([\w-]+)\"", path.read_text()))
    assert raised
    assert raised <= set(ADVICE)


def test_the_manual_is_made_from_the_code() -> None:
    assert (ROOT / "docs/how-to/warnings.md").read_text() == manual()
