"""The date by a GPS receiver on a serial line: what its sentences say, and what is not believed."""

from __future__ import annotations

import os
import pty
from functools import reduce
from operator import xor
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.clock import EPOCH_2026
from meshnode.daemon.gps import Gps
from meshnode.daemon.nmea import ERROR_S, Nmea
from meshnode.errors import LinkError, WireError

TODAY = EPOCH_2026 + 27_000_000.0  # 2026-11-09T12:00:00Z


def sentence(text: str) -> bytes:
    return f"${text}*{reduce(xor, text.encode(), 0):02X}\r".encode()


def rmc(time: str = "120000.00", status: str = "A", date: str = "091126", rest: str = ",,,A") -> bytes:
    return sentence(f"GNRMC,{time},{status},4807.038,N,01131.000,E,022.4,084.4,{date}{rest}")


def read(*lines: bytes) -> list[object]:
    receiver = Nmea("/dev/none", 9600)
    return [receiver.fix_untrusted(line) for line in lines]


def test_the_example_of_the_standard_has_a_right_checksum_and_an_impossible_year() -> None:
    with pytest.raises(WireError, match="cannot be"):
        read(b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r")


def test_a_valid_sentence_has_a_date() -> None:
    assert read(rmc(), rmc("120000"), rmc("120001.50"), rmc(rest="")) == [
        (TODAY, ERROR_S), (TODAY, ERROR_S), (TODAY + 1.5, ERROR_S), (TODAY, ERROR_S)
    ]  # fmt: skip
    assert read(rmc("235960.00", date="080127")) == [(TODAY + 60 * 86400 + 12 * 3600, ERROR_S)], "a leap second"


def test_what_is_not_from_a_fix_is_no_date() -> None:
    made_up = [rmc(rest=f",,,{mode}") for mode in "NEMS"]
    others = [b"", b"u-blox starts\r", rmc(status="V"), sentence("GPGSV,1,1,00"), sentence("PUBX,00,RMC"), *made_up]
    assert read(*others) == [None] * len(others)


def test_without_rmc_the_date_is_that_of_a_moment_that_had_a_fix() -> None:
    zda = sentence("GPZDA,120000.00,09,11,2026,00,00")
    fix, none = (sentence(f"GPGGA,120000.00,4807.038,N,01131.000,E,{quality},08,0.9,,M,,M,,") for quality in "10")
    later = sentence("GPZDA,120001.00,09,11,2026,00,00")
    assert read(zda, fix, zda, later, none, zda) == [None, None, (TODAY, ERROR_S), None, None, None]


@pytest.mark.parametrize(
    "line",
    [b"$", b"$GPRMC*4B", rmc().replace(b"091126", b"101126"), rmc().lower(), rmc("250000"), rmc(date="320126"),
     rmc(date="0911"), rmc(date="ab1126"), rmc("12:00:00"), rmc(date="091125"), rmc(date="091147"),
     rmc(date="0911" + "9" * 12), rmc(date="0911" + "9" * 5000)],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        read(line)


def test_the_last_second_there_is_has_no_next_one() -> None:
    fix = sentence("GPGGA,235960,4807.038,N,01131.000,E,1,08,0.9,,M,,M,,")
    with pytest.raises(WireError):
        read(fix, sentence("GPZDA,235960,31,12,9999,00,00"))


@given(st.binary(max_size=100) | st.text("0123456789,.AVE", max_size=80).map(lambda text: sentence(f"GPRMC,{text}")))
def test_noise_never_raises_anything_else(line: bytes) -> None:
    try:
        read(line, b"$" + line)
    except WireError:
        return


async def test_a_receiver_on_a_serial_line_gives_the_date_and_may_be_pulled_out() -> None:
    ours, theirs = pty.openpty()
    gps = Gps(Nmea(os.ttyname(theirs), 9600), lambda: 0.0)
    inlet, _ = trio.open_memory_channel[Any](1)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(gps.run, inlet)
            while gps.clock() is None:
                os.write(ours, b"half a sentence\r\n" + rmc("120000.00") + b"\n" + rmc("120001.00") + b"\n")
                await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        receiver = Nmea(os.ttyname(theirs), 9600)
        with pytest.RaisesGroup(pytest.RaisesExc(LinkError), allow_unwrapped=True):
            async with receiver.opened() as receive:
                os.close(theirs)
                os.close(ours)
                await receive()
    with pytest.raises(LinkError):
        async with Nmea("/dev/no-such-receiver", 9600).opened():
            pass
