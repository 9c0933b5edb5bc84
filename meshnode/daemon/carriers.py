"""What carries a node's frames: what the configuration of its home asks for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from meshnode.board.profile import family
from meshnode.config import Config
from meshnode.daemon.files import write_private
from meshnode.daemon.home import Home
from meshnode.daemon.law import law_of
from meshnode.daemon.main import Carriers
from meshnode.daemon.radios import Radios
from meshnode.errors import ConfigError, LinkError
from meshnode.halow.finding import Radio, choose, radios
from meshnode.halow.modem.link import ModemLink
from meshnode.halow.modem.newracom import Network, join_command
from meshnode.halow.modem.port import SerialPort
from meshnode.halow.radio import watch
from meshnode.halow.understanding import Setting
from meshnode.overlay.child import ChildSettings
from meshnode.overlay.choose import ChosenOverlay
from meshnode.peering.interface import interface_names, read_interface
from meshnode.peering.multicast import UdpLink
from meshnode.peering.radio import radio_state_path
from meshnode.peering.static import StaticLink
from meshnode.peering.tcp import TcpSessions

OVERLAY_KEY = "overlay.key"
PLAIN_SPEED = 115_200  # above it a Newracom modem wants RTS/CTS


def real_carriers(home: Home) -> Carriers:
    """What the configuration of a home asks for."""
    config = home.config
    interface = chosen_interface(config)
    settings = replace(config.link_settings(), law=law_of(config.radio))
    radio = watch(interface, radio_setting(config), file=radio_state_path()) if interface else None
    link = UdpLink(interface, settings, port=config.link.port, radio=radio) if interface else None
    named = config.neighbours
    static = StaticLink(named.addresses, port=named.port) if named.addresses else None
    overlay = chosen_overlay(home, interface)
    sessions = TcpSessions(
        home.keys,
        home.mesh,
        home.sealer,
        home.entropy,
        link=link.where if link else None,
        overlay=overlay.where,
        overlay_socket=overlay.socket,
        is_uplink=overlay.is_uplink,
        link_port=config.link.port,
        overlay_port=config.overlay.port,
    )
    links = [one for one in (link, modem_link(config), static) if one is not None]
    plugged = None if config.link.interface else Radios(interface, config.radio.board, radios)
    return Carriers(links, sessions, overlay, radio, plugged)


def modem_link(config: Config) -> ModemLink | None:
    """The link through a serial modem, where the configuration names one."""
    asked = config.modem
    if not asked.device:
        return None
    network = Network(asked.network, asked.security, _password(asked.password_file), address=asked.address)
    join_command(network)  # says at once what the modem could not be told
    settings = replace(config.link_settings(), law=law_of(config.radio))

    def opened() -> SerialPort:
        return SerialPort(asked.device, asked.speed, flow_control=asked.speed > PLAIN_SPEED)

    return ModemLink("modem", opened, network, settings, port=config.link.port)


def _password(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"modem.password_file: {file} cannot be read") from error


def radio_setting(config: Config) -> Setting:
    """What drivers do not tell about a radio: country, channel plan, band setting."""
    return Setting(config.radio.country, config.radio.plan or None, config.radio.band or None)


def chosen_interface(config: Config) -> str:
    """The interface named, else the one HaLow interface there is; empty where the node can do without, or wait."""
    if config.link.interface:
        return config.link.interface
    chosen = choose(radios_here(), config.radio.board)
    if chosen is not None:
        return chosen.interface
    found = halow_interfaces()
    if len(found) == 1:
        return found[0]
    elsewhere = config.neighbours.addresses or config.modem.device or config.radio.board  # it may yet be plugged in
    if not found and (config.overlay.backend in ("system", "embedded") or elsewhere):
        return ""
    seen = f"there are several HaLow interfaces ({', '.join(found)})" if found else "no HaLow interface is found"
    raise LinkError(f"{seen}; name the one to use: meshnode run --interface IF")


def radios_here() -> list[Radio]:
    """The HaLow radios of our own network namespace; /sys may show those of another, too."""
    here = interface_names()
    return [radio for radio in radios() if radio.interface in here]


def halow_interfaces() -> list[str]:
    """Interfaces whose driver calls itself that of a HaLow radio; /sys may be that of another namespace."""
    found = (read_interface(name) for name in interface_names())
    return [one.name for one in found if one is not None and (known := family(one.driver)) and known.certain]


def chosen_overlay(home: Home, interface: str) -> ChosenOverlay:
    """The overlay the configuration asks for; a child of our own peers on the bound interface, with our mesh alone."""
    asked, bridge = home.config.overlay, home.config.bridge
    child = ChildSettings(
        seed=b"" if asked.backend == "none" else _overlay_seed(home),
        listen=asked.listen,
        interface=interface,
        password=home.mesh.ygg,
        program=asked.program,
    )
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return ChosenOverlay(
        asked.backend,
        child,
        entropy=home.entropy,
        home=home.path,
        runtime=Path(runtime) if runtime else None,
        admin=asked.admin,
        peers=asked.peers,
        far=bridge.far_addresses() if bridge.enabled else (),
        private=bridge.enabled,
    )


def _overlay_seed(home: Home) -> bytes:
    """The secret of the overlay address: its own key, related to no other (protocol rule 1.5), the same every start."""
    file = home.path / OVERLAY_KEY
    if not file.exists():
        write_private(file, home.entropy.take("overlay", 32))
    return file.read_bytes()
