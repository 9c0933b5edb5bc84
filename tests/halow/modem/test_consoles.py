"""Taixin and Warthog consoles against their fakes on a pty."""

from __future__ import annotations

import pytest

from meshnode.errors import ModemRefusedError, UsageError
from meshnode.halow.modem.consoles import Taixin, Warthog, answer_of, number, pairs
from meshnode.halow.state import Neighbour
from meshnode_sim.modem.consoles import FakeTaixin, FakeWarthog
from support.modems import air_of, served, talking


async def test_taixin_state_among_free_text() -> None:
    fake = FakeTaixin()
    async with served(air_of(1), [fake]) as (line,), talking(line.path, "taixin") as (talk, _):
        modem = Taixin(talk)
        fake.event("LMAC: tx 120 rx 98 evm -28")
        await modem.bring_up()
        assert fake.quiet
        fake.event("PAIR SUCCESS")
        state = await modem.state("t-halow")
        assert (state.role, state.network, state.channel) == ("sta", "halow", None)
        assert state.neighbours == (Neighbour("", signal_dbm=-30),)
        fake.values["CHAN_LIST"] = "9080"
        state = await modem.state("t-halow")
        assert state.channel is not None
        assert (state.channel.centre_khz, state.channel.width_mhz) == (908_000, 8)


async def test_taixin_join_and_refusals() -> None:
    fake = FakeTaixin()
    async with served(air_of(1), [fake]) as (line,), talking(line.path, "taixin") as (talk, _):
        modem = Taixin(talk)
        await modem.bring_up()
        await modem.join("Other", "ab" * 32)
        assert (fake.values["SSID"], fake.values["PSK"], fake.values["MODE"]) == ("Other", "ab" * 32, "sta")
        with pytest.raises(UsageError, match="64 hex digits"):
            await modem.join("Other", "passphrase")
        with pytest.raises(ModemRefusedError):
            await modem.get("NOTHING")


async def test_warthog_greets_echoes_and_answers() -> None:
    fake = FakeWarthog()
    async with served(air_of(1), [fake]) as (line,), talking(line.path, "warthog") as (talk, events):
        modem = Warthog(talk)
        assert await modem.bring_up() == "warthog 2026-08"
        assert any(event.text == "+READY: warthog AT interface" for event in events)
        assert (await modem.status())["USB"] == "ip=192.168.7.1 mounted=1"
        assert await modem.counters("DATASTAT") == {"tx": 12, "rx": 9, "drop": 0}
        await modem.join("halow", "secret")
        assert fake.settings["AT+HALOW"] == "halow,secret"
        for ssid, password in (("a,b", "x"), ("a", "x" * 200), ("Hütte", "x")):
            with pytest.raises(UsageError):
                await modem.join(ssid, password)


async def test_warthog_drops_a_line_that_is_too_long() -> None:
    async with served(air_of(1), [FakeWarthog()]) as (line,), talking(line.path, "warthog") as (talk, events):
        await talk.settle()
        with pytest.raises(ModemRefusedError):
            await talk.command("AT+HALOW=" + "x" * 300)
        assert any(event.text == "+ERR: line too long" for event in events)
        await talk.command("AT")


def test_parts_of_answers() -> None:
    assert answer_of("bss_bw", ["noise", "+BSS_BW:8MHz"]) == "8MHz"
    assert answer_of("RSSI", ["+CONNECTED"]) == ""
    assert (number("8MHz"), number("-30"), number("none")) == (8, -30, None)
    assert pairs(["+X: a=1 b=-2", "c=3 d=4.5 e=x"]) == {"a": 1, "b": -2, "c": 3}
