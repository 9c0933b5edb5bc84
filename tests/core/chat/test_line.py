"""The line of first messages: bounded, in turns, and nobody fills it alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chat.line import Line

ROOM = 12
HOPS = (b"", b"a", b"b", b"c")


def test_hops_take_turns() -> None:
    line = Line(ROOM)
    for hop, data in ((b"a", b"1"), (b"a", b"2"), (b"a", b"3"), (b"b", b"4"), (b"c", b"5")):
        assert line.put(hop, data)
    assert [line.take() for _ in range(5)] == [b"1", b"4", b"5", b"2", b"3"]
    assert not line


def test_who_fills_the_line_makes_room_for_others() -> None:
    line = Line(ROOM)
    assert [line.put(b"a", bytes([n])) for n in range(ROOM + 1)] == [True] * ROOM + [False]
    assert not line.put(b"b", b"late"), "one was turned away: the last of the first hop"
    assert len(line) == ROOM
    taken = [line.take() for _ in range(ROOM)]
    assert taken == [b"\0", b"late", *(bytes([n]) for n in range(1, ROOM - 1))]


@given(st.lists(st.sampled_from(HOPS), max_size=60), st.lists(st.sampled_from(HOPS), max_size=60))
def test_each_hop_has_its_share_whatever_the_others_do(before: list[bytes], after: list[bytes]) -> None:
    line = Line(ROOM)
    mine = [bytes([n]) for n in range(ROOM // (len(HOPS) + 1))]
    for hop in before:
        line.put(hop, b"?")
        assert len(line) <= ROOM
    for data in mine:
        line.put(b"me", data)
    for hop in after:
        line.put(hop, b"?")
    first = [line.take() for _ in range(min(len(line), (len(HOPS) + 1) * len(mine)))]
    assert [data for data in first if data in mine] == mine
