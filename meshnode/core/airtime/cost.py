"""What a transmission takes from the hour the law allows: the time our own transmitter is on, never less.

Waiting for the channel and what others answer are not ours. Every frame is taken to carry the longest header 802.11
puts on data, so that the figure holds for a closed mesh and an open access point alike. Shares of the channel and
pacing are another matter (estimate.py).
"""

from __future__ import annotations

from functools import lru_cache, partial

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
_SIZES = 2048  # more than there are sizes of datagrams


Mode = S1gRate | PlainRate


def packet_ns(octets: int, rate: Mode) -> int:
    """A network packet of that many octets to one station, sent once, in as many frames as it takes."""
    return sum(rate.ppdu_ns(psdu_octets(mpdu)) for mpdu in fragments(octets, rate, LONGEST_HEADER))


def group_packet_ns(octets: int, basic: Mode) -> int:
    """A network packet to a group: one frame, at the basic rate."""
    return basic.ppdu_ns(psdu_octets(octets + LLC + LONGEST_HEADER))


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


class Tariff:
    """What single packets of so many octets take at the rates of one link, looked up where it was asked before.

    To look it up by rate as well took longer than to look up all the rest: a rate is hashed field by field.
    """

    def __init__(self, rate: Mode, basic: Mode) -> None:
        self.packet_ns = lru_cache(_SIZES)(partial(packet_ns, rate=rate))
        self.group_packet_ns = lru_cache(_SIZES)(partial(group_packet_ns, basic=basic))
        self.longest_frame_ns = lru_cache(_SIZES)(partial(longest_frame_ns, rate=rate))
        self.answer_ns = lru_cache(_SIZES)(partial(answers_ns, 1, rate=rate))


@lru_cache(maxsize=64)
def tariff_of(rate: Mode, basic: Mode) -> Tariff:
    """The same one for all links of these rates."""
    return Tariff(rate, basic)


def _frames(packets: int, octets: int, rate: Rate) -> int:
    limit = rate.psdu_limit if rate.psdu_limit <= PLAIN_LIMIT else rate.psdu_limit - DELIMITER
    return packets + (octets + LLC * packets) // (limit - LONGEST_HEADER)
