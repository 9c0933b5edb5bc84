"""What a person may tune in the core; the daemon fills it from its configuration."""

from __future__ import annotations

from dataclasses import dataclass

from meshnode.core.ids import ChannelId


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What may cross the uplinks of a bridge. Empty, or 0: no limit of that kind."""

    channels: frozenset[ChannelId] = frozenset()  # of posts
    classes: frozenset[int] = frozenset()
    largest: int = 0  # bytes of a message or a post
    sent_per_day: int = 0
    received_per_day: int = 0
    hours: tuple[tuple[int, int], ...] = ()  # minutes of the day, UTC: from, until
    far: tuple[str, ...] = ()  # overlay addresses of far bridges; empty: whoever is peered with by hand

    @property
    def limited(self) -> bool:
        """True where hours or a day's bytes close and open it."""
        return bool(self.hours or self.sent_per_day or self.received_per_day)


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and choices of one node. Sizes in bytes, times in seconds."""

    name: str = ""  # how the person is shown to others
    open_mesh: bool = False  # the key comes from the name: whoever knows the name is in
    carry_for_others: bool = True  # keep and hand on what is not ours
    store_limit: int = 512 * 1024 * 1024
    copies: int = 8  # copy budget of an envelope of class 2 (16 for urgent, 4 for bulk)
    lifetime_s: int = 14 * 86400  # of a direct message
    answer_traces: bool = True  # tell a probe which way it came
    read_receipts: bool = True
    bridge: BridgeRules | None = None  # this node has an uplink, and these are its rules


@dataclass(frozen=True, slots=True)
class Law:
    """What a region lets one interface transmit. Shares in parts per million, so that the accounting is exact."""

    duty_ppm: int = 1_000_000  # of any `window_s`; 28,000 for a portable node in Europe
    window_s: int = 3600
    spacing_us: int = 0  # silence after each transmission
    burst_us: int = 0  # the longest transmission; 0: as long as it takes
    omit_responses: bool = False  # the acknowledgements a radio sends are not counted
    standing_ppm: int = 0  # what the radio sends by itself: beacons
    reserve_ppm: int = 0  # kept free for what others send on this interface
    others_held: bool = False  # the host holds them to the reserve; else it is a hope

    @property
    def limited(self) -> bool:
        """True where an hour's airtime has an end."""
        return self.duty_ppm < 1_000_000


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What is known about one link: the largest UDP payloads in bytes, and rates in bit/s for pacing and airtime."""

    unicast_payload: int = 1200
    multicast_payload: int = 1200
    unicast_bps: int = 1_000_000
    multicast_bps: int = 300_000
    multicast: bool = True  # False where the driver or the access point filters group frames
    law: Law = Law()
