"""The medium of level `radio`: places, levels, carrier sense, collisions, capture, retries, aggregates.

    idle --offer--> contending --counted down--> talking --end of frame--> awaiting the ACK --> contending | idle
                      ^  frozen while it hears somebody

Access is EDCA best effort: AIFS of 316 us, then a number of slots of 52 us drawn from the window (15, doubled with each
failure up to 1023), counted while the channel is idle. A node takes it for busy while it hears a frame at carrier sense
level or better, and after one for a single receiver until its acknowledgement is over, decoded or not (NAV, or EIFS:
they end together). Who begins within 40 us of another has not sensed it yet, and they collide if somebody hears both.

A frame is decoded with the chance that phy.py gives for its signal over noise and all that was on the air with it, as
heard at the receiver; a node that talked meanwhile hears nothing. So hidden nodes collide, and the stronger of two is
captured. Acknowledgements (NDP) are frames too. For one receiver up to 16 frames go in one aggregate, each acknowledged
apart; what is longer than a PPDU is fragmented as in air/airtime.py. For all, a frame goes once at the basic rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Final

from meshnode.air.airtime import (
    AGGREGATE_LIMIT,
    AIFS_NS,
    DELIMITER,
    FLIGHT_NS,
    SIFS_NS,
    SLOT_NS,
    S1gRate,
    ack_timeout_ns,
    fragments,
    psdu_octets,
)
from meshnode.air.channel import RETRIES
from meshnode.air.counters import Counters
from meshnode.air.draws import CERTAIN, Draws
from meshnode.air.events import Delivery, Events
from meshnode_sim.integers import from_milli_db, milli_db
from meshnode_sim.phy import Profile, carrier_sense, decoded, noise, required, sensitivity
from meshnode_sim.places import Row

CW_MIN, CW_MAX = 15, 1023
SENSE_NS: Final = 40_000  # CCA time
AGGREGATE_FRAMES: Final = 16
COMFORT_MDB: Final = 3_000  # rate control leaves this much above what an MCS requires
SELDOM: Final = 2_000  # mdB below the sensitivity: nine in ten of 256 octets are lost; no group frame is decoded there
NDP_OCTETS: Final = 6  # an NDP ACK is 25 bits of SIG, at the rate of MCS 0

CHANCE_SLOT, CHANCE_FRAME = 48, 49  # purposes of draws


@dataclass(frozen=True, slots=True)
class RadioSettings:
    """One kind of radio for all nodes. `mcs` None: the best that leaves 3 dB, one lower with each second retry."""

    width_mhz: int = 2
    mcs: int | None = None
    short_gi: bool = False
    basic_mcs: int = 0
    basic_width_mhz: int = 1
    profile: Profile = "standard"
    retries: int = RETRIES
    queue_frames: int = 128
    aggregate: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """A rate, and in mdB(m) the noise it is heard over and by how much it has to stand out of it. Made by `_mode`."""

    rate: S1gRate
    noise: int
    required: int


@dataclass(slots=True, eq=False)
class _Frame:
    """One frame in a queue; a long one in pieces."""

    data: bytes
    dst: int | None
    pieces: tuple[int, ...]
    serial: int
    kind: str
    piece: int = 0
    retry: int = 0
    arrived: bool = False  # whole at the receiver, though the sender may not know


@dataclass(slots=True, eq=False)
class _Radio:
    """One node's queue and its access to the channel."""

    queue: deque[_Frame] = field(default_factory=deque)
    counters: Counters = field(default_factory=Counters)
    window: int = CW_MIN
    slots: int = 0
    idle_ns: int = 0  # since when, or from when on, it takes the channel for idle
    access_ns: int = -1  # when it will talk, -1 while it is not contending
    turn: int = 0  # only the newest access counts
    draws: int = 0
    serial: int = 0
    talking: bool = False
    on: bool = True


@dataclass(slots=True, eq=False)
class _Burst:
    """One transmission on the air."""

    src: int
    start_ns: int
    end_ns: int
    frames: tuple[_Frame, ...]
    octets: tuple[int, ...]
    mode: _Mode
    dst: int | None
    row: Row
    ack: bool = False
    others: list[_Burst] = field(default_factory=list)


