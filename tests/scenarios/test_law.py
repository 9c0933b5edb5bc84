"""The law on whole nodes: talk still crosses a slow line in time, and power cuts do not buy anybody airtime."""

from __future__ import annotations

from dataclasses import replace

from meshnode.core.airtime.cost import DATAGRAM, group_packet_ns, packet_ns
from meshnode.core.airtime.s1g import rate_of
from meshnode.core.effects import Effect, Send
from meshnode.core.inputs import LinkChanged
from meshnode.core.records import EnvelopeRecord
from meshnode.core.settings import Law, LinkSettings
from support.trial_world import LINK, Box, TrialWorld

SLOWEST = LinkSettings(
    unicast_bps=150_000, multicast_bps=150_000, unicast_payload=384, multicast_payload=384, law=Law(duty_ppm=28_000)
)  # 1 MHz at MCS 10, in Europe
WINDOW_S = 600


def airtime_ns(send: Send) -> int:
    size = len(send.data) + DATAGRAM
    rate = rate_of(SLOWEST.unicast_bps)
    return group_packet_ns(size, rate) if send.to is None else packet_ns(size, rate)


def test_a_chat_message_crosses_three_hops_within_a_minute_at_the_slowest_rate() -> None:
    world = TrialWorld(1, loss=0.1, link=SLOWEST)
    world.sessions_work = False
    a, _b, _c, d = world.line("abcd")
    world.run(120)
    for number in range(5):
        message = a.write(d, f"message {number}")
        assert world.run(60, until=lambda: f"message {number}" in d.inbox()), number  # noqa: B023 (called in its turn)
        assert world.run(60, until=lambda: a.state(message) == "delivered")  # noqa: B023


def spend(box: Box, share: float) -> None:
    """That share of the hour's airtime is booked, as if sent just now."""
    governor = box.node.outbox.laws._governors[LINK]
    while governor.used_ns(box.now)[0] < share * governor.allowed_ns:
        governor.sent(384, unicast=True, now=box.now)


def test_with_little_left_of_the_hour_talk_still_crosses_with_fewer_copies_and_beacons() -> None:
    world = TrialWorld(3, link=SLOWEST)
    world.sessions_work = False
    boxes = world.line("abcd")
    a, d = boxes[0], boxes[-1]
    world.run(120)
    assert [box.node.ctx.ease() for box in boxes] == [1.0] * 4
    first = a.write(d, "at ease")
    assert a.disk.every(EnvelopeRecord)[-1].copies == 8
    assert world.run(60, until=lambda: a.state(first) == "delivered")
    for box in boxes:
        spend(box, 0.7)
    message = a.write(d, "are you there?")
    assert a.disk.every(EnvelopeRecord)[-1].copies == 4
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    world.link = replace(SLOWEST, unicast_bps=650_000, multicast_bps=650_000, unicast_payload=1200, law=Law())
    for box in boxes:
        box.feed(LinkChanged(LINK, world.link_of(box.name)))
    assert a.node.ctx.ease() == 1.0, "another law, another rate"


def test_power_cuts_in_the_middle_of_the_hour_buy_no_airtime() -> None:
    law = Law(duty_ppm=28_000, window_s=WINDOW_S)
    world = TrialWorld(2, link=LinkSettings(unicast_bps=150_000, multicast_bps=150_000, law=law))
    world.sessions_work = False
    a, b = world.line("ab")
    sent: list[tuple[float, int]] = []

    def heard(name: str, effect: Effect) -> None:
        if name == "a" and isinstance(effect, Send):
            sent.append((world.now, airtime_ns(effect)))

    a.effects_log = heard
    world.run(30)
    for cut in range(6):
        for number in range(40):
            a.post(f"{cut} {number} " + "x" * 900)
        world.run(60)
        a.cut()
        world.run(2)
        a.boot()
    world.run(WINDOW_S)
    allowed_ns = WINDOW_S * 28_000_000
    for last, (at, _) in enumerate(sent):
        hour = sum(ns for then, ns in sent[: last + 1] if then > at - WINDOW_S)
        assert hour <= allowed_ns
    assert sum(ns for _, ns in sent) > allowed_ns // 2, "and something was sent"
    assert "airtime_spent" in a.warnings()
    assert b.posts()
