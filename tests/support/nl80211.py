"""nl80211 answers as bytes, encoded by pyroute2 from its own attribute tables: not by a twin of our decoder.

What pyroute2 cannot encode as a number (kHz offsets) is given as the bytes that the kernel sends.
"""

from __future__ import annotations

import struct
from typing import Any

from pyroute2.netlink.nl80211 import IFTYPE_NAMES, nl80211cmd

HEADERS = 20
WIDTHS = {20: 1, 40: 2, 80: 3, 160: 5, "1": 8, "2": 9, "4": 10, "8": 11, "16": 12}  # enum nl80211_chan_width

Attrs = list[list[Any]]


def encoded(attrs: Attrs) -> bytes:
    """The attributes as bytes, without the two headers."""
    message = nl80211cmd()
    message["cmd"] = 7
    message["attrs"] = [[f"NL80211_ATTR_{name}", value] for name, value in attrs]
    message.encode()
    return bytes(message.data[HEADERS:])


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def interface(
    name: str, role: str, mhz: int, *, width: int | str, centre: int | None = None, offset: int = 0, network: str = ""
) -> bytes:
    """An answer to GET_INTERFACE; `width` in MHz, as text where it is one of S1G."""
    attrs: Attrs = [
        ["IFINDEX", 7], ["IFNAME", name], ["IFTYPE", IFTYPE_NAMES[role]], ["MAC", "0c:bf:74:00:00:01"],
        ["WIPHY_FREQ", mhz], ["CHANNEL_WIDTH", WIDTHS[width]], ["CENTER_FREQ1", centre or mhz],
        ["WIPHY_TX_POWER_LEVEL", 2200],
    ]  # fmt: skip
    if network:
        attrs.append(["SSID", network.encode()])
    if offset:
        attrs += [["WIPHY_FREQ_OFFSET", u32(offset)], ["CENTER_FREQ1_OFFSET", u32(offset)]]
    return encoded(attrs)


def station(mac: str, **info: Any) -> bytes:
    """An answer to GET_STATION; `info` by the names of NL80211_STA_INFO."""
    nest = {"attrs": [[f"NL80211_STA_INFO_{name}", value] for name, value in info.items()]}
    return encoded([["IFINDEX", 7], ["MAC", mac], ["GENERATION", 3], ["STA_INFO", nest]])


def rate(**fields: Any) -> dict[str, Any]:
    """A bit-rate nest; a flag is given as True."""
    return {"attrs": [[f"NL80211_RATE_INFO_{name.strip('_')}", value] for name, value in fields.items()]}


def survey(noise_dbm: int, *, in_use: bool = True) -> bytes:
    """An answer to GET_SURVEY; pyroute2 has the noise unsigned."""
    attrs: Attrs = [["NL80211_SURVEY_INFO_FREQUENCY", 5795], ["NL80211_SURVEY_INFO_NOISE", noise_dbm & 0xFF]]
    if in_use:
        attrs.append(["NL80211_SURVEY_INFO_IN_USE", True])
    return encoded([["IFINDEX", 7], ["SURVEY_INFO", {"attrs": attrs}]])
