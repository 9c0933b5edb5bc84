"""Sessions over a lossy radio: records arrive whole, once and in order, or the session ends."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from meshnode_sim.agenda import AIR, SECOND_NS, Agenda
from meshnode_sim.streams import LOW_WATER, OVERLAY, RADIO, Lines, Manner, Streams

FLIGHT_NS = 5_000_000


class Pipe:
    """Two nodes, and packets that take five milliseconds or get lost."""

    def __init__(self, loss: float = 0.0, manner: Manner = RADIO) -> None:
        self.agenda = Agenda()
        self.told: list[tuple[Any, ...]] = []
        self.records: list[bytes] = []
        self.octets = 0
        self.sizes: list[int] = []
        self.loss = loss
        self._chance = Random(4)
        self.streams = Streams(
            self.agenda,
            Lines(
                send=self._send,
                opened=lambda node, session, other, called: self.told.append(("opened", node, session, other, called)),
                failed=lambda node, other: self.told.append(("failed", node, other)),
                arrived=lambda node, session, data, other: self.records.append(data),
                writable=lambda node, session, queued: self.told.append(("writable", node, queued <= LOW_WATER)),
                ended=lambda node, session: self.told.append(("ended", node)),
            ),
            manner,
        )

    def _send(self, src: int, dst: int, packet: bytes, octets: int) -> bool:
        self.octets += octets
        self.sizes.append(octets)
        if self._chance.random() >= self.loss:
            at = self.agenda.now_ns + FLIGHT_NS
            self.agenda.at(at, AIR, dst, lambda: self.streams.arrived(dst, packet))
        return True

    def opened(self) -> int:
        """Calls, and gives the number of the session at node 0."""
        self.streams.dial(0, 1)
        self.run(10)
        return next(said[2] for said in self.told if said[:2] == ("opened", 0))

    def run(self, seconds: float) -> None:
        self.agenda.run(self.agenda.now_ns + round(seconds * SECOND_NS))

    def words(self) -> list[str]:
        return [said[0] for said in self.told]


def test_both_ends_learn_of_each_other() -> None:
    pipe = Pipe()
    pipe.opened()
    assert [said[:2] + said[3:] for said in pipe.told] == [("opened", 0, 1, True), ("opened", 1, 0, False)]


def test_a_second_call_comes_to_nothing() -> None:
    pipe = Pipe()
    pipe.streams.dial(0, 1)
    pipe.streams.dial(1, 0)
    pipe.run(5)
    assert pipe.words() == ["opened", "opened"]


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_records_arrive_once_and_in_order(loss: float) -> None:
    pipe = Pipe(loss)
    session = pipe.opened()
    sent = [bytes([n]) * (1 + 700 * n) for n in range(20)]
    for record in sent:
        pipe.streams.send(0, session, record)
    pipe.run(100)
    assert pipe.records == sent
    assert pipe.octets > sum(len(record) + 19 for record in sent)


def test_a_long_queue_is_announced_once_it_is_short() -> None:
    pipe = Pipe()
    session = pipe.opened()
    pipe.streams.send(0, session, bytes(60_000))
    pipe.run(10)
    assert ("writable", 0, True) in pipe.told
    assert pipe.words().count("writable") == 1


def test_hanging_up_waits_for_what_was_sent() -> None:
    pipe = Pipe()
    session = pipe.opened()
    pipe.streams.send(0, session, b"last words")
    pipe.streams.hangup(0, session)
    pipe.run(1)
    assert pipe.records == [b"last words"]
    assert pipe.words()[2:] == ["ended", "ended"]
    pipe.streams.send(0, session, b"too late")
    pipe.run(1)
    assert pipe.records == [b"last words"]


def test_an_idle_session_ends_after_a_minute() -> None:
    pipe = Pipe()
    pipe.opened()
    pipe.run(45)
    assert "ended" not in pipe.words()
    pipe.run(20)
    assert pipe.words().count("ended") == 2


def test_nobody_answers() -> None:
    pipe = Pipe(loss=1.0)
    pipe.streams.dial(0, 1)
    pipe.run(14)
    assert pipe.told == []
    pipe.run(20)
    assert pipe.told == [("failed", 0, 1)]


def test_a_session_whose_far_end_lost_power_stalls() -> None:
    pipe = Pipe()
    session = pipe.opened()
    pipe.streams.power_off(1)
    pipe.streams.send(0, session, b"are you there?")
    pipe.run(20)
    assert "ended" not in pipe.words()
    pipe.run(60)
    assert pipe.told[-1] == ("ended", 0)
    assert pipe.records == []


def test_a_session_over_the_overlay_stays_and_asks_until_nobody_answers() -> None:
    pipe = Pipe(manner=OVERLAY)
    pipe.opened()
    pipe.run(1_000)
    assert "ended" not in pipe.words()
    pipe.streams.power_off(1)
    pipe.run(300)
    assert [said for said in pipe.told if said[0] == "ended"] == [("ended", 0)]


def test_who_calls_again_over_the_overlay_ends_what_was_left() -> None:
    pipe = Pipe(manner=OVERLAY)
    pipe.opened()
    pipe.streams.power_off(1)
    pipe.streams.dial(1, 0)
    pipe.run(2)
    assert pipe.words() == ["opened", "opened", "ended", "opened", "opened"]


def test_packets_over_the_overlay_have_its_mtu() -> None:
    pipe = Pipe(manner=OVERLAY)
    pipe.streams.send(0, pipe.opened(), bytes(5_000))
    pipe.run(5)
    assert max(pipe.sizes) == 1_280
    assert pipe.records == [bytes(5_000)]
