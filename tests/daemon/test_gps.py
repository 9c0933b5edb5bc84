"""The date by a GPS receiver, from gpsd: believed when two fixes agree, and less with every hour since."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.clock import EPOCH_2026
from meshnode.daemon.gps import DRIFT, FORGOTTEN_S, LATE_S, Gps, Gpsd, fix_untrusted
from meshnode.daemon.walltime import Reading, WallTime
from meshnode.errors import WireError

TODAY = EPOCH_2026 + 27_000_000.0  # 2026-11-09T12:00:00Z


def tpv(time: str = "2026-11-09T12:00:00.000Z", mode: int = 3, **more: object) -> bytes:
    return json.dumps({"class": "TPV", "mode": mode, "time": time, **more}).encode()


def test_a_fix_has_a_date_and_its_error() -> None:
    assert fix_untrusted(tpv(ept=0.005, lat=1.0, device="/dev/ttyACM0")) == (TODAY, 0.005)
    assert fix_untrusted(tpv(mode=1)) is None
    assert fix_untrusted(b'{"class":"SKY","satellites":[]}') is None
    assert fix_untrusted(b'{"class":"TPV","mode":3}') is None


@pytest.mark.parametrize(
    "line",
    [b"", b"\xff", b"[]", b'{"class":"TPV","mode":"3"}', tpv("yesterday"), tpv("2026-11-09T12:00:00"),
     tpv("2007-03-25T12:00:00Z"), tpv("2046-06-27T12:00:00Z")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        fix_untrusted(line)


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_else(line: bytes) -> None:
    try:
        fix_untrusted(line)
    except WireError:
        return


def receiver() -> tuple[Gps, list[float]]:
    now = [100.0]
    return Gps(Gpsd("127.0.0.1:2947"), lambda: now[0]), now


def test_two_fixes_have_to_agree_about_the_time_between_them() -> None:
    gps, now = receiver()
    gps.take(TODAY - 619_315_200, 0.0)  # from memory, 1,024 weeks old
    assert gps.clock() is None
    now[0] += 1
    gps.take(TODAY, 0.0)
    assert gps.clock() is None, "a jump is not believed"
    now[0] += 1
    gps.take(TODAY + 1, 0.1)
    found = gps.clock()
    assert found is not None
    assert (found.unix_s, found.uncertainty_s, found.source) == (TODAY + 1, LATE_S + 0.1, "gps")


def test_one_moment_in_two_sentences_does_not_agree_with_itself() -> None:
    gps, _ = receiver()
    gps.take(TODAY, 0.0)
    gps.take(TODAY, 0.0)
    assert gps.clock() is None
    gps.take(TODAY + 1, 0.0)
    assert gps.clock() is not None


def test_it_is_less_and_less_sure_since_its_last_fix() -> None:
    gps, now = receiver()
    gps.take(TODAY - 1, 0.0)
    gps.take(TODAY, 0.0)
    now[0] += 3600
    found = gps.clock()
    assert found is not None
    assert (found.unix_s, found.uncertainty_s) == (TODAY + 3600, LATE_S + 3600 * DRIFT)
    now[0] += FORGOTTEN_S
    assert gps.clock() is None


def test_a_disciplined_clock_goes_before_and_one_set_by_hand_comes_after() -> None:
    gps, now = receiver()
    read = [Reading(3.0, False, 0.0)]
    wall = WallTime(lambda: now[0], lambda: read[0], gps.clock)
    assert not wall.look()
    gps.take(TODAY - 1, 0.0)
    gps.take(TODAY, 0.0)
    assert wall.look()
    assert (wall.clock.source, wall.unix_now()) == ("gps", TODAY)
    read[0] = Reading(TODAY + 500.0, False, 0.0)
    assert not wall.look(), "a person's clock does not move it"
    read[0] = Reading(TODAY + 500.0, True, 0.1)
    assert wall.look()
    assert (wall.clock.source, wall.unix_now()) == ("ntp", TODAY + 500.0)


async def test_it_listens_to_gpsd_and_asks_again_when_that_ends(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tpv("2026-11-09T12:00:01.000Z")
    lines = b"\n".join([b'{"class":"VERSION"}', tpv(), b"garbage", tpv(), later, b""])
    dialled, asked = list[tuple[object, ...]](), trio.Event()

    async def dial(*place: object) -> trio.abc.Stream:
        dialled.append(place)
        if len(dialled) == 1:
            raise ConnectionRefusedError
        ours, theirs = trio.testing.memory_stream_pair()
        await theirs.send_all(lines[:50])
        await theirs.send_all(lines[50:])
        await theirs.send_eof()
        if len(dialled) == 3:
            asked.set()
        return ours

    monkeypatch.setattr(trio, "open_tcp_stream", dial)
    gps = Gps(Gpsd("[::1]:2947"), lambda: 0.0)
    inlet, _outlet = trio.open_memory_channel[Any](1)
    async with trio.open_nursery() as nursery:
        await nursery.start(gps.run, inlet)
        with trio.fail_after(600):
            await asked.wait()
        nursery.cancel_scope.cancel()
    assert dialled == [("::1", 2947)] * 3
    assert gps.clock() is not None
