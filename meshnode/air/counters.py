"""What a radio did, counted: frames, attempts, bytes and airtime, by kind of destination and by kind of traffic."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Sums over a set of frames. Bytes are bytes on air: every attempt, 802.11 headers included."""

    frames: int = 0
    attempts: int = 0
    bytes: int = 0
    airtime_ns: int = 0  # what the channel was taken: access, frames, acknowledgements or their timeouts
    radiated_ns: int = 0  # of that, what was really sent: frames and acknowledgements

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.frames + other.frames,
            self.attempts + other.attempts,
            self.bytes + other.bytes,
            self.airtime_ns + other.airtime_ns,
            self.radiated_ns + other.radiated_ns,
        )

    def __sub__(self, earlier: Tally) -> Tally:
        return Tally(
            self.frames - earlier.frames,
            self.attempts - earlier.attempts,
            self.bytes - earlier.bytes,
            self.airtime_ns - earlier.airtime_ns,
            self.radiated_ns - earlier.radiated_ns,
        )


@dataclass(slots=True)
class Counters:
    """One node's radio."""

    unicast: Tally = field(default_factory=Tally)
    group: Tally = field(default_factory=Tally)
    kinds: dict[str, Tally] = field(default_factory=dict)  # by what the host calls the traffic
    received: int = 0  # frames handed up
    lost: int = 0  # attempts one receiver within hearing did not decode
    failed: int = 0  # frames given up after the last retry
    too_long: int = 0  # group frames that fit no transmission at the basic rate
    dropped: int = 0  # frames refused or thrown away because the queue was full or the node was off
    busy_ns: int = 0  # how long the channel was taken by this node or by one it hears
    collisions: int = 0  # frames lost at one receiver because others talked at the same time

    @property
    def total(self) -> Tally:
        """Unicast and group together."""
        return self.unicast + self.group

    def count(
        self, kind: str, to_all: bool, frames: int, octets: int, airtime_ns: int, radiated_ns: int, attempts: int = 1
    ) -> None:
        """Adds one transmission to the sums of its kind and of its destinations."""
        of_kind = self.kinds.get(kind)
        if of_kind is None:
            of_kind = self.kinds[kind] = Tally()
        for tally in (self.group if to_all else self.unicast, of_kind):
            tally.frames += frames
            tally.attempts += attempts
            tally.bytes += octets
            tally.airtime_ns += airtime_ns
            tally.radiated_ns += radiated_ns

    def copy(self) -> Counters:
        """A snapshot, for windows."""
        nothing = Tally()
        kinds = {kind: tally + nothing for kind, tally in self.kinds.items()}
        plain = (self.received, self.lost, self.failed, self.too_long, self.dropped, self.busy_ns, self.collisions)
        return Counters(self.unicast + nothing, self.group + nothing, kinds, *plain)

    def __sub__(self, earlier: Counters) -> Counters:
        nothing = Tally()
        kinds = {kind: tally - earlier.kinds.get(kind, nothing) for kind, tally in self.kinds.items()}
        return Counters(
            unicast=self.unicast - earlier.unicast,
            group=self.group - earlier.group,
            kinds=kinds,
            received=self.received - earlier.received,
            lost=self.lost - earlier.lost,
            failed=self.failed - earlier.failed,
            too_long=self.too_long - earlier.too_long,
            dropped=self.dropped - earlier.dropped,
            busy_ns=self.busy_ns - earlier.busy_ns,
            collisions=self.collisions - earlier.collisions,
        )
