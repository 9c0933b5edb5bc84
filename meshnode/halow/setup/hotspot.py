"""The files of a hotspot on the built-in Wi-Fi: phones join it to reach the board. Stock hostapd, 2.4 GHz, WPA2.

Channels 1 to 11 are the same everywhere; a regulatory domain is written only where the person chose a country.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from meshnode.errors import UsageError
from meshnode.halow.finding import as_radio, devices
from meshnode.halow.setup.files import HEAD, Wanted, check_interface, check_key, check_ssid, network, unit

NAME = "meshnode-hotspot.service"
ACCESS = Path("etc/meshnode/hotspot.conf")
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


def plan(wishes: Wishes) -> tuple[Wanted, ...]:
    """The files. Raises UsageError for wishes that cannot be."""
    check_interface(wishes.interface)
    check_ssid(wishes.name)
    check_key(wishes.key)
    if not 1 <= wishes.channel <= 11:
        raise UsageError("a hotspot's channel is 1 to 11, in the 2.4 GHz band")
    if wishes.country and not re.fullmatch("[A-Z]{2}", wishes.country):
        raise UsageError(f"{wishes.country!r} is no country: two capital letters, for example DE")
    try:
        address = IPv4Interface(wishes.address)
    except ValueError as error:
        raise UsageError(f"{wishes.address} is no IPv4 address with a prefix, for example 10.43.0.1/24") from error
    if not address.network.is_private or not 8 <= address.network.prefixlen <= 29:
        raise UsageError(f"{wishes.address} is not of a private network that has room for guests")
    lines = f"Address={address.with_prefixlen}\nDHCPServer=yes\nIPv6AcceptRA=no\n"
    # no router and no name server are handed out: a phone would send its whole traffic to a board without internet
    served = "\n[DHCPServer]\nEmitDNS=no\nEmitRouter=no\n"
    return (
        Wanted(ACCESS, f"{HEAD}\n{_hostapd(wishes)}", wishes.key),
        unit(NAME, "Hotspot of the node", wishes.interface, f"hostapd /{ACCESS}"),
        *network(NUMBER, wishes.interface, lines=lines + served),
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
