"""Sessions: what TCP over the modelled radio, or over the overlay, does to records, without the bytes of TCP.

    calling --six packets--> open --hangup--> draining --all taken--> over
        \\--no answer in 15 s--> DialFailed    \\--nothing taken for 30 s, or the power gone--> over

A record becomes segments; up to ten are under way, the receiver acknowledges every second one, and what is not
acknowledged in time goes again from the first missing octet on (go-back-N; the time doubles). Each packet is one frame
of the radio with its real size: IPv6 and TCP with timestamps 72 octets, a record 19 more than its frames. Records
travel as they are, while the daemon compresses longer ones: so bulk costs slightly more here than on the air.

A session over the overlay has shorter segments and does not end for being idle: TCP asks every two minutes whether
the other end is there (meshnode/peering/tcp.py), and whoever calls again ends what was left of the session before.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.sealing.records import RECORD_OVERHEAD
from meshnode_sim.agenda import AIR, SECOND_NS, Agenda

TAG: Final = 1  # first octet of a packet of ours on the medium; datagrams have others
HEADERS: Final = 72
SEGMENT: Final = 1428  # what an MTU of 1500 leaves
UNDER_WAY: Final = 10  # segments: the initial window of TCP (RFC 6928)
# By turns: SYN, SYN ACK, ACK, the round of the listener, and the two hellos (core/sealing/stream.py).
CALL: Final = (80, 80, HEADERS, HEADERS + 16, HEADERS + 211, HEADERS + 211)
CONNECT_NS: Final = 15 * SECOND_NS
STALL_NS: Final = 30 * SECOND_NS
IDLE_NS: Final = 60 * SECOND_NS
RETRY_NS: Final = SECOND_NS
LOW_WATER: Final = 32 * 1024
ASK_NS: Final = 120 * SECOND_NS  # TCP_KEEPIDLE of the daemon
ANSWER_NS: Final = 75 * SECOND_NS  # until a question without an answer ends it: Linux's interval between two

_PACKET: Final = struct.Struct("<BBIBqI")  # tag, what, session, from which end, offset, length
_CALL, _DATA, _ACK, _END, _ASK, _THERE = range(6)


@dataclass(frozen=True, slots=True)
class Manner:
    """What differs between carriers: octets of a segment, and from which number on sessions are counted.

    `idle_ns`: a session that nobody uses ends after so long; None: it stays, and is asked for.
    """

    segment: int
    idle_ns: int | None
    first: int


RADIO: Final = Manner(SEGMENT, IDLE_NS, 0)
OVERLAY: Final = Manner(1280 - HEADERS, None, 1 << 30)  # the smallest MTU that IPv6 allows, as [overlay] has it


@dataclass(slots=True)
class _End:
    """One end: what it sends, and what it has of the other's octets."""

    node: int
    number: int  # as the node knows the session
    records: deque[tuple[int, bytes]] = field(default_factory=deque)  # last octet, frames: not yet taken whole
    written: int = 0  # octets given by the node
    sent: int = 0
    acknowledged: int = 0
    taken: int = 0  # octets of the other end that arrived without a gap
    unanswered: int = 0  # segments that arrived since the last acknowledgement
    low: bool = True  # the node was told that the queue is short
    retry_ns: int = RETRY_NS
    timer: int = 0  # only the newest timer counts


@dataclass(slots=True)
class _Stream:
    """Two ends; end 0 called."""

    name: int
    ends: tuple[_End, _End]
    called_ns: int
    step: int = 0  # packets of the call that have arrived
    open: bool = False
    draining: bool = False
    moved_ns: int = 0  # when something new arrived last

    @property
    def pair(self) -> tuple[int, int]:
        """The two nodes, the lower number first."""
        return _pair(self.ends[0].node, self.ends[1].node)


@dataclass(frozen=True, slots=True)
class Lines:
    """What happens to sessions is told to the world through these."""

    send: Callable[[int, int, bytes, int], bool]  # from, to, packet, octets of network packet
    opened: Callable[[int, int, int, bool], None]  # node, session, the other node, whether it called
    failed: Callable[[int, int], None]  # node, whom it called
    arrived: Callable[[int, int, bytes, int], None]  # node, session, frames, from whom
    writable: Callable[[int, int, int], None]  # node, session, octets queued
    ended: Callable[[int, int], None]  # node, session


