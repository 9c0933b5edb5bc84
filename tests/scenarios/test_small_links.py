"""Links of 384 B and 30 % loss, links of different sizes, links that vanish; sessions that break."""

from __future__ import annotations

import pytest

from meshnode.core.inputs import PeerSeen
from meshnode.core.settings import LinkSettings
from support.trial_world import TrialWorld

SMALL = LinkSettings(unicast_payload=384, multicast_payload=384, unicast_bps=300_000, multicast_bps=150_000)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_first_message_over_384_bytes_at_thirty_percent_loss(seed: int) -> None:
    """Prekeys and the first message are 1.4 kB: four fragments and more, repaired one by one."""
    world = TrialWorld(seed, loss=0.3, link=SMALL)
    a, _b, c = world.line("abc")
    world.run(60)
    message = a.write(c, "through the eye of a needle")
    assert world.run(120, until=lambda: c.inbox() == ["through the eye of a needle"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_without_any_session_fragments_do_it_all() -> None:
    world = TrialWorld(5, loss=0.3, link=SMALL)
    world.sessions_work = False
    a, b = world.line("ab")
    a.post("long " * 300)
    message = a.write(b, "long " * 200)
    assert world.run(200, until=lambda: bool(b.inbox() and b.posts()))
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_links_of_different_sizes_side_by_side() -> None:
    world = TrialWorld(6, loss=0.1)
    a, b = world.add("a", link=SMALL), world.add("b")
    world.join("a", "b")
    a.knows(b)
    b.knows(a)
    world.run(60)
    there, back = a.write(b, "small to large"), b.write(a, "large to small " * 40)
    assert world.run(60, until=lambda: (a.state(there), b.state(back)) == ("delivered", "delivered"))


def test_the_interface_vanishes_and_returns() -> None:
    world = TrialWorld(7, loss=0.1)
    a, b, c = world.line("abc")
    world.run(60)
    b.mute()
    message = a.write(c, "while B has no radio")
    world.run(300)
    assert not b.node.neighbours.bound()
    b.unmute()
    assert world.run(90, until=lambda: c.inbox() == ["while B has no radio"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_an_overlay_session_joins_two_islands() -> None:
    world = TrialWorld(8, loss=0.1)
    a, _b, _c, d = world.line("abcd")
    world.run(60)
    world.part("b", "c")
    world.run(300)
    world.connect("b", "c")
    message = a.write(d, "over the overlay")
    d.post("posted beyond")
    assert world.run(90, until=lambda: d.inbox() == ["over the overlay"] and "posted beyond" in a.posts())
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_a_session_that_breaks_in_the_middle_of_a_long_catch_up() -> None:
    world = TrialWorld(9)
    a, b = world.add("a"), world.add("b")
    for box in (a, b):
        box.joins()
    for number in range(400):
        a.post(f"{number} " + "words " * 20)
    world.join("a", "b")
    for _ in range(12):
        world.run(1.5)
        world.cut_sessions("b")
    assert world.run(300, until=lambda: len(b.posts()) == 400)
    assert sorted(b.posts()) == sorted(f"{n} " + "words " * 20 for n in range(400))


def test_a_newcomer_catches_up_without_sessions() -> None:
    world = TrialWorld(10, loss=0.1)
    world.sessions_work = False
    a, b = world.add("a"), world.add("b")
    for box in (a, b):
        box.joins()
    for number in range(120):
        a.post(f"{number}")
    world.join("a", "b")
    assert world.run(600, until=lambda: len(b.posts()) == 120)


def test_a_valley_without_multicast() -> None:
    """Where the access point filters group frames, configured peers find each other by unicast."""
    alone = LinkSettings(multicast=False)
    world = TrialWorld(11, loss=0.1, link=alone)
    a, b = world.line("ab")
    a.feed(PeerSeen("fe80::b", "link"))
    b.feed(PeerSeen("fe80::a", "link"))
    world.run(60)
    message = a.write(b, "unicast alone")
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    assert all(send.to is not None for send in a.sent_datagrams)
