"""Words to read aloud: proquints, which carry 16 bits in five letters and need no list and no language.

Each word is consonant-vowel-consonant-vowel-consonant, 4-2-4-2-4 bits: `babab` is 0, `zuzuz` is 65535.
"""

from __future__ import annotations

import re

from meshnode.core.ids import PersonaKey, hashed
from meshnode.errors import WireError

CONSONANTS = "bdfghjklmnprstvz"
VOWELS = "aiou"
WORD_LETTERS = 5

_WORD = re.compile(f"[{CONSONANTS}][{VOWELS}][{CONSONANTS}][{VOWELS}][{CONSONANTS}]")
_SHIFTS = ((12, CONSONANTS), (10, VOWELS), (6, CONSONANTS), (4, VOWELS), (0, CONSONANTS))


def to_words(data: bytes) -> list[str]:
    """One word for each two bytes; `data` has an even length."""
    pairs = (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return ["".join(letters[pair >> shift & (len(letters) - 1)] for shift, letters in _SHIFTS) for pair in pairs]


def from_words_untrusted(text: str) -> bytes:
    """The bytes of words in any case, with any spacing or punctuation between them."""
    spoken = re.findall("[a-z]+", text.lower())
    return b"".join(_pair_untrusted(number, word) for number, word in enumerate(_split(spoken), 1))


def safety_words(a: PersonaKey, b: PersonaKey) -> str:
    """Eight words over both persona keys, the same on either side: equal words mean nobody stands between.

    128 bits: someone in the middle may choose both false keys, and would find a collision of 64 bits in 2^32 tries.
    """
    low, high = sorted((a, b))
    return " ".join(to_words(hashed(b"mn-safety-v1", low + high, 16)))


def _split(spoken: list[str]) -> list[str]:
    """Words written together are cut apart again."""
    words: list[str] = []
    for word in spoken:
        step = WORD_LETTERS if len(word) % WORD_LETTERS == 0 else len(word)
        words.extend(word[i : i + step] for i in range(0, len(word), step))
    return words


def _pair_untrusted(number: int, word: str) -> bytes:
    if not _WORD.fullmatch(word):
        raise WireError(f"word {number}, '{word[:20]}', is not one of ours; check its spelling")
    value = 0
    for letter, (shift, letters) in zip(word, _SHIFTS, strict=True):
        value |= letters.index(letter) << shift
    return value.to_bytes(2, "big")
