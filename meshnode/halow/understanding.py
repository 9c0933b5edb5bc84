"""Makes a radio's state of what its driver shows: true channel, width and rates behind fictitious numbers.

    mm81x       shows S1G as it is: frequency with offset, S1G rates
    Morse       5 GHz channels by its map; VHT rates of 20/40/80/160 MHz for 1/2/4/8 MHz: the true one by MCS and width
    Newracom    2.4 and 5 GHz channels by its map, which also gives the width; its rates are not documented

Without the region a shown channel has no frequency: the same one means another in each country. Nothing is guessed;
what stays unknown is None, and `missing` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from meshnode.board.channels import NativeMap, S1gChannel, fictitious, maps
from meshnode.board.profile import Driver
from meshnode.board.region import country, regions
from meshnode.halow.messages import InterfaceFacts, RateFacts, StationFacts
from meshnode.halow.state import Channel, Neighbour, RadioState, Rate, Role, true_rate

_TRUE_WIDTH = {None: 1, 40: 2, 80: 4, 160: 8}  # of Morse, by the width that the rate names


@dataclass(frozen=True, slots=True)
class Setting:
    """What drivers do not tell: country, channel plan (Australia), the driver's own band setting (Korea, Taiwan)."""

    region: str = ""
    plan: str | None = None
    band: str | None = None


def understand(
    family: Driver, facts: InterfaceFacts, stations: Sequence[StationFacts], noise_dbm: int | None, setting: Setting
) -> RadioState:
    """The state of a radio that nl80211 describes."""
    channel, why = _channel(family, facts, setting)
    neighbours = tuple(_neighbour(family, station) for station in stations)
    missing = [why] if why else []
    if any(station.tx is not None for station in stations) and not any(one.tx for one in neighbours):
        missing.append(f"rate: how {family.title} shows S1G rates is not known, or it named no MCS")
    return RadioState(
        interface=facts.name,
        source="nl80211",
        family=family.name,
        role=cast("Role | None", facts.role),
        network=facts.network,
        region=country(setting.region) if setting.region else "",
        channel=None if channel is None else Channel(channel.centre_khz, channel.width_mhz, channel.number),
        shown_mhz=facts.centre_khz / 1000 if facts.centre_khz and family.nl80211 == "fictitious" else None,
        noise_dbm=noise_dbm,
        tx_power_dbm=None if facts.tx_power_mbm is None else facts.tx_power_mbm / 100,
        neighbours=neighbours,
        missing=tuple(missing),
    )


def _channel(family: Driver, facts: InterfaceFacts, setting: Setting) -> tuple[S1gChannel | None, str]:
    """The true channel, or why it is not known."""
    if facts.centre_khz is None:
        return None, "channel: the driver shows none (the interface is down, or in no network)"
    if family.nl80211 == "native":
        return _native(facts.centre_khz, facts.width_mhz)
    found = fictitious(family.channel_map or "")
    code = _region_code(setting.region)
    if found is None or not code:
        return None, "channel: the region is not known, and each has another frequency for the shown one"
    shown = facts.centre_khz / 1000
    true = found.true(code, shown, width=facts.width_mhz, scheme=setting.plan, setting=setting.band)
    if true is None and found.table(code, setting.plan, setting.band) is None:
        return (
            None,
            f"channel: there is no map of {family.title} for {code} {setting.plan or setting.band or ''}".rstrip(),
        )
    return true, "" if true else f"channel: the map of {code} has nothing at the shown {shown:g} MHz"


def _native(centre_khz: int, width_mhz: int | None) -> tuple[S1gChannel | None, str]:
    if width_mhz not in (1, 2, 4, 8, 16):
        return None, "channel: the width is none of S1G"
    native = maps()["mm81x"]
    listed = native.channels if isinstance(native, NativeMap) and width_mhz == 1 else ()
    number = next((one.s1g for one in listed if one.centre_khz == centre_khz), None)
    return S1gChannel(centre_khz, width_mhz, number), ""


def _neighbour(family: Driver, facts: StationFacts) -> Neighbour:
    return Neighbour(
        mac=facts.mac,
        signal_dbm=facts.signal_dbm,
        average_dbm=facts.average_dbm,
        tx=_rate(family, facts.tx),
        rx=_rate(family, facts.rx),
        inactive_ms=facts.inactive_ms,
        peering=facts.peering,
        tx_packets=facts.tx_packets,
        tx_retries=facts.tx_retries,
        tx_failed=facts.tx_failed,
        rx_packets=facts.rx_packets,
        tx_bytes=facts.tx_bytes,
        rx_bytes=facts.rx_bytes,
    )


def _rate(family: Driver, facts: RateFacts | None) -> Rate | None:
    """The true rate: of one stream, by MCS and width."""
    if facts is None or facts.streams not in (None, 1):
        return None
    if facts.table == "s1g":
        return true_rate(facts.mcs, facts.width_mhz, facts.short_gi)
    if facts.table == "vht" and family.name == "morse":
        return true_rate(facts.mcs, _TRUE_WIDTH.get(facts.width_mhz), facts.short_gi)
    return None


def _region_code(region: str) -> str:
    """The code of the region file of a country, empty if there is none."""
    wanted = country(region) if region else ""
    return next((one.code for one in regions() if wanted and (wanted == one.code or wanted in one.countries)), "")
