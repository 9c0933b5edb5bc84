"""Others on our interface stay within their share of the air, whatever they send."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.airtime.cost import ETHERNET, packet_ns
from meshnode.core.airtime.s1g import PlainRate, S1gRate, rate_of
from meshnode.core.settings import Law, LinkSettings
from meshnode.peering.shaping import BURST, ROOT, SEGMENT, Shaping, others_ppm, pace
from support import netns

RATES = st.sampled_from([S1gRate(1, 10), S1gRate(1, 0), S1gRate(1, 2, True), S1gRate(4, 7), PlainRate(250_000)])
PORT = 21026
WINDOW_S = 3600


@given(rate=RATES, ppm=st.integers(2_000, 500_000), sizes=st.lists(st.integers(60, 1_514), min_size=1, max_size=40))
def test_what_a_pace_lets_through_takes_no_more_air_than_its_share(
    rate: S1gRate | PlainRate, ppm: int, sizes: list[int]
) -> None:
    held = pace(rate, ppm, WINDOW_S)
    counted = sum(size + held.overhead for size in sizes)
    exact_ns = sum(packet_ns(size - ETHERNET, rate) for size in sizes)
    longest_s = counted / held.rate  # these packets leave in no less than that
    assert exact_ns <= longest_s * ppm * 1000


@given(rate=RATES, ppm=st.integers(2_000, 500_000), segments=st.integers(2, 45))
def test_packets_the_kernel_hands_over_as_one_are_counted_in_full(
    rate: S1gRate | PlainRate, ppm: int, segments: int
) -> None:
    held = pace(rate, ppm, WINDOW_S)
    counted = segments * (SEGMENT + 60 + ETHERNET) + held.overhead
    exact_ns = segments * packet_ns(SEGMENT + 60, rate)
    assert exact_ns <= counted / held.rate * ppm * 1000


def test_an_hour_with_its_burst_fits_the_share() -> None:
    for rate in (S1gRate(1, 10), S1gRate(8, 7)):
        held = pace(rate, 5_600, WINDOW_S)
        octets = held.rate * WINDOW_S + BURST + held.overhead
        assert octets <= pace(rate, 5_600, 10**9).rate * (WINDOW_S + WINDOW_S / 100)


@pytest.mark.netns
def test_an_overlay_that_misbehaves_is_held_and_we_are_not() -> None:
    settings = LinkSettings(
        unicast_bps=650_000, multicast_bps=300_000, law=Law(duty_ppm=400_000, reserve_ppm=80_000, window_s=WINDOW_S)
    )
    with netns.namespace("held") as name:
        netns.veth((name, "left"), (name, "right"))
        there = netns.link_local(name, "right")
        with netns.entered(name):
            index = socket.if_nametoindex("left")
            for size in (100, 1_400):
                shaping = Shaping(index, PORT)  # takes what the one before left away, with what waits in it
                assert shaping.hold(settings)
                assert shaping.hold(settings), "rates change while it holds"
                took, packets = _flood((there, 5001, 0, index), size, 1.5)
                one_ns = packet_ns(size - ETHERNET, rate_of(settings.unicast_bps))
                most_ns = others_ppm(settings)[0] * 1000 * took + 2 * packet_ns(BURST, rate_of(settings.unicast_bps))
                assert one_ns < packets * one_ns <= most_ns
            ours = _flood((there, PORT, 0, index), 1_000, 1.0)[1]
            assert ours > 100, "our own datagrams are not held"
            assert f"htb {ROOT >> 16:x}:" in _qdisc(name)
            Shaping(index, PORT).release()
            assert "htb" not in _qdisc(name)
            shaping.release()


@pytest.mark.netns
def test_nothing_is_changed_where_it_may_not_be() -> None:
    with netns.namespace("held") as name:
        netns.veth((name, "left"), (name, "right"))
        program = (
            "import socket, sys; from meshnode.peering.shaping import Shaping; from meshnode.core.settings import *;"
            "sys.exit(Shaping(socket.if_nametoindex('left'), 1).hold(LinkSettings(law=Law(28000, reserve_ppm=5600))))"
        )
        powerless = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", sys.executable, "-c"]
        assert netns.start(name, [*powerless, program]).wait(200) == 0
        tbf = ["tbf", "rate", "1mbit", "burst", "3000", "latency", "10ms"]
        subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "left", "root", *tbf], check=True)
        assert netns.start(name, [sys.executable, "-c", program]).wait(200) == 0, "a person's own is left alone"
        assert "tbf" in _qdisc(name)


def _flood(to: tuple[str, int, int, int], size: int, seconds: float) -> tuple[float, int]:
    """Send packets of that size as fast as the queue takes them: how long it took, and how many left."""
    before, began = _sent(), time.monotonic()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        while time.monotonic() < began + seconds:
            try:
                sender.sendto(bytes(size - 62), to)
            except BlockingIOError:
                select.select([], [sender], [], 0.05)
        left = (_sent() - before) // size
        return time.monotonic() - began, left  # the clock last: what leaves while we wait for our turn has its time


def _sent() -> int:
    """Octets that left, by the kernel; among long packets its own few short ones do not count."""
    with open("/proc/self/net/dev") as table:
        columns = next(line for line in table if line.strip().startswith("left:")).split(":")[1].split()
    return int(columns[8])


def _qdisc(name: str) -> str:
    command = ["ip", "netns", "exec", name, "tc", "qdisc", "show", "dev", "left"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
