"""What carries frames, as the configuration asks for it; two real daemons that know each other by address alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from meshnode.config import Config, LinkSection, ModemSection, NeighboursSection, OverlaySection, RadioSection
from meshnode.control import client, replies, requests
from meshnode.core.identity.invite import contact_uri
from meshnode.core.sealing.mesh import closed_mesh
from meshnode.daemon.carriers import chosen_interface, modem_link, radio_setting, real_carriers
from meshnode.daemon.home import Home, create_home
from meshnode.daemon.main import run_daemon
from meshnode.errors import ConfigError, LinkError, UsageError
from meshnode.halow.finding import radios
from meshnode.halow.understanding import Setting
from meshnode_sim.modem.newracom import FakeNewracom
from support.modems import air_of, served
from support.ports import free_ports
from support.sysfs import BOARDS, plug

MESH = closed_mesh("valley", bytes(range(32)))
NONE = OverlaySection(backend="none")


@asynccontextmanager
async def running(*homes: Home) -> AsyncIterator[None]:
    """Real daemons at these homes, with the carriers of their configurations."""
    async with trio.open_nursery() as nursery:
        for home in homes:
            await nursery.start(run_daemon, home, real_carriers)
        yield
        nursery.cancel_scope.cancel()


async def greeted(ada: Home, bo: Home) -> tuple[replies.StatusReply, replies.StatusReply]:
    """Each has the other in the address book, and a message of Ada's is delivered; their screens then."""
    async with client.connect(ada.control_socket) as at_ada, client.connect(bo.control_socket) as at_bo:
        for node, other in ((at_ada, bo), (at_bo, ada)):
            uri = contact_uri(other.keys.persona, other.name)
            await node.ask(requests.ContactAddRequest(uri=uri), replies.ContactsReply)
        said = requests.SendRequest(contact="Bo", text="hello", wait="delivered")
        assert (await at_ada.ask(said, replies.StateReply)).state == "delivered"
        status = [await node.ask(requests.StatusRequest(), replies.StatusReply) for node in (at_ada, at_bo)]
    return status[0], status[1]


async def test_nodes_that_name_each_other_need_no_interface(tmp_path: Path) -> None:
    ports = free_ports(2)
    with ExitStack() as stack, trio.fail_after(180):
        homes = []
        for name, own, far in (("Ada", *ports), ("Bo", *reversed(ports))):
            named = NeighboursSection(addresses=(f"127.0.0.1:{far}",), port=own)
            config = Config(neighbours=named, overlay=NONE)
            homes.append(stack.enter_context(create_home(tmp_path / name, name, MESH, config=config)))
        async with running(*homes):
            status, far = await greeted(*homes)
            assert [one.node for one in status.neighbours] == [far.node_short], "both screens call it the same"
            assert [one.address for one in status.neighbours] == [f"127.0.0.1:{ports[1]}"]
            assert (status.interface.name, status.interface.state) == ("static", "up")


def test_the_interface_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr("meshnode.daemon.carriers.halow_interfaces", lambda: found)
    assert chosen_interface(Config(link=LinkSection(interface="wlan1"))) == "wlan1"
    with pytest.raises(LinkError, match="no HaLow interface is found"):
        chosen_interface(Config(overlay=NONE))
    assert chosen_interface(Config(neighbours=NeighboursSection(addresses=("192.0.2.7:21028",)))) == ""
    assert chosen_interface(Config(overlay=OverlaySection(backend="system"))) == ""
    found[:] = ["wlan1"]
    assert chosen_interface(Config()) == "wlan1"
    found[:] = ["wlan1", "wlan2"]
    with pytest.raises(LinkError, match="several"):
        chosen_interface(Config())


def test_a_radio_in_sys_is_chosen_and_a_profile_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    plug(tmp_path, BOARDS["txw8301-usb"])
    here = {"wlh0"}
    monkeypatch.setattr("meshnode.daemon.carriers.radios", lambda: radios(tmp_path))
    monkeypatch.setattr("meshnode.daemon.carriers.interface_names", lambda: here)
    assert chosen_interface(Config()) == "wlh0", "hg0 is in another namespace"
    here.add("hg0")
    with pytest.raises(LinkError, match="several HaLow interfaces"):
        chosen_interface(Config())
    assert chosen_interface(Config(radio=RadioSection(board="txw8301-usb"))) == "hg0"


def test_a_named_interface_has_its_radio_watched(tmp_path: Path) -> None:
    config = Config(link=LinkSection(interface="nowhere0"), overlay=NONE, radio=RadioSection(country="UK", band="x"))
    with create_home(tmp_path / "h", "Ada", MESH, config=config) as home:
        carriers = real_carriers(home)
    assert carriers.radio is not None
    assert carriers.radio.name == "nowhere0"
    assert radio_setting(config) == Setting("UK", None, "x")


async def test_a_message_goes_over_two_serial_modems(tmp_path: Path) -> None:
    air = air_of(2)
    async with served(air, [FakeNewracom(0, air), FakeNewracom(1, air)]) as lines:
        with ExitStack() as stack, trio.fail_after(180):
            homes = []
            for name, line in zip(("Ada", "Bo"), lines, strict=True):
                modem = ModemSection(device=line.path, network="halow", security="open")
                config = Config(modem=modem, overlay=NONE)
                homes.append(stack.enter_context(create_home(tmp_path / name, name, MESH, config=config)))
            async with running(*homes):
                status, _ = await greeted(*homes)
                assert [one.address for one in status.neighbours] == ["192.168.50.2"]
                assert (status.interface.name, status.interface.state) == ("modem", "up")


def test_a_modem_that_could_not_be_told_its_network_is_refused(tmp_path: Path) -> None:
    asked = {"device": "/dev/ttyUSB0", "security": "open"}
    with pytest.raises(UsageError, match="no comma"):
        modem_link(Config(modem=ModemSection(network="a,b", **asked)))
    with pytest.raises(ConfigError, match="password_file"):
        modem_link(Config(modem=ModemSection(network="a", password_file=str(tmp_path / "none"), **asked)))
    assert modem_link(Config()) is None


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    config = Config(neighbours=NeighboursSection(addresses=("valley.example:21028",)), overlay=NONE)
    with (
        create_home(tmp_path / "h", "Ada", MESH, config=config) as home,
        pytest.raises(UsageError, match=r"valley\.example:21028 is no address with a port"),
    ):
        real_carriers(home)
