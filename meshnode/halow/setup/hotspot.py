"""The files of a hotspot on the built-in Wi-Fi: phones join it to reach the board. Stock hostapd, 2.4 GHz, WPA2.

Channels 1 to 11 are the same everywhere; a regulatory domain is written only where the person chose a country.

    without `welcome`   systemd-networkd gives addresses; no router and no name server are handed out, since a phone
                        would send its whole traffic to a board without internet
    with it             dnsmasq gives addresses, and answers every name with the board: so the page hears what phones
                        ask the internet, and its answers keep them here (meshnode/web/portal.py)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Interface
from itertools import islice
from pathlib import Path

from meshnode.errors import UsageError
from meshnode.halow.finding import as_radio, devices
from meshnode.halow.setup.files import HEAD, UNITS, Wanted, check_interface, check_key, check_ssid, network, unit

NAME = "meshnode-hotspot.service"
NAMES = "meshnode-hotspot-names.service"
ACCESS = Path("etc/meshnode/hotspot.conf")
ANSWERS = Path("etc/meshnode/hotspot-names.conf")
PORT_RIGHT = Path(UNITS, "meshnode.service.d/hotspot.conf")
GUESTS = 200  # addresses given out at most
LEASE = "1h"
NUMBER = "70-meshnode-hotspot"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person chose. `address`: the board's own, with the length of its network's prefix."""

    interface: str
    name: str
    key: str
    channel: int = 6
    country: str = ""
    address: str = "10.43.0.1/24"
    welcome: bool = False


def plan(wishes: Wishes) -> tuple[Wanted, ...]:
    """The files. Raises UsageError for wishes that cannot be."""
    check_interface(wishes.interface)
    check_ssid(wishes.name)
    check_key(wishes.key)
    if not 1 <= wishes.channel <= 11:
        raise UsageError("a hotspot's channel is 1 to 11, in the 2.4 GHz band")
    if wishes.country and not re.fullmatch("[A-Z]{2}", wishes.country):
        raise UsageError(f"{wishes.country!r} is no country: two capital letters, for example DE")
    address = _address(wishes.address)
    return (
        Wanted(ACCESS, f"{HEAD}\n{_hostapd(wishes)}", wishes.key),
        unit(NAME, "Hotspot of the node", wishes.interface, f"hostapd /{ACCESS}"),
        *network(NUMBER, wishes.interface, lines=_lines(address, wishes.welcome)),
        *(_welcome(wishes.interface, address) if wishes.welcome else ()),
    )


def units(wishes: Wishes) -> tuple[str, ...]:
    """The units that have to be started with the machine."""
    return (NAME, NAMES) if wishes.welcome else (NAME,)


def page_options(wishes: Wishes) -> str:
    """What the node's own configuration needs so that phones find its page."""
    return f'enabled = true, port = 80, addresses = ["127.0.0.1", "{_address(wishes.address).ip}"]'


def _address(text: str) -> IPv4Interface:
    try:
        address = IPv4Interface(text)
    except ValueError as error:
        raise UsageError(f"{text} is no IPv4 address with a prefix, for example 10.43.0.1/24") from error
    if not address.network.is_private or not 8 <= address.network.prefixlen <= 29:
        raise UsageError(f"{text} is not of a private network that has room for guests")
    return address


def _lines(address: IPv4Interface, welcome: bool) -> str:
    lines = f"Address={address.with_prefixlen}\nIPv6AcceptRA=no\n"
    return lines if welcome else f"{lines}DHCPServer=yes\n\n[DHCPServer]\nEmitDNS=no\nEmitRouter=no\n"


def _welcome(interface: str, address: IPv4Interface) -> tuple[Wanted, ...]:
    """Names, addresses, and the right to the port that phones ask on."""
    right = "[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"
    return (
        Wanted(ANSWERS, f"{HEAD}\n{_dnsmasq(interface, address)}"),
        unit(NAMES, "Names and addresses of the hotspot", interface, f"dnsmasq --keep-in-foreground -C /{ANSWERS}"),
        Wanted(PORT_RIGHT, f"{HEAD}\n{right}"),
    )


def _dnsmasq(interface: str, address: IPv4Interface) -> str:
    """Every name is the board, and nothing is asked elsewhere: there is no internet behind it.

    `local` answers questions for other kinds of records with "none"; without it they are refused, and phones wait.
    """
    guests = [host for host in islice(address.network.hosts(), GUESTS + 1) if host != address.ip]
    return (
        f"interface={interface}\nexcept-interface=lo\nbind-dynamic\nno-resolv\nno-hosts\n"
        f"address=/#/{address.ip}\nlocal=/#/\n"
        f"dhcp-range={guests[0]},{guests[-1]},{address.netmask},{LEASE}\ndhcp-authoritative\n"
        f"dhcp-option=option:router,{address.ip}\ndhcp-option=option:dns-server,{address.ip}\n"
    )


def built_in(sys: Path) -> str:
    """The one Wi-Fi interface that is no HaLow radio. Raises UsageError where there is none, or several."""
    wifi = [device for device in devices(sys) if (sys / "class" / "net" / device.interface / "phy80211").exists()]
    names = [device.interface for device in wifi if as_radio(device) is None and not device.monitor]
    if len(names) != 1:
        found = f"several Wi-Fi interfaces are here ({', '.join(names)})" if names else "no built-in Wi-Fi is seen"
        raise UsageError(f"{found}; name the one for the hotspot: --interface IF")
    return names[0]


def _hostapd(wishes: Wishes) -> str:
    place = f"country_code={wishes.country}\n" if wishes.country else ""
    return (
        f"interface={wishes.interface}\ndriver=nl80211\nssid={wishes.name}\nutf8_ssid=1\n{place}hw_mode=g\n"
        f"channel={wishes.channel}\nwpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase={wishes.key}\n"
    )