class Streams:
    """All sessions of one world."""

    def __init__(self, agenda: Agenda, lines: Lines, manner: Manner = RADIO) -> None:
        self._agenda = agenda
        self._lines = lines
        self._manner = manner
        self._streams: dict[int, _Stream] = {}
        self._joined: set[tuple[int, int]] = set()  # pairs of nodes that have one
        self._of: dict[tuple[int, int], tuple[int, int]] = {}  # (node, its number): stream, end
        self._next = manner.first

    # ---------------------------------------------------------------- what nodes ask

    def dial(self, node: int, other: int) -> None:
        """Call a neighbour; a second call while the two are connected, or calling, comes to nothing."""
        if self._manner.idle_ns is None:
            self._bury(node, other)
        if _pair(node, other) in self._joined:
            return
        self._next += 1
        name = self._next
        ends = (_End(node, 2 * name), _End(other, 2 * name + 1))
        self._streams[name] = stream = _Stream(name, ends, self._agenda.now_ns)
        self._joined.add(stream.pair)
        self._call(name, 0)

    def send(self, node: int, number: int, frames: bytes) -> None:
        """One record."""
        found = self._of.get((node, number))
        if found is None:
            return
        name, side = found
        end = self._streams[name].ends[side]
        end.written += len(frames) + RECORD_OVERHEAD
        end.records.append((end.written, frames))
        end.low = end.low and end.written - end.sent <= LOW_WATER
        self._pump(name, side)

    def hangup(self, node: int, number: int) -> None:
        """Close once all that was sent has been taken."""
        found = self._of.get((node, number))
        if found is not None:
            self._streams[found[0]].draining = True
            self._settle(found[0])

    def power_off(self, node: int) -> None:
        """Its sessions are gone at once for the node; the other ends find out when nothing comes any more."""
        for name, stream in list(self._streams.items()):
            for end in stream.ends:
                if end.node == node:
                    self._of.pop((node, end.number), None)
                    if not stream.open:
                        self._give_up(name)

    # ---------------------------------------------------------------- packets

    def arrived(self, node: int, packet: bytes) -> None:
        """A packet reached a node."""
        _, what, name, side, offset, length = _PACKET.unpack(packet)
        stream = self._streams.get(name)
        if stream is None:
            return
        if what == _CALL:
            self._called(name, stream, offset)
        elif (node, stream.ends[1 - side].number) not in self._of:
            return  # switched off since: nobody answers
        elif what == _DATA:
            self._data(name, 1 - side, offset, length)
        elif what == _ACK:
            self._acknowledged(name, 1 - side, offset)
        elif what == _ASK:
            self._transmit(name, 1 - side, _THERE, 0, 0, HEADERS)
        elif what == _THERE:
            stream.moved_ns = self._agenda.now_ns

    def _called(self, name: int, stream: _Stream, step: int) -> None:
        if step != stream.step or stream.open:
            return
        stream.step += 1
        if stream.step < len(CALL):
            self._call(name, stream.step)
            return
        stream.open, stream.moved_ns = True, self._agenda.now_ns
        for side, end in enumerate(stream.ends):
            self._of[end.node, end.number] = (name, side)
        for side, end in enumerate(stream.ends):
            self._lines.opened(end.node, end.number, stream.ends[1 - side].node, side == 0)
        self._watch(name)

    def _call(self, name: int, step: int, wait_ns: int = RETRY_NS) -> None:
        """Sends one packet of the call, and again while nothing comes of it."""
        stream = self._streams.get(name)
        if stream is None or stream.open or stream.step != step:
            return
        if self._agenda.now_ns - stream.called_ns >= CONNECT_NS:
            self._give_up(name)
            return
        self._transmit(name, step % 2, _CALL, step, 0, CALL[step])
        self._after(wait_ns, stream, lambda: self._call(name, step, 2 * wait_ns))

    def _give_up(self, name: int) -> None:
        stream = self._forget(name)
        self._lines.failed(stream.ends[0].node, stream.ends[1].node)

    def _pump(self, name: int, side: int) -> None:
        """Sends what the window allows."""
        stream = self._streams[name]
        end = stream.ends[side]
        while end.sent < end.written and end.sent - end.acknowledged < UNDER_WAY * self._manner.segment:
            length = min(self._manner.segment, end.written - end.sent)
            if end.sent == end.acknowledged:
                self._arm(name, side)
            self._transmit(name, side, _DATA, end.sent, length, HEADERS + length)
            end.sent += length
        if not end.low and end.written - end.sent <= LOW_WATER:
            end.low = True
            self._lines.writable(end.node, end.number, end.written - end.sent)

    def _arm(self, name: int, side: int) -> None:
        end = self._streams[name].ends[side]
        end.timer += 1
        timer, stream = end.timer, self._streams[name]
        self._after(end.retry_ns, stream, lambda: self._again(name, side, timer))

    def _again(self, name: int, side: int, timer: int) -> None:
        end = self._streams[name].ends[side]
        if end.timer == timer and end.acknowledged < end.sent:
            end.sent, end.retry_ns = end.acknowledged, 2 * end.retry_ns
            self._pump(name, side)

    def _data(self, name: int, side: int, offset: int, length: int) -> None:
        """`side` received octets of the other end."""
        stream = self._streams[name]
        me, other = stream.ends[side], stream.ends[1 - side]
        fresh = offset <= me.taken < offset + length
        if fresh:
            me.taken, stream.moved_ns = offset + length, self._agenda.now_ns
        me.unanswered += 1
        whole = me.taken >= other.written
        if me.unanswered >= 2 or whole or not fresh:
            me.unanswered = 0
            self._transmit(name, side, _ACK, me.taken, 0, HEADERS)
        while other.records and other.records[0][0] <= me.taken and name in self._streams:
            _, frames = other.records.popleft()
            self._lines.arrived(me.node, me.number, frames, other.node)

    def _acknowledged(self, name: int, side: int, offset: int) -> None:
        """`side` hears how far the other end has got."""
        stream = self._streams[name]
        end = stream.ends[side]
        if offset <= end.acknowledged:
            return
        end.acknowledged, end.sent, end.retry_ns = offset, max(end.sent, offset), RETRY_NS
        stream.moved_ns = self._agenda.now_ns
        if end.acknowledged < end.sent:
            self._arm(name, side)
        self._pump(name, side)
        self._settle(name)

    def _transmit(self, name: int, side: int, what: int, offset: int, length: int, octets: int) -> None:
        ends = self._streams[name].ends
        packet = _PACKET.pack(TAG, what, name, side, offset, length)
        self._lines.send(ends[side].node, ends[1 - side].node, packet, octets)

    # ---------------------------------------------------------------- the end

    def _watch(self, name: int) -> None:
        """Ends a session that stalled, or that nobody has used for a while."""
        stream = self._streams[name]
        still = self._agenda.now_ns - stream.moved_ns
        owed = any(end.acknowledged < end.written for end in stream.ends)
        limit = STALL_NS if owed else self._manner.idle_ns or ASK_NS
        if still < limit:
            self._after(limit - still, stream, lambda: self._watch(name))
        elif owed or self._manner.idle_ns is not None or still >= ASK_NS + ANSWER_NS:
            self._end(name)
        else:
            self._ask(name)

    def _ask(self, name: int) -> None:
        """Whether the other end is there still: one asks, since being asked starts the other's wait anew."""
        stream = self._streams[name]
        side = next((side for side, end in enumerate(stream.ends) if (end.node, end.number) in self._of), 0)
        self._transmit(name, side, _ASK, 0, 0, HEADERS)
        self._after(ANSWER_NS, stream, lambda: self._watch(name))

    def _bury(self, node: int, other: int) -> None:
        """Sessions of the two of which one end is gone."""
        for name, stream in list(self._streams.items()):
            gone = any((end.node, end.number) not in self._of for end in stream.ends)
            if stream.open and gone and {node, other} == {end.node for end in stream.ends}:
                self._end(name)

    def _settle(self, name: int) -> None:
        stream = self._streams[name]
        if stream.draining and all(end.acknowledged == end.written for end in stream.ends):
            self._transmit(name, 0, _END, 0, 0, HEADERS)
            self._end(name)

    def _end(self, name: int) -> None:
        for end in self._forget(name).ends:
            if self._of.pop((end.node, end.number), None) is not None:
                self._lines.ended(end.node, end.number)

    def _after(self, wait_ns: int, stream: _Stream, do: Callable[[], None]) -> None:
        """Unless the session is over by then."""

        def unless_over() -> None:
            if stream.name in self._streams:
                do()

        self._agenda.at(self._agenda.now_ns + wait_ns, AIR, stream.ends[0].node, unless_over)

    def _forget(self, name: int) -> _Stream:
        stream = self._streams.pop(name)
        self._joined.discard(stream.pair)
        return stream


def _pair(node: int, other: int) -> tuple[int, int]:
    return (node, other) if node < other else (other, node)
