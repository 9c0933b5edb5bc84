"""What commands print: columns, units, and words from the air that must not move the terminal."""

from __future__ import annotations

import json

import pytest

from meshnode.cli import say


def test_control_and_direction_characters_are_shown_not_obeyed() -> None:
    assert say.plain("a\x1b[2Jb\u202ec\nd\x9b") == "a\\x1b[2Jb\\u202ec\\nd\\x9b"
    assert say.plain("two\nlines", lines=True) == "two\nlines"
    assert say.plain("Grüße 👩\u200d👧 здравствуй") == "Grüße 👩\u200d👧 здравствуй"


def test_json_holds_the_same_text_and_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a\x1b[2J\x9b2Jb\u202ec\u2066\u2028d\x7f\ufeff Grüße 👩\u200d👧"
    say.line({"text": text})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"text": text}
    assert shown.endswith(' Grüße 👩\u200d👧"}\n')
    assert say.plain(shown, lines=True) == shown


def test_a_table_lines_up_wide_letters() -> None:
    assert say.table(("A", "B"), [("日本", 1), ("x", 22)], "none") == ["A     B", "日本  1", "x     22"]
    assert say.table(("A",), [], "none yet") == ["none yet"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (1e6, "12 d")])
def test_spans(seconds: float, text: str) -> None:
    assert say.ago(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(12, "12 B"), (1_500, "1.5 kB"), (2e6, "2.0 MB"), (3e9, "3.0 GB")])
def test_sizes(count: float, text: str) -> None:
    assert say.size(count) == text
