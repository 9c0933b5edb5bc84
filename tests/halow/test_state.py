"""What a link carries follows the true rate; a state goes through JSON and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.settings import LinkSettings
from meshnode.errors import WireError
from meshnode.halow.state import (
    Channel,
    Neighbour,
    RadioState,
    Rate,
    decode_state_untrusted,
    link_settings,
    true_rate,
)  # fmt: skip


def at(*kbps: float, inactive_ms: int | None = 10, width: int | None = None) -> RadioState:
    heard = tuple(Neighbour("02:00:00:00:00:01", tx=Rate(kbps=one), inactive_ms=inactive_ms) for one in kbps)
    return RadioState("wlan1", channel=Channel(923_000, width) if width else None, neighbours=heard)


def test_the_slowest_neighbour_sets_the_rate() -> None:
    assert link_settings(at(6500, 650), LinkSettings()).unicast_bps == 650_000
    assert link_settings(at(6500, 650, inactive_ms=90_000), LinkSettings()) == LinkSettings()
    assert link_settings(at(6500, inactive_ms=None), LinkSettings()).unicast_bps == 6_500_000


def test_a_narrow_rate_makes_small_datagrams() -> None:
    narrow = link_settings(at(150, width=1), LinkSettings())
    assert (narrow.unicast_payload, narrow.unicast_bps) == (384, 150_000)
    assert (narrow.multicast_payload, narrow.multicast_bps) == (384, 300_000)
    two = link_settings(at(650, width=2), LinkSettings(unicast_payload=300))
    assert (two.unicast_payload, two.multicast_payload, two.multicast_bps) == (300, 1200, 650_000)


def test_the_primary_of_a_wide_channel_is_not_known() -> None:
    assert link_settings(at(width=8), LinkSettings(multicast_bps=123_456)).multicast_bps == 123_456


def test_rates_of_the_table() -> None:
    assert true_rate(10, 1) == Rate(10, 1, False, 150)
    assert true_rate(10, 2) is true_rate(9, 2) is true_rate(None, 1) is true_rate(0, None) is None


def test_a_state_goes_through_json_and_back() -> None:
    whole = RadioState(
        "wlh0", "nl80211", "morse", "mesh", "openmanet", "US", Channel(923_000, 2, 42), 5795.0, -95, 22.0,
        (Neighbour("02:00:00:00:00:01", -71, tx=true_rate(7, 2, True), peering="established"),), ("channel: why",),
    )  # fmt: skip
    assert decode_state_untrusted(msgspec.json.encode(whole)) == whole
    assert decode_state_untrusted(b'{"interface": "x", "unicast_bps": 5}') == RadioState("x")


@given(st.binary(max_size=60))
def test_noise_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_state_untrusted(b"{" + data)