class RadioMedium(Events):
    """All radios of one world, on one channel. `rows` says who reaches whom; `place` changes it."""

    def __init__(self, rows: Sequence[Row], settings: RadioSettings, seed: int) -> None:
        super().__init__()
        self.settings = settings
        self._draws = Draws(seed)
        self._radios = [_Radio() for _ in rows]
        self._live: list[_Burst] = []
        self._loss: dict[tuple[int, int], int] = {}
        self._cut: set[tuple[int, int]] = set()
        self._sense = carrier_sense(settings.width_mhz, settings.profile)
        width = min(settings.basic_width_mhz, settings.width_mhz)
        self._basic = _mode(width, settings.basic_mcs, False, settings.profile)
        self._least = sensitivity(width, settings.basic_mcs, settings.profile) - SELDOM
        self.place(rows)

    # ---------------------------------------------------------------- for the host

    def place(self, rows: Sequence[Row]) -> None:
        """Nodes have moved; what is on the air goes on as it was."""
        self._rows = list(rows)

    def offer(
        self, node: int, frame: bytes, dst: int | None, now_ns: int, *, payload: int | None = None, kind: str = ""
    ) -> bool:
        """Queues a frame for one receiver, or for all in hearing (None); False: the queue is full, or the node off."""
        radio = self._radios[node]
        if not radio.on or len(radio.queue) >= self.settings.queue_frames:
            radio.counters.dropped += 1
            return False
        pieces = _pieces(len(frame) if payload is None else payload, self._mode(node, dst, 0))
        if dst is None and len(pieces) > 1:
            radio.counters.too_long += 1
            return True
        radio.serial += 1
        radio.queue.append(_Frame(frame, dst, pieces, radio.serial, kind))
        if not radio.talking and radio.access_ns < 0:
            self._contend(node, now_ns)
        return True

    def set_power(self, node: int, on: bool) -> None:
        """Switches a radio: off, it forgets its queue, hears nothing and answers nothing."""
        radio = self._radios[node]
        radio.on = on
        if not on:
            radio.counters.dropped += len(radio.queue)
            radio.queue.clear()
            radio.access_ns = -1

    def set_link(self, src: int, dst: int, *, up: bool) -> None:
        """Whether anything passes in one direction; it still disturbs."""
        (self._cut.discard if up else self._cut.add)((src, dst))

    def disturb(self, src: int, dst: int, loss: int) -> None:
        """A loss of one direction beside what the signal has (air/draws.py: a chance)."""
        self._loss[src, dst] = loss

    def knows(self, src: int, dst: int) -> bool:
        """Anybody may be kept from hearing anybody."""
        return src != dst

    def waiting(self, node: int) -> int:
        """Frames in the node's queue, the one on the air included."""
        return len(self._radios[node].queue)

    def counters(self, node: int) -> Counters:
        """A snapshot of the node's counters."""
        return self._radios[node].counters.copy()

    # ---------------------------------------------------------------- access

    def _contend(self, node: int, now_ns: int) -> None:
        """Draws slots, and counts from when the channel is idle."""
        radio = self._radios[node]
        radio.draws += 1
        radio.slots = self._draws.word(CHANCE_SLOT, node, radio.draws) % (radio.window + 1)
        radio.idle_ns = max(radio.idle_ns, now_ns)
        self._count_down(node)

    def _count_down(self, node: int) -> None:
        radio = self._radios[node]
        radio.access_ns = radio.idle_ns + AIFS_NS + radio.slots * SLOT_NS
        radio.turn += 1
        self.at(radio.access_ns, partial(self._access, node, radio.turn))

    def _access(self, node: int, turn: int, now_ns: int) -> list[Delivery]:
        radio = self._radios[node]
        if radio.turn == turn and radio.access_ns == now_ns and radio.queue:
            radio.access_ns = -1
            self._talk(node, now_ns)
        return []

    def _freeze(self, node: int, now_ns: int, until_ns: int) -> None:
        """The node hears something until then; a countdown stops, unless it ends before that could be sensed."""
        radio = self._radios[node]
        idle_ns = radio.idle_ns
        if until_ns > idle_ns:
            radio.idle_ns = until_ns
            radio.counters.busy_ns += until_ns - (now_ns if now_ns > idle_ns else idle_ns)
        if radio.access_ns > now_ns + SENSE_NS:
            counted = max(0, now_ns - idle_ns - AIFS_NS) // SLOT_NS
            radio.slots -= min(radio.slots, counted)
            self._count_down(node)

    # ---------------------------------------------------------------- talking

    def _talk(self, node: int, now_ns: int) -> None:
        radio = self._radios[node]
        first = radio.queue[0]
        mode = self._mode(node, first.dst, first.retry)
        rate = mode.rate
        frames = self._together(radio, rate)
        octets = tuple(frame.pieces[frame.piece] for frame in frames)
        psdu = psdu_octets(octets[0]) if len(frames) == 1 else sum(map(_subframe, octets))
        end_ns = now_ns + _ppdu_ns(mode, psdu) + FLIGHT_NS
        burst = _Burst(node, now_ns, end_ns, frames, octets, mode, first.dst, self._rows[node])
        radio.talking = True
        self._on_air(burst, 0 if first.dst is None else _answer_ns(rate))
        self._charge(burst)
        self.at(end_ns, partial(self._over, burst))

    def _together(self, radio: _Radio, rate: S1gRate) -> tuple[_Frame, ...]:
        """The first frame, and with it others for the same receiver as far as one aggregate goes."""
        first = radio.queue[0]
        if first.dst is None or len(first.pieces) > 1 or not self.settings.aggregate:
            return (first,)
        room = min(rate.psdu_limit, AGGREGATE_LIMIT) - _subframe(first.pieces[0])
        found = [first]
        for frame in list(radio.queue)[1:]:
            if len(found) == AGGREGATE_FRAMES or frame.dst != first.dst or len(frame.pieces) > 1:
                break
            room -= _subframe(frame.pieces[0])
            if room < 0:
                break
            found.append(frame)
        return tuple(found)

    def _on_air(self, burst: _Burst, answer_ns: int) -> None:
        """Whoever is on the air with it disturbs and is disturbed; whoever hears it waits."""
        self._live = [other for other in self._live if other.end_ns > burst.start_ns]
        for other in self._live:
            other.others.append(burst)
            burst.others.append(other)
        self._live.append(burst)
        self._radios[burst.src].counters.busy_ns += burst.end_ns - burst.start_ns
        for node in self._rows[burst.src].above(self._sense):
            self._freeze(node, burst.start_ns, burst.end_ns + answer_ns)

    def _over(self, burst: _Burst, now_ns: int) -> list[Delivery]:
        """A frame, or an aggregate, has ended."""
        if not self._radios[burst.src].on:
            self._radios[burst.src].talking = False
            return []
        if burst.dst is None:
            return self._group_over(burst, now_ns)
        heard = [
            frame for frame, octets in zip(burst.frames, burst.octets, strict=True) if self._hit(burst, frame, octets)
        ]
        self._radios[burst.src].counters.lost += len(burst.frames) - len(heard)
        if heard:
            self._acknowledge(burst, heard, now_ns)
        else:
            self.at(now_ns + ack_timeout_ns(burst.mode.rate), partial(self._settle, burst, []))
        return [delivery for frame in heard for delivery in self._take(burst, frame, now_ns)]

    def _take(self, burst: _Burst, frame: _Frame, now_ns: int) -> list[Delivery]:
        """The receiver has a piece; with the last one it has the frame, once."""
        if burst.dst is None or frame.arrived or frame.piece + 1 < len(frame.pieces):
            return []
        frame.arrived = True
        self._radios[burst.dst].counters.received += 1
        return [Delivery(burst.dst, burst.src, frame.data, now_ns)]

    def _acknowledge(self, burst: _Burst, heard: list[_Frame], now_ns: int) -> None:
        """After SIFS the receiver answers with a preamble, whatever it hears; then its sender knows, or does not."""
        receiver = burst.frames[0].dst
        if receiver is None:
            return
        start_ns = now_ns + SIFS_NS
        rate = burst.mode.rate
        end_ns = start_ns + rate.preamble_ns + FLIGHT_NS
        base = _mode(rate.width_mhz, 0, False, self.settings.profile)
        ack = _Burst(receiver, start_ns, end_ns, (), (), base, burst.src, self._rows[receiver], ack=True)

        def begin(at_ns: int) -> list[Delivery]:
            self._on_air(ack, 0)
            return []

        def end(at_ns: int) -> list[Delivery]:
            known = heard if self._hit(ack, heard[0], NDP_OCTETS) else []
            return self._settle(burst, known, at_ns)

        self.at(start_ns, begin)
        self.at(end_ns, end)

    def _settle(self, burst: _Burst, known: list[_Frame], now_ns: int) -> list[Delivery]:
        """The sender knows what was acknowledged; the rest goes again, or is given up."""
        radio = self._radios[burst.src]
        radio.talking = False
        for frame in burst.frames:
            if frame in known:
                frame.piece, frame.retry = frame.piece + 1, 0
                done = frame.piece == len(frame.pieces)
            else:
                frame.retry += 1
                done = frame.retry > self.settings.retries
                radio.counters.failed += done
            if done and frame in radio.queue:
                radio.queue.remove(frame)
        radio.window = CW_MIN if known else min(CW_MAX, 2 * radio.window + 1)
        if burst.frames[0] not in radio.queue:
            radio.window = CW_MIN
        self._go_on(burst.src, now_ns)
        return []

    def _go_on(self, node: int, now_ns: int) -> None:
        radio = self._radios[node]
        if radio.on and radio.queue:
            self._contend(node, now_ns)

    # ---------------------------------------------------------------- decoding

    def _group_over(self, burst: _Burst, now_ns: int) -> list[Delivery]:
        radio = self._radios[burst.src]
        radio.talking = False
        frame = burst.frames[0]
        if radio.queue and radio.queue[0] is frame:
            radio.queue.popleft()
        near, radios, octets = burst.row.above(self._least), self._radios, burst.octets[0]
        heard = [node for node in near if radios[node].on and self._decodes(burst, node, octets, frame)]
        radio.counters.lost += len(near) - len(heard)
        for node in heard:
            radios[node].counters.received += 1
        self._go_on(burst.src, now_ns)
        return [Delivery(node, burst.src, frame.data, now_ns) for node in heard]

    def _hit(self, burst: _Burst, frame: _Frame, octets: int) -> bool:
        """Whether the one receiver decodes it."""
        dst = burst.dst
        return dst is not None and self._radios[dst].on and self._decodes(burst, dst, octets, frame)

    def _decodes(self, burst: _Burst, node: int, octets: int, frame: _Frame) -> bool:
        level = burst.row.at.get(node)
        if level is None or (self._cut and (burst.src, node) in self._cut):
            return False
        needed = burst.mode.required
        alone = level - burst.mode.noise
        ratio = self._disturbed(burst, node, level, alone) if burst.others else alone
        chance = 0 if ratio is None else decoded(ratio - needed, octets)
        extra = self._loss.get((burst.src, node), 0) if self._loss else 0
        if extra:
            chance = chance * (CERTAIN - extra) >> 32
        if chance == CERTAIN:
            return True
        counters = (CHANCE_FRAME, burst.src, node, frame.serial, frame.piece, frame.retry, burst.ack)
        heard = self._draws.happens(chance, *counters)
        if not heard and ratio != alone and self._draws.happens(decoded(alone - needed, octets), *counters):
            self._radios[node].counters.collisions += 1
        return heard

    def _disturbed(self, burst: _Burst, node: int, level: int, alone: int) -> int | None:
        """Signal to noise and interference in mdB; None where the receiver itself was talking."""
        if any(other.src == node for other in burst.others):
            return None
        levels = [other.row.at[node] for other in burst.others if node in other.row.at]
        if not levels:
            return alone
        sum_of_others = sum(_power(other) for other in levels) + _power(level - alone)
        return milli_db(_power(level)) - milli_db(sum_of_others)

    # ---------------------------------------------------------------- details

    def _mode(self, src: int, dst: int | None, retry: int) -> _Mode:
        if dst is None:
            return self._basic
        settings, mcs = self.settings, self.settings.mcs
        if mcs is None:
            best = best_mcs(self._rows[src].at.get(dst, -1_000_000), settings.width_mhz, settings.profile)
            mcs = max(0, best - retry // 2)
        return _mode(settings.width_mhz, mcs, settings.short_gi, settings.profile)

    def _charge(self, burst: _Burst) -> None:
        """Access is charged by its mean, as air/channel.py does, so that figures of both can be compared."""
        counters = self._radios[burst.src].counters
        frame_ns = burst.end_ns - burst.start_ns
        radiated_ns = frame_ns + (0 if burst.dst is None else _answer_ns(burst.mode.rate))
        attempts, airtime_ns = 1, AIFS_NS + CW_MIN * SLOT_NS // 2 + radiated_ns
        for frame, octets in zip(burst.frames, burst.octets, strict=True):
            fresh = int(frame.piece == 0 and frame.retry == 0)
            counters.count(frame.kind, burst.dst is None, fresh, octets, airtime_ns, radiated_ns, attempts)
            attempts = airtime_ns = radiated_ns = 0  # an aggregate is one attempt, its first frame's


def _subframe(mpdu: int) -> int:
    """Octets of one MAC frame in an aggregate: a delimiter before it, padding to four octets behind."""
    return DELIMITER + -(-mpdu // 4) * 4


def _answer_ns(rate: S1gRate) -> int:
    return SIFS_NS + rate.preamble_ns + FLIGHT_NS


@cache
def _mode(width_mhz: int, mcs: int, short_gi: bool, profile: Profile) -> _Mode:
    return _Mode(S1gRate(width_mhz, mcs, short_gi), noise(width_mhz, mcs, profile), required(mcs))


@lru_cache(maxsize=1 << 16)
def _ppdu_ns(mode: _Mode, psdu: int) -> int:
    return mode.rate.ppdu_ns(psdu)


@lru_cache(maxsize=1 << 16)
def _pieces(payload: int, mode: _Mode) -> tuple[int, ...]:
    """The MAC frames of one network packet, in octets."""
    return fragments(payload, mode.rate)


@lru_cache(maxsize=1 << 16)
def _power(level: int) -> int:
    """Linear, such that -170 dBm is still more than a thousand."""
    return from_milli_db(level + 140_000)


@lru_cache(maxsize=1 << 16)
def best_mcs(level: int, width_mhz: int, profile: Profile) -> int:
    """The highest MCS (0 to 7) that leaves some comfort; 0 where none does."""
    fits = [mcs for mcs in range(8) if level >= sensitivity(width_mhz, mcs, profile) + COMFORT_MDB]
    return max(fits, default=0)
