"""Bodies of the smaller statements: floors and incarnations."""

from __future__ import annotations

import pytest

from meshnode.core.chain.incarnation import NO_BLOCK, Beginning, decode_beginning_untrusted
from meshnode.core.chain.kinds import CHECKPOINT, POST, PREKEY, VOUCH
from meshnode.core.chain.prune import decode_floor_untrusted, encode_floor, touchable
from meshnode.core.ids import PERSON_CHANNEL, BlockId, Incarnation
from meshnode.errors import WireError
from support.chain_fakes import Writer

OLD = Incarnation(b"old1")


def test_a_floor_lies_at_most_at_its_block() -> None:
    assert decode_floor_untrusted(encode_floor(7), 7) == 7
    with pytest.raises(WireError, match="above"):
        decode_floor_untrusted(encode_floor(8), 7)
    with pytest.raises(WireError, match="size"):
        decode_floor_untrusted(b"\0", 7)


def test_what_others_judge_an_author_by_is_untouchable() -> None:
    ann, person = Writer(), Writer(channel=PERSON_CHANNEL)
    assert touchable(ann.log, POST)
    assert not any(touchable(ann.log, kind) for kind in (PREKEY, VOUCH, CHECKPOINT))
    assert not touchable(person.log, POST)


@pytest.mark.parametrize("beginning", [Beginning(OLD), Beginning(OLD, 9, BlockId(b"i" * 32))])
def test_a_beginning_comes_back(beginning: Beginning) -> None:
    assert len(beginning.encode()) == 40
    assert decode_beginning_untrusted(beginning.encode()) == beginning


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        Beginning(OLD, 0, BlockId(b"i" * 32)).encode(),
        Beginning(OLD, 4, NO_BLOCK).encode(),
        Beginning(OLD, 0x800000, BlockId(b"i" * 32)).encode(),
    ],
)
def test_impossible_beginnings_are_refused(bad: bytes) -> None:
    with pytest.raises(WireError):
        decode_beginning_untrusted(bad)
