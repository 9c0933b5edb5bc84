"""How long a datagram will occupy the channel: an estimate for pacing and fair shares, not the radio's own figure.

`size * 8 / rate` plus access, preamble and acknowledgement of a 1 MHz channel (AIFS 316 us, 7.5 slots of 52 us,
preamble 560 us, SIFS 160 us, NDP ACK 560 us: IEEE 802.11-2024, Table 23-41).
"""

from __future__ import annotations

from meshnode.core.settings import LinkSettings

FRAME_OVERHEAD = 38 + 48  # 802.11 data frame with CCMP and LLC, IPv6 and UDP headers, in bytes
_ACCESS_S = (316 + 390 + 560) / 1e6
_ACK_S = (160 + 560) / 1e6


def airtime_s(payload: int, unicast: bool, link: LinkSettings) -> float:
    """Seconds on the channel for a UDP payload of that many bytes, first attempt."""
    bits = (payload + FRAME_OVERHEAD) * 8
    if unicast:
        return _ACCESS_S + bits / link.unicast_bps + _ACK_S
    return _ACCESS_S + bits / link.multicast_bps
