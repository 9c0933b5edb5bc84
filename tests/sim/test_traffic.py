"""Who writes what when: as told, as drawn, as a file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.scenario import Scenario, parse
from meshnode_sim.traffic import Word, contacts_of, plan, until

HEAD = '[topology]\nshape = "line"\nnodes = 6\n'
HOUR = 3600 * SECOND_NS


def near(node: int, most: int) -> list[int]:
    return sorted((other for other in range(6) if other != node), key=lambda other: (abs(other - node), other))[:most]


def planned(text: str, until_ns: int = HOUR, folder: Path = Path()) -> list[Word]:
    return plan(parse(HEAD + text), until_ns, near, folder)


def poisson(more: str = "") -> str:
    return f'[[traffic]]\npattern = "poisson"\nevery_s = 60\n{more}\n'


def test_actions_that_write_are_words() -> None:
    words = planned(
        '[[actions]]\nat_s = 3\ndo = "post"\nnode = "B"\ntext = "hi"\n'
        '[[actions]]\nat_s = 1\ndo = "send"\nnode = "A"\nto = "C"\ntext = "n"\nevery_s = 2.5\ntimes = 2\n'
    )
    assert [(word.at_ns / SECOND_NS, word.writer, word.to, word.text) for word in words] == [
        (1.0, 0, 2, "n 0"),
        (3.0, 1, -1, "hi"),
        (3.5, 0, 2, "n 1"),
    ]


def test_poisson_has_its_mean_and_never_goes_beyond_the_end() -> None:
    words = planned(poisson(), until_ns=10 * HOUR)
    assert abs(len(words) - 6 * 600) < 4 * 60  # four standard deviations
    assert all(0 <= word.at_ns <= 10 * HOUR and word.to != word.writer for word in words)
    assert words == sorted(words)


def test_only_within_the_given_time_and_to_the_nearest() -> None:
    words = planned(poisson('start_s = 600\nend_s = 1200\nnearest = 2\nwriters = ["A"]'))
    assert words
    assert {word.writer for word in words} == {0}
    assert {word.to for word in words} == {1, 2}
    assert all(600 <= word.at_ns / SECOND_NS <= 1200 for word in words)


def test_a_second_table_moves_no_word_of_the_first() -> None:
    alone, both = planned(poisson()), planned(poisson() + '[[traffic]]\npattern = "schedule"\nat_s = [5]\n')
    assert set(alone) < set(both)
    assert len(both) == len(alone) + 6


def test_a_longer_run_begins_with_the_words_of_a_shorter_one() -> None:
    assert planned(poisson(), HOUR) == [word for word in planned(poisson(), 3 * HOUR) if word.at_ns <= HOUR]


def test_another_seed_gives_other_words() -> None:
    assert planned(poisson()) != plan(parse("seed = 2\n" + HEAD + poisson()), HOUR, near, Path())


def test_messages_of_another_simulator(tmp_path: Path) -> None:
    (tmp_path / "events.txt").write_text("# made elsewhere\n1.5 C M1 0 5 20\n\n2 C M2 B A 4\n3 C M3 p1 p2 2kiB\n")
    words = planned('[[traffic]]\npattern = "replay"\nfile = "events.txt"\n', folder=tmp_path)
    assert [(word.at_ns, word.writer, word.to, len(word.text)) for word in words] == [
        (1_500_000_000, 0, 5, 20),
        (2_000_000_000, 1, 0, 4),
        (3_000_000_000, 1, 2, 2048),
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("3 C M1 0 1 20\n2 C M2 0 1 20", r":2: time goes back from 3 to 2 s"),
        ("x C M1 0 1 20", r":1: x is no time"),
        ("-1 C M1 0 1 20", r":1: -1 is no time of a run"),
        ("nan C M1 0 1 20", r":1: nan is no time"),
        ("1 C M1 0 9 20", r":1: there is no node 9 among 6"),
        ("1 C M1 0 1 big", r":1: big is no size"),
        ("1 C M1 0 1 \u00b2", r":1: \u00b2 is no size"),
        ("1 C M1 0 1 " + "9" * 5000, r":1: 9999"),
        ("1 D M1 0 1 20", r":1: a message is"),
    ],
)
def test_a_bad_event_is_one_sentence_with_its_line(tmp_path: Path, lines: str, why: str) -> None:
    (tmp_path / "events.txt").write_text(lines)
    with pytest.raises(ConfigError, match=why):
        planned('[[traffic]]\npattern = "replay"\nfile = "events.txt"\n', folder=tmp_path)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        planned('[[traffic]]\npattern = "replay"\nfile = "none.txt"\n', folder=tmp_path)
    with pytest.raises(UsageError, match="somebody to write to"):
        planned(poisson('writers = ["A"]\nto = ["A"]'))


def test_more_words_than_a_run_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshnode_sim.traffic.MOST_WORDS", 100)
    with pytest.raises(UsageError, match="more than 100 words"):
        planned(poisson())


def _scenario(nodes: int, more: str = "") -> Scenario:
    return parse(f'[topology]\nshape = "line"\nnodes = {nodes}\n{more}')


def test_everybody_is_a_contact_where_few_are_and_else_whoever_is_written_to() -> None:
    assert len(contacts_of(_scenario(4), [])) == 12
    assert contacts_of(_scenario(100), [Word(0, 3, 9, ""), Word(0, 3, -1, ""), Word(0, 9, 3, "")]) == [(3, 9), (9, 3)]
    assert contacts_of(_scenario(100, '[mesh]\ncontacts = [["A", "B"]]\n'), []) == [(0, 1)]


def test_when_a_run_ends() -> None:
    assert until(_scenario(2), None) == HOUR
    assert until(parse("for_s = 60\n" + HEAD), None) == 60 * SECOND_NS
    assert until(parse("for_s = 60\n" + HEAD), 5) == 5
