"""A large parcel on a node that has used four fifths of its legal hour: the law holds, and the promises do too."""

from __future__ import annotations

from itertools import accumulate

import pytest

from meshnode.core.airtime.cost import DATAGRAM, group_packet_ns, packet_ns
from meshnode.core.airtime.s1g import rate_of
from meshnode.core.effects import Effect, Send
from meshnode.core.settings import Law, LinkSettings
from support.trial_world import LINK, Box, TrialWorld

HOUR = 3600.0
SLOW = LinkSettings(unicast_bps=150_000, multicast_bps=150_000, law=Law(duty_ppm=28_000))
ALLOWED_S = 0.028 * HOUR


def airtime_s(send: Send) -> float:
    size = len(send.data) + DATAGRAM
    if send.to is None:
        return group_packet_ns(size, rate_of(SLOW.multicast_bps)) / 1e9
    return packet_ns(size, rate_of(SLOW.unicast_bps)) / 1e9


def worst_hour_s(sent: list[tuple[float, float]]) -> float:
    """The most airtime that any hour holds."""
    before = [0.0, *accumulate(cost for _, cost in sent)]
    worst, first = 0.0, 0
    for last, (at, _) in enumerate(sent):
        while sent[first][0] < at - HOUR:
            first += 1
        worst = max(worst, before[last + 1] - before[first])
    return worst


def used_up(box: Box, share: float) -> float:
    """Seconds of airtime that are booked, as if sent just now."""
    governor = box.node.outbox.laws._governors[LINK]
    booked_s = 0.0
    while governor.used_ns(box.now)[0] < share * governor.allowed_ns:
        governor.sent(1200, unicast=True, now=box.now)
        booked_s += governor.cost(1200, unicast=True) / 1e9
    return booked_s


@pytest.mark.soak
def test_a_large_parcel_at_four_fifths_of_the_hour_waits_and_nothing_else_suffers() -> None:
    world = TrialWorld(1, link=SLOW)
    world.sessions_work = False  # what sessions send the kernel counts, and the host holds back
    a, b = world.line("ab")
    writer = world.add("w")
    for box in (a, b):
        box.knows(writer)
        box.joins()
    writer.joins()
    for number in range(1100):
        writer.post(f"{number:04} " + "x" * 1000)
    parcel = writer.export()
    world.run(60)
    message = a.write(b, "hello")
    assert world.run(60, until=lambda: a.state(message) == "delivered")

    sent = [(world.now, used_up(a, 0.8))]

    def heard(name: str, effect: Effect) -> None:
        if name == "a" and isinstance(effect, Send):
            sent.append((world.now, airtime_s(effect)))

    a.effects_log = heard
    a.import_(parcel)
    assert len(a.posts()) == 1100
    fire = a.post("fire", cls=1)
    assert world.run(10, until=lambda: "fire" in b.posts())
    assert fire
    receipt_wanted = b.write(a, "do you hear me?")
    assert world.run(60, until=lambda: b.state(receipt_wanted) == "delivered"), "a receipt keeps a promise"
    later = a.write(b, "talk")
    world.run(HOUR / 2)
    assert len(b.posts()) < 20, "bulk waits"
    assert a.state(later) == "kept", "and so does talk, for what is left is not its"

    assert world.run(HOUR, until=lambda: a.state(later) == "delivered")
    assert world.run(5 * HOUR, until=lambda: len(b.posts()) == 1101)
    assert worst_hour_s(sent) <= ALLOWED_S
    bulk = [(at, cost) for at, cost in sent[1:] if at > sent[0][0] + HOUR]
    assert worst_hour_s(bulk) <= 0.7 * ALLOWED_S, "a long catch-up leaves the air to others"
