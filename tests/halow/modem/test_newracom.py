"""The Newracom driver against the fake modem on a pty: bring-up, join, state, and every kind of trouble."""

from __future__ import annotations

import pytest
import trio

from meshnode.errors import LinkError, ModemRefusedError, UsageError, WireError
from meshnode.halow.modem.newracom import Network, Newracom, heard_untrusted, join_command, values
from meshnode.halow.modem.port import SerialPort
from meshnode.halow.modem.reader import Packet
from meshnode_sim.modem.newracom import FakeNewracom
from support.modems import air_of, served, talking

HALOW = Network("halow", "wpa2-psk", "secret")


async def test_bring_up_join_and_state() -> None:
    air = air_of(2)
    async with served(air, [FakeNewracom(0, air)]) as (line,), talking(line.path, "newracom") as (talk, _):
        modem = Newracom(talk)
        assert await modem.bring_up() == '+VER:"1.26.22","1.3.6"'
        assert await modem.join(HALOW) == "192.168.50.1"
        state = await modem.state("modem")
        assert (state.role, state.network, state.channel) == ("sta", "halow", None)
        assert state.neighbours[0].signal_dbm == -61
        assert await modem.open_sockets(21026) == (0, 1)


async def test_echo_is_switched_off_and_a_begun_line_is_forgotten() -> None:
    air = air_of(1)
    fake = FakeNewracom(0, air)
    fake.feed(b"ATE1\nAT+WSC", 0.0)
    fake.take()
    async with served(air, [fake]) as (line,), talking(line.path, "newracom") as (talk, _):
        await Newracom(talk).bring_up()
        assert not fake.echo


async def test_a_modem_left_in_data_mode_is_brought_back() -> None:
    air = air_of(1)
    fake = FakeNewracom(0, air)
    fake.feed(b'AT+SOPEN="UDP",5000\nAT+SSEND=0,"192.168.50.1",5000,4000\nhalf', 0.0)
    fake.take()
    async with served(air, [fake]) as (line,), talking(line.path, "newracom") as (talk, events):
        await Newracom(talk).bring_up()
        assert any("SEND_EXIT" in event.text for event in events)


async def test_another_baud_rate_is_explained() -> None:
    air = air_of(1)
    async with served(air, [FakeNewracom(0, air)]) as (line,), talking(line.path, "newracom", 9600) as (talk, _):
        with pytest.raises(LinkError, match="another baud rate"):
            await talk.settle()


async def test_noise_between_answers_does_no_harm() -> None:
    air = air_of(1)
    fake = FakeNewracom(0, air)
    async with served(air, [fake]) as (line,), talking(line.path, "newracom") as (talk, events):
        fake.event("\xff\xfe\xfd")
        fake.event('+WEVENT:"DHCP_RENEW"')
        assert await talk.command("AT+WCOUNTRY?") == ['+WCOUNTRY:"US"']
        assert talk.noise == 3
        assert [event.text for event in events] == ['+WEVENT:"DHCP_RENEW"']


async def test_unplugged_in_mid_command() -> None:
    air = air_of(1)
    fake = FakeNewracom(0, air)
    with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match="is it unplugged"), flatten_subgroups=True):
        async with served(air, [fake]) as (line,), talking(line.path, "newracom") as (talk, _):
            fake.feed(b'AT+SOPEN="UDP",5000\n', 0.0)
            await talk.transfer('AT+SSEND=0,"192.168.50.1",5000,900', b"half")
            line.unplug()
            await trio.sleep_forever()


async def test_errors_have_their_meaning() -> None:
    air = air_of(1)
    async with served(air, [FakeNewracom(0, air)]) as (line,), talking(line.path, "newracom") as (talk, _):
        with pytest.raises(ModemRefusedError, match=r"refuses AT\+WCONN: failed") as failed:
            await talk.command('AT+WCONN="elsewhere","wpa2-psk","hunter2"')
        assert failed.value.code == 3
        assert "hunter2" not in str(failed.value)
        with pytest.raises(ModemRefusedError, match="unknown or malformed"):
            await talk.command("AT+NOTHING")
        with pytest.raises(LinkError, match="has no address"):
            await Newracom(talk).address()


async def test_a_port_that_is_not_there() -> None:
    with pytest.raises(LinkError, match="cannot be opened"):
        SerialPort("/dev/nothing-like-a-modem", 115_200)


@pytest.mark.parametrize(
    "network",
    [
        Network("a,b"),
        Network('a"b'),
        Network("a?b"),
        Network("Hütte"),
        Network("a", "wpa2-psk", "x,y"),
        Network("a" * 130),
    ],
)
def test_what_the_dialect_cannot_say_is_refused_before_it_is_sent(network: Network) -> None:
    with pytest.raises(UsageError):
        join_command(network)


def test_what_it_can_say() -> None:
    assert join_command(HALOW) == 'AT+WCONN="halow","wpa2-psk","secret"'
    assert join_command(Network("halow")) == 'AT+WCONN="halow"'
    assert values('+WDHCP="1.2.3.4","x"', "WDHCP") == ["1.2.3.4", "x"], "the guide's equals sign"
    assert values("+WDHCP:1", "WDHC") == []


@pytest.mark.parametrize("line", ["+RXD:0,2", '+RXD:0,2,"1.2.3.400",5', '+RXD:0,2,"1.2.3.4",70000', "+RXD:x"])
def test_a_block_without_a_sender_is_a_wire_error(line: str) -> None:
    with pytest.raises(WireError):
        heard_untrusted(Packet(line, b"hi"))
