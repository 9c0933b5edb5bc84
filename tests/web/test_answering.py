"""What a person is told on the page: whole sentences."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import meshnode
from meshnode.web.answering import sentence
from meshnode.web.files import PAGE

REFUSALS = {"RefusedError", "NotSignedInError", "MissingError"}
PARTS = {"strangerBox", "box", "neighbour", "have", "air", "receipts", "key", "read"}  # of what a message waits for


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("the backup is damaged", "The backup is damaged."),
        ("a name is one line of 1 to 64 bytes", "A name is one line of 1 to 64 bytes."),
        ("web.names: x has letters beyond a to z", "web.names: x has letters beyond a to z."),
        ("/media/stick is a directory", "/media/stick is a directory."),
        ("Sign in first.", "Sign in first."),
        ("which one?", "Which one?"),
    ],
)  # fmt: skip
def test_whatever_went_wrong_is_told_as_a_sentence(said: str, told: str) -> None:
    assert sentence(said) == told


def test_every_refusal_begins_with_a_capital_and_ends_with_a_full_stop() -> None:
    found = [
        text for path in Path(meshnode.__file__).parent.rglob("*.py") for text in refusals(ast.parse(path.read_text()))
    ]
    assert len(found) > 30
    assert [text for text in found if not (text[:1].isupper() and text.endswith("."))] == []


def refusals(tree: ast.Module) -> Iterator[str]:
    """The texts of all refusals that are made in a module; a value in one reads {}."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
            match node.args:
                case [ast.Constant(value=str(text))]:
                    yield text
                case [ast.JoinedStr(values=parts)]:
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def test_every_translated_sentence_of_the_box_is_one() -> None:
    for path in (PAGE / "lang").glob("*.json"):
        words = json.loads(path.read_text())
        told = {key: text for key, text in words.items() if key.startswith("said.") and key[5:] not in PARTS}
        assert [key for key, text in told.items() if not text.endswith(".") or text[0].islower()] == [], path.stem
