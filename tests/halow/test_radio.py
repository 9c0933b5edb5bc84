"""The watch over a radio: from a file, from the system, through trouble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from meshnode.core.inputs import Input, StationSeen
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError
from meshnode.halow import radio as radio_module
from meshnode.halow.radio import RadioWatch, from_file, from_system, watch
from meshnode.halow.state import Channel, Neighbour, RadioState, Rate
from meshnode.halow.taixin import read_taixin
from meshnode.halow.understanding import Setting
from support.sysfs import BOARDS, ONBOARD, plug


def test_a_file_says_what_a_lab_knows(tmp_path: Path) -> None:
    file = tmp_path / "radio.json"
    assert from_file("left", file) == RadioState("left")
    told = {"role": "mesh", "channel": {"centre_khz": 923000, "width_mhz": 2, "number": 42}, "unicast_bps": 650000}
    file.write_text(json.dumps(told))
    assert from_file("left", file) == RadioState("left", "file", role="mesh", channel=Channel(923_000, 2, 42))


async def test_a_file_that_is_half_written_is_told_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "radio.json"
    file.write_text('{"role": "me')
    radio = watch("left", Setting(), file=file)
    await radio.look()
    assert radio.state.role is None
    assert "holds no JSON" in radio.state.missing[0]
    file.write_text('["mesh"]')
    await radio.look()
    assert "no radio state" in radio.state.missing[0]
    file.write_text('{"role": "mesh"}')
    await radio.look()
    assert radio.state.role == "mesh"


async def test_trouble_is_told_and_the_next_look_heals_it() -> None:
    slow = RadioState("w", neighbours=(Neighbour("02:00:00:00:00:01", tx=Rate(kbps=150.0)),))
    answers: list[RadioState | LinkError] = [slow, LinkError("the radio is gone"), RadioState("w", role="ap")]

    def read() -> RadioState:
        answer = answers.pop(0)
        if isinstance(answer, LinkError):
            raise answer
        return answer

    radio = RadioWatch("w", read)
    await radio.look()
    assert radio.settings(LinkSettings()).unicast_bps == 150_000
    await radio.look()
    assert radio.state.missing == ("the radio is gone",)
    assert radio.settings(LinkSettings()) == LinkSettings()
    await radio.look()
    assert radio.state.role == "ap"


async def test_what_was_sent_again_stays_counted() -> None:
    def heard(**counts: int) -> RadioState:
        return RadioState("w", neighbours=tuple(Neighbour(mac, tx_retries=count) for mac, count in counts.items()))

    states = [heard(a=5), heard(a=9, b=2), heard(b=3), heard(a=1, b=3)]
    radio = RadioWatch("w", lambda: states.pop(0))
    counted = []
    for _ in range(4):
        await radio.look()
        counted.append(radio.retries)
    assert counted == [5, 11, 12, 13]


async def test_a_station_that_was_not_there_is_told_to_the_node(autojump_clock: trio.testing.MockClock) -> None:
    def heard(*macs: str) -> RadioState:
        return RadioState("w", neighbours=tuple(Neighbour(mac) for mac in macs))

    states = [heard("a"), heard("a"), heard("a", "b"), heard("b"), heard("b"), heard("b", "a")]
    radio = RadioWatch("w", lambda: states.pop(0) if states else heard())
    inputs, told = trio.open_memory_channel[Input](10)
    moments = []
    async with trio.open_nursery() as nursery:
        await nursery.start(radio.run, inputs)
        began = trio.current_time()
        for _ in range(2):
            assert await told.receive() == StationSeen("w")
            moments.append(round((trio.current_time() - began) / radio_module.LOOK_EVERY_S))
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert moments == [2, 5]
    with pytest.raises(trio.WouldBlock):
        told.receive_nowait()


async def test_the_watch_goes_on_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radio_module, "LOOK_EVERY_S", 0.001)
    often = trio.Event()
    looks = 0

    def read() -> RadioState:
        nonlocal looks
        looks += 1
        if looks == 3:
            trio.from_thread.run_sync(often.set)
        return RadioState("w")

    async with trio.open_nursery() as nursery:
        inputs, _ = trio.open_memory_channel[Input](0)
        await nursery.start(RadioWatch("w", read).run, inputs)
        with trio.fail_after(30):
            await often.wait()
        nursery.cancel_scope.cancel()


def test_wifi_and_a_missing_interface_are_no_radios(tmp_path: Path) -> None:
    plug(tmp_path, ONBOARD)
    assert from_system("wlan0", Setting("US"), tmp_path) == RadioState("wlan0")
    assert from_system("wlan9", Setting("US"), tmp_path) == RadioState("wlan9")


def test_a_halow_driver_without_nl80211_is_told(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    with pytest.raises(LinkError, match="no interface wlh0"):
        from_system("wlh0", Setting("US"), tmp_path)


def test_a_warthog_says_nothing_of_its_radio(tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["seeed-xiao-halow"])
    assert "says nothing of its radio" in from_system("usb0", Setting(), tmp_path).missing[0]


def test_taixin_is_asked_with_its_own_tool() -> None:
    said = {"center_freq": "center_freq:9080\n", "bss_bw": "8", "mode": "sta\n", "signal": "-71", "conn_state": "9"}
    state = read_taixin("hg0", "UK", lambda interface, key: said[key] if interface == "hg0" else "")
    assert state.channel == Channel(908_000, 8)
    assert (state.role, state.region, state.source) == ("sta", "GB", "tool")
    assert state.neighbours == (Neighbour("", signal_dbm=-71),)


def test_taixin_without_its_tool_or_with_an_answer_of_many_numbers() -> None:
    nothing = read_taixin("hg0", "", lambda *_: "")
    assert (nothing.channel, nothing.role, nothing.neighbours) == (None, None, ())
    assert any("center_freq" in line for line in nothing.missing)
    many = read_taixin("hg0", "", lambda *_: "9080 9160")
    assert many.channel is None
