"""Words carry bytes, and the safety words are the same on both sides and for nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.identity.words import from_words_untrusted, safety_words, to_words
from meshnode.core.ids import PersonaKey, hashed
from meshnode.errors import WireError

KEYS = st.binary(min_size=32, max_size=32).map(PersonaKey)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes((127, 0, 0, 1)), ["lusab", "babad"]),  # the published examples
        (bytes((63, 84, 220, 193)), ["gutih", "tugad"]),
        (bytes((140, 98, 193, 141)), ["mudof", "sakat"]),
        (b"\xff\xff\x00\x00", ["zuzuz", "babab"]),
        (b"", []),
    ],
)
def test_known_words(data: bytes, words: list[str]) -> None:
    assert to_words(data) == words
    assert from_words_untrusted(" ".join(words)) == data


@given(st.binary(max_size=60).filter(lambda data: len(data) % 2 == 0), st.sampled_from([" ", "-", ", ", "\n", ""]))
def test_words_come_back_however_they_are_written(data: bytes, gap: str) -> None:
    written = gap.join(to_words(data))
    for text in (written, written.upper(), written.title()):
        assert from_words_untrusted(text) == data


@pytest.mark.parametrize("text", ["lusa", "lusab babax", "lusabb", "lusabbabab e", "qusab"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(WireError, match=r"word \d+, "):
        from_words_untrusted(text)


@given(KEYS, KEYS)
def test_both_sides_read_the_same_safety_words(a: PersonaKey, b: PersonaKey) -> None:
    assert safety_words(a, b) == safety_words(b, a)
    assert len(safety_words(a, b).split()) == 8


def test_somebody_in_the_middle_shows_other_words() -> None:
    a, b, m = (PersonaKey(hashed(b"test", name)) for name in (b"a", b"b", b"m"))
    assert len({safety_words(a, b), safety_words(a, m), safety_words(m, b), safety_words(a, a)}) == 4
