"""The state of a radio as we understand it: true channel, true rates, who is in hearing. None means: not known.

One state comes out of every back end (nl80211, a file that a lab writes, a vendor's tool) and goes into `status`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import msgspec

from meshnode.core.airtime.s1g import S1gRate
from meshnode.core.settings import LinkSettings
from meshnode.errors import UsageError, WireError

Role = Literal["ap", "sta", "mesh", "ibss", "monitor"]
Source = Literal["nl80211", "file", "tool", "none"]

FRESH_MS = 60_000  # a neighbour silent for longer does not hold the link to its rate
NARROW_PAYLOAD = 384  # bytes of UDP that fit one frame at 1 MHz with MCS 0 or 10
NARROW_BELOW_BPS = 400_000


class Channel(msgspec.Struct, frozen=True):
    """Where the radio is: centre in kHz, width in MHz, S1G number where the region has one."""

    centre_khz: int
    width_mhz: int
    number: int | None = None


class Rate(msgspec.Struct, frozen=True):
    """How frames go; None is not known. `kbps` follows from MCS, width and guard interval, never from a driver."""

    mcs: int | None = None
    width_mhz: int | None = None
    short_gi: bool = False
    kbps: float | None = None


class Neighbour(msgspec.Struct, frozen=True):
    """One station in hearing."""

    mac: str
    signal_dbm: int | None = None
    average_dbm: int | None = None
    tx: Rate | None = None
    rx: Rate | None = None
    inactive_ms: int | None = None
    peering: str = ""  # of an 802.11s peer: "established", "blocked", ...
    tx_packets: int | None = None
    tx_retries: int | None = None
    tx_failed: int | None = None
    rx_packets: int | None = None
    tx_bytes: int | None = None
    rx_bytes: int | None = None


class RadioState(msgspec.Struct, frozen=True):
    """Everything known of one radio. `missing` says in words why something is None."""

    interface: str
    source: Source = "none"
    family: str = ""
    role: Role | None = None
    network: str = ""  # mesh id or SSID
    region: str = ""
    channel: Channel | None = None
    shown_mhz: float | None = None  # what the driver shows, where that is another frequency
    noise_dbm: int | None = None
    tx_power_dbm: float | None = None  # as the driver reports it; measured power may be lower
    neighbours: tuple[Neighbour, ...] = ()
    missing: tuple[str, ...] = ()


def true_rate(mcs: int | None, width_mhz: int | None, short_gi: bool = False) -> Rate | None:
    """The rate of an MCS and width by the standard's table; None where there is no such combination."""
    if mcs is None or width_mhz is None:
        return None
    try:
        return Rate(mcs, width_mhz, short_gi, S1gRate(width_mhz, mcs, short_gi).bps / 1000)
    except UsageError:
        return None


def decode_state_untrusted(data: bytes) -> RadioState:
    """A state from JSON; unknown fields are for others. Raises WireError."""
    try:
        return msgspec.json.decode(data, type=RadioState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"no radio state: {error}") from error


def link_settings(state: RadioState, base: LinkSettings) -> LinkSettings:
    """What a link over this radio carries: `base`, bettered by what is known.

    The slowest neighbour heard of late sets the rate: airtime must not be counted too low. Group frames go at MCS 0 on
    the primary channel, whose width is known only of 1 and 2 MHz channels; wider ones keep the configured rate.
    """
    unicast, group = _slowest_bps(state), _group_bps(state)
    return replace(
        base,
        unicast_payload=_payload(unicast, base.unicast_payload),
        multicast_payload=_payload(group, base.multicast_payload),
        unicast_bps=unicast or base.unicast_bps,
        multicast_bps=group or base.multicast_bps,
    )


def _slowest_bps(state: RadioState) -> int | None:
    fresh = [one.tx for one in state.neighbours if one.inactive_ms is None or one.inactive_ms <= FRESH_MS]
    return min((round(rate.kbps * 1000) for rate in fresh if rate is not None and rate.kbps), default=None)


def _group_bps(state: RadioState) -> int | None:
    if state.channel is None or state.channel.width_mhz not in (1, 2):
        return None
    return S1gRate(state.channel.width_mhz, 0).bps


def _payload(bps: int | None, base: int) -> int:
    return min(base, NARROW_PAYLOAD) if bps is not None and bps < NARROW_BELOW_BPS else base
