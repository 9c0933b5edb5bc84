"""What a transmission takes from the hour the law allows: the time our own transmitter is on, never less.

Waiting for the channel and what others answer are not ours. Every frame is taken to carry the longest header 802.11
puts on data, so that the figure holds for a closed mesh and an open access point alike. Shares of the channel and
pacing are another matter (estimate.py).
"""

from __future__ import annotations

from functools import lru_cache

from meshnode.core.airtime.s1g import (
    DELIMITER,
    LLC,
    PLAIN_LIMIT,
    SYMBOL_NS,
    PlainRate,
    Rate,
    S1gRate,
    fragments,
    psdu_octets,
)

LONGEST_HEADER = 32 + 18 + 16 + 4  # four addresses with QoS, Mesh Control with addresses, CCMP, frame check
DATAGRAM = 48  # IPv6 and UDP headers
ETHERNET = 14  # what a kernel counts with each packet, and the air does not carry


Mode = S1gRate | PlainRate


@lru_cache(maxsize=4096)
def packet_ns(octets: int, rate: Mode) -> int:
    """A network packet of that many octets to one station, sent once, in as many frames as it takes."""
    return sum(rate.ppdu_ns(psdu_octets(mpdu)) for mpdu in fragments(octets, rate, LONGEST_HEADER))


@lru_cache(maxsize=4096)
def group_packet_ns(octets: int, basic: Mode) -> int:
    """A network packet to a group: one frame, at the basic rate."""
    return basic.ppdu_ns(psdu_octets(octets + LLC + LONGEST_HEADER))


@lru_cache(maxsize=4096)
def longest_frame_ns(octets: int, rate: Mode) -> int:
    """The longest of the frames that carry a packet: what sending one of them again takes at most."""
    return max(rate.ppdu_ns(psdu_octets(mpdu)) for mpdu in fragments(octets, rate, LONGEST_HEADER))


def many_ns(packets: int, octets: int, rate: Rate) -> int:
    """No less than what `packets` of `octets` in all take, however the octets are spread over them."""
    if packets <= 0:
        return 0
    frames = _frames(packets, octets, rate)
    carried = octets + LLC * packets + (LONGEST_HEADER + DELIMITER) * frames
    # Each frame has its preamble, its 14 bits of service and tail, and half-filled last symbol.
    return frames * (rate.ppdu_ns(0) + SYMBOL_NS) + rate.ppdu_ns(carried)


def answers_ns(packets: int, octets: int, rate: Rate) -> int:
    """The acknowledgements a radio sends for packets it received: one preamble for each frame they came in."""
    return _frames(packets, octets, rate) * rate.preamble_ns if packets > 0 else 0


def _frames(packets: int, octets: int, rate: Rate) -> int:
    limit = rate.psdu_limit if rate.psdu_limit <= PLAIN_LIMIT else rate.psdu_limit - DELIMITER
    return packets + (octets + LLC * packets) // (limit - LONGEST_HEADER)
