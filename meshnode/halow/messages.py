"""What nl80211 messages say, before anything is made of it: interface, stations, survey.

pyroute2 0.9 sends the questions; the answers are read here, because it loses what S1G needs: the kHz offsets (hex
strings), the sign of the noise, widths below 5 MHz. Attribute numbers: linux/nl80211.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.errors import WireError
from meshnode.halow.attributes import attributes_untrusted, number_untrusted, text_untrusted

IFINDEX, IFNAME, IFTYPE, MAC, STA_INFO, MESH_ID = 3, 4, 5, 6, 21, 24
WIPHY_FREQ, SSID, SURVEY_INFO, TX_POWER_LEVEL = 38, 52, 84, 98
CHANNEL_WIDTH, CENTER_FREQ1, FREQ_OFFSET, FREQ1_OFFSET = 159, 160, 290, 291

STA_INACTIVE, STA_RX_BYTES, STA_TX_BYTES, STA_PLINK, STA_SIGNAL, STA_TX_RATE = 1, 2, 3, 6, 7, 8
STA_RX_PACKETS, STA_TX_PACKETS, STA_TX_RETRIES, STA_TX_FAILED, STA_AVERAGE, STA_RX_RATE = 9, 10, 11, 12, 13, 14
STA_RX_BYTES64, STA_TX_BYTES64 = 23, 24

RATE_MCS, RATE_40, RATE_SHORT_GI, RATE_VHT_MCS, RATE_VHT_NSS = 2, 3, 4, 6, 7
RATE_80, RATE_160, RATE_S1G_MCS, RATE_S1G_NSS = 8, 10, 23, 24
RATE_S1G_WIDTHS = {25: 1, 26: 2, 27: 4, 28: 8, 29: 16}

SURVEY_NOISE, SURVEY_IN_USE = 2, 3

ROLES = {1: "ibss", 2: "sta", 3: "ap", 6: "monitor", 7: "mesh"}
WIDTHS_MHZ = {0: 20, 1: 20, 2: 40, 3: 80, 5: 160, 6: 5, 7: 10, 8: 1, 9: 2, 10: 4, 11: 8, 12: 16}
PEERINGS = {
    0: "listening", 1: "opening", 2: "open received", 3: "confirmed", 4: "established", 5: "holding", 6: "blocked",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """GET_INTERFACE: frequencies in kHz and widths in MHz as the driver shows them."""

    index: int | None = None
    name: str = ""
    role: str | None = None
    network: str = ""
    control_khz: int | None = None
    centre_khz: int | None = None
    width_mhz: int | None = None
    tx_power_mbm: int | None = None


@dataclass(frozen=True, slots=True)
class RateFacts:
    """A bit rate nest: the MCS of which table, and the width it names (None: none, which means 20 MHz there)."""

    table: str  # "s1g", "vht", "ht" or "" for a rate without MCS
    mcs: int | None = None
    streams: int | None = None
    width_mhz: int | None = None
    short_gi: bool = False


@dataclass(frozen=True, slots=True)
class StationFacts:
    """GET_STATION: signals in dBm are real with every driver."""

    mac: str
    signal_dbm: int | None = None
    average_dbm: int | None = None
    tx: RateFacts | None = None
    rx: RateFacts | None = None
    inactive_ms: int | None = None
    peering: str = ""
    tx_packets: int | None = None
    tx_retries: int | None = None
    tx_failed: int | None = None
    rx_packets: int | None = None
    tx_bytes: int | None = None
    rx_bytes: int | None = None


def interface_untrusted(data: bytes) -> InterfaceFacts:
    """The attributes of an answer to GET_INTERFACE. Raises WireError."""
    found = attributes_untrusted(data)
    control = _kilohertz(found.get(WIPHY_FREQ), found.get(FREQ_OFFSET))
    return InterfaceFacts(
        index=number_untrusted(found.get(IFINDEX)),
        name=text_untrusted(found.get(IFNAME)),
        role=ROLES.get(number_untrusted(found.get(IFTYPE)) or 0),
        network=text_untrusted(found.get(MESH_ID) or found.get(SSID)),
        control_khz=control,
        centre_khz=_kilohertz(found.get(CENTER_FREQ1), found.get(FREQ1_OFFSET)) or control,
        width_mhz=_width(number_untrusted(found.get(CHANNEL_WIDTH))),
        tx_power_mbm=number_untrusted(found.get(TX_POWER_LEVEL), signed=True),
    )


def station_untrusted(data: bytes) -> StationFacts:
    """The attributes of one answer to GET_STATION. Raises WireError."""
    found = attributes_untrusted(data)
    mac = found.get(MAC, b"")
    if len(mac) != 6:
        raise WireError(f"a station with an address of {len(mac)} bytes")
    info = attributes_untrusted(found.get(STA_INFO, b""))
    plink = number_untrusted(info.get(STA_PLINK))
    return StationFacts(
        mac=mac.hex(":"),
        signal_dbm=_decibel(info.get(STA_SIGNAL)),
        average_dbm=_decibel(info.get(STA_AVERAGE)),
        tx=_rate(info.get(STA_TX_RATE)),
        rx=_rate(info.get(STA_RX_RATE)),
        inactive_ms=number_untrusted(info.get(STA_INACTIVE)),
        peering="" if plink is None else PEERINGS.get(plink, ""),
        tx_packets=number_untrusted(info.get(STA_TX_PACKETS)),
        tx_retries=number_untrusted(info.get(STA_TX_RETRIES)),
        tx_failed=number_untrusted(info.get(STA_TX_FAILED)),
        rx_packets=number_untrusted(info.get(STA_RX_PACKETS)),
        tx_bytes=number_untrusted(info.get(STA_TX_BYTES64) or info.get(STA_TX_BYTES)),
        rx_bytes=number_untrusted(info.get(STA_RX_BYTES64) or info.get(STA_RX_BYTES)),
    )


def noise_untrusted(data: bytes) -> int | None:
    """The noise in dBm of an answer to GET_SURVEY, if it is for the channel in use. Raises WireError."""
    survey = attributes_untrusted(attributes_untrusted(data).get(SURVEY_INFO, b""))
    return _decibel(survey.get(SURVEY_NOISE)) if SURVEY_IN_USE in survey else None


def _rate(nest: bytes | None) -> RateFacts | None:
    if nest is None:
        return None
    found = attributes_untrusted(nest)
    short = RATE_SHORT_GI in found
    if RATE_S1G_MCS in found:
        width = next((width for kind, width in RATE_S1G_WIDTHS.items() if kind in found), None)
        streams = number_untrusted(found.get(RATE_S1G_NSS))
        return RateFacts("s1g", number_untrusted(found[RATE_S1G_MCS]), streams, width, short)
    width = 160 if RATE_160 in found else 80 if RATE_80 in found else 40 if RATE_40 in found else None
    if RATE_VHT_MCS in found:
        streams = number_untrusted(found.get(RATE_VHT_NSS))
        return RateFacts("vht", number_untrusted(found[RATE_VHT_MCS]), streams, width, short)
    if RATE_MCS in found:
        return RateFacts("ht", number_untrusted(found[RATE_MCS]), None, width, short)
    return RateFacts("", None, None, width, short)


def _kilohertz(mhz: bytes | None, offset: bytes | None) -> int | None:
    whole = number_untrusted(mhz)
    return None if whole is None else whole * 1000 + (number_untrusted(offset) or 0)


def _width(kind: int | None) -> int | None:
    return None if kind is None else WIDTHS_MHZ.get(kind)


def _decibel(value: bytes | None) -> int | None:
    """One signed byte; pyroute2 reads the noise as unsigned."""
    return number_untrusted(value, signed=True)
