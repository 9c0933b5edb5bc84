"""Beacons and deltas take a twentieth of the air at most, whatever makes us say them (rule 5.5)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.outbox import Outbox, Outgoing
from meshnode.core.airtime.upkeep import SAVED_S, SHARE, Upkeep
from meshnode.core.context import Context
from meshnode.core.effects import Send
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import NeighbourId
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import Beacon, Change, Delta, EnvelopeFrame, Frame

LINK = "halow0"
BO = NeighbourId(b"bo-bo-")
SLOW = LinkSettings(unicast_bps=150_000, multicast_bps=150_000)
LONGEST_S = airtime_s(400, False, SLOW)


def a_beacon(number: int, changes: int) -> Beacon:
    return Beacon(1, 1, 0, number.to_bytes(8, "big"), bytes(4), (), (Change(bytes(4), 1),) * min(changes, 8))


def a_delta(number: int, changes: int) -> Delta:
    return Delta(number.to_bytes(8, "big"), (Change(bytes(4), 1),) * changes)


class Talker:
    """An outbox that is told to say things, and when what left."""

    def __init__(self) -> None:
        sealer, entropy = SeededSealer(7), SeededEntropy(7)
        self.ctx = Context(new_keys(sealer, entropy), open_mesh("test"), Settings(), sealer, entropy)
        self.ctx.links[LINK] = SLOW
        self.outbox = Outbox(self.ctx)
        self.outbox.seal = lambda link, to, plaintext: ("bo" if to else None, plaintext)
        self.air: list[tuple[float, float, list[Frame]]] = []

    def put(self, frame: Frame, to: NeighbourId | None = None) -> None:
        key = b"beacon" if isinstance(frame, Beacon) else b""
        self.outbox.put(Outgoing(frame, 0, LINK, to, key=key))

    def run(self, until: float) -> None:
        """Flush whenever the outbox wants to, then at that moment."""
        while (due := self.outbox.wakeup()) is not None and due <= until:
            self._flush(max(due, self.ctx.now))
        self._flush(until)

    def _flush(self, now: float) -> None:
        self.ctx.now = now
        self.outbox.flush()
        for effect in self.ctx.out:
            if isinstance(effect, Send):
                taken = airtime_s(len(effect.data) + 29, effect.to is not None, SLOW)
                self.air.append((now, taken, list(decode_frames_untrusted(effect.data))))
        self.ctx.out.clear()


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.01, 0.3, 20.0]), st.booleans(), st.integers(0, 40), st.integers(1, 300)),
        min_size=1,
        max_size=12,
    )
)
def test_upkeep_takes_a_twentieth_of_any_stretch_beyond_what_was_saved(
    story: list[tuple[float, bool, int, int]],
) -> None:
    talker, now = Talker(), 0.0
    for pause, beacons, changes, times in story:
        for number in range(times):
            now += pause / times
            talker.run(now)
            talker.put(a_beacon(number, changes) if beacons else a_delta(number, changes), None if beacons else BO)
    talker.run(now + 1000)
    for place, (begun, _, _) in enumerate(talker.air):
        for end, stretch in _sums(talker.air[place:]):
            assert stretch <= SAVED_S + SHARE * (end - begun) + 2 * LONGEST_S


def _sums(air: list[tuple[float, float, list[Frame]]]) -> list[tuple[float, float]]:
    total, out = 0.0, []
    for at, taken, _ in air:
        total += taken
        out.append((at, total))
    return out


def test_beyond_it_the_newest_beacon_waits_deltas_go_and_talk_is_not_held_up() -> None:
    talker = Talker()
    for _ in range(300):
        talker.put(a_delta(0, 30), BO)
        talker.run(talker.ctx.now + 0.02)
    assert talker.ctx.counters["outbox_upkeep_dropped"]
    spent, words = len(talker.air), EnvelopeFrame(b"words" * 20, 0, 1)
    talker.put(a_beacon(1, 3))
    talker.put(a_beacon(2, 3))
    talker.outbox.put(Outgoing(words, 2, LINK, BO))
    talker.run(talker.ctx.now + 0.02)
    assert [frames for _, _, frames in talker.air[spent:]] == [[words]]
    assert talker.outbox.holds(b"beacon")
    talker.run(talker.ctx.now + 10)
    assert [frames for _, _, frames in talker.air[spent + 1 :]] == [[a_beacon(2, 3)]]


def test_a_link_that_comes_back_begins_afresh() -> None:
    talker = Talker()
    for _ in range(300):
        talker.put(a_delta(0, 30), BO)
    assert talker.ctx.counters["outbox_upkeep_dropped"]
    talker.outbox.forget_link(LINK)
    talker.put(a_beacon(1, 3))
    talker.run(talker.ctx.now)
    assert talker.air[-1][2] == [a_beacon(1, 3)]


def test_where_little_of_the_hour_is_left_the_share_is_smaller() -> None:
    upkeep, eased = Upkeep(0.0), Upkeep(0.0)
    upkeep.spend(SAVED_S + 1.0, 0.0)
    eased.spend(SAVED_S * 0.1 + 1.0, 0.0, 0.1)
    assert upkeep.wait_s(0.0) == pytest.approx(1.0 / SHARE, abs=0.01)
    assert eased.wait_s(0.0, 0.1) == pytest.approx(10.0 / SHARE, abs=0.01)
    assert eased.wait_s(10.1 / SHARE, 0.1) == 0.0
