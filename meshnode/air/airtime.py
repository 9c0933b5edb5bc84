"""How long a frame holds an 802.11ah (S1G) channel: access, the frame itself (core/airtime/s1g.py), acknowledgement.

Integer nanoseconds throughout, so that two machines agree on every decision.
"""

from __future__ import annotations

from meshnode.core.airtime.s1g import (
    AGGREGATE_LIMIT,
    BITS_PER_SYMBOL,
    DELIMITER,
    HEADER,
    LLC,
    NARROW_PREAMBLE_NS,
    PLAIN_LIMIT,
    SHORT_PREAMBLE_NS,
    SHORT_SYMBOL_NS,
    SYMBOL_LIMIT,
    SYMBOL_NS,
    PlainRate,
    Rate,
    S1gRate,
    fragments,
    psdu_octets,
)

__all__ = [
    "AGGREGATE_LIMIT",
    "BITS_PER_SYMBOL",
    "DELIMITER",
    "HEADER",
    "LLC",
    "NARROW_PREAMBLE_NS",
    "PLAIN_LIMIT",
    "SHORT_PREAMBLE_NS",
    "SHORT_SYMBOL_NS",
    "SYMBOL_LIMIT",
    "SYMBOL_NS",
    "PlainRate",
    "Rate",
    "S1gRate",
    "fragments",
    "psdu_octets",
]

SIFS_NS = 160_000
SLOT_NS = 52_000
AIFS_NS = SIFS_NS + 3 * SLOT_NS  # best effort
BACKOFF_NS = 15 * SLOT_NS // 2  # the mean of a first draw from 0..15 slots
ACCESS_NS = AIFS_NS + BACKOFF_NS
FLIGHT_NS = 6_000  # the propagation budget of a slot, about 900 m each way
NARROW_RX_START_NS = 600_000
SHORT_RX_START_NS = 280_000
OVERHEAD = HEADER + LLC


def frame_ns(mpdu: int, rate: Rate) -> int:
    """The time one MAC frame takes from the start of its preamble until it has arrived."""
    return rate.ppdu_ns(psdu_octets(mpdu)) + FLIGHT_NS


def ack_ns(rate: Rate) -> int:
    """From the arrival of a frame until its sender holds the NDP ACK."""
    return SIFS_NS + rate.preamble_ns + FLIGHT_NS


def ack_timeout_ns(rate: Rate) -> int:
    """How long a sender waits before it takes the ACK for lost."""
    start = NARROW_RX_START_NS if rate.preamble_ns == NARROW_PREAMBLE_NS else SHORT_RX_START_NS
    return SIFS_NS + SLOT_NS + start


def unicast_ns(payload: int, rate: Rate) -> int:
    """The whole exchange for one packet won at the first try: access, frame, ACK, for each fragment."""
    return sum(ACCESS_NS + frame_ns(mpdu, rate) + ack_ns(rate) for mpdu in fragments(payload, rate))


def group_ns(payload: int, basic: Rate) -> int:
    """Access and frame of one packet to a group, which nobody acknowledges."""
    return ACCESS_NS + frame_ns(payload + OVERHEAD, basic)
