"""Yggdrasil between bridges, in virtual time: peerings over TCP, paths of several hops, and what each packet costs.

    packet --path by fewest hops--> peering: queue, line, delay, TCP's repeats --> next peering --> ... --> the far end
      \\--no session for 60 s: the newest waits for lookup, notify, init, ack--/     \\--3 s on one peering--> lost

Sizes are those of yggdrasil-go 0.5.12, from captures of two daemons peered over plain TCP and IPv4 (the wire of
`bench/overlay_idle.py`; a ping of 104 octets was a frame of 228, by itself in a segment of 294):

- a packet gains 123 octets and one for each hop: length 2, kind 1, two paths of hops + 2 in all, two keys 64,
  watermark 1, session 52 (kind, three numbers, next key, seal), payload's kind 1;
- every segment of a peering has 66 octets of TCP with timestamps, IPv4 and Ethernet, an acknowledgement nothing else;
- a session begins with lookup 68, notify 140 and init or ack 264, a hop more an octet more;
- a pair at rest said 1,388 octets of frames and TCP in 240 s: what it says for tree and peering, and no neighbour
  discovery of the wire below (560 more there), which a peering over the internet has not.

What is simpler than the real thing: paths are the shortest, while Yggdrasil goes greedily by places on a tree, which
can be longer; peerings are there as soon as their line is, without redialling; TCP repeats after 200 ms and a round
trip, doubling, and knows neither fast retransmit nor a window; nothing else uses the lines; a node that was off for
less than a minute finds its sessions as they were.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from meshnode.air.draws import Draws
from meshnode.air.topology import Schedule
from meshnode_sim.agenda import AIR, SECOND_NS, Agenda

AROUND: Final = 123  # octets of a packet's frame beside the packet, and one more for each hop
OUTER: Final = 66  # TCP with timestamps 32, IPv4 20, Ethernet 14
LOOKUP, NOTIFY, INIT = 67, 139, 263  # frames that begin a session, and one more octet for each hop
# Who speaks (0: who has something to send), and what: as captured, since the answer needs a path as well.
GREETING: Final = ((0, LOOKUP), (1, NOTIFY), (0, INIT), (1, LOOKUP), (0, NOTIFY), (1, INIT), (0, INIT))
SESSION_NS: Final = 60 * SECOND_NS  # without a packet either way, and path and session are forgotten
GREET_AGAIN_NS: Final = SECOND_NS
QUEUE: Final = 131_070  # octets before one peering: one frame of the largest size, as 0.5.14 has it
READ_NS: Final = 3 * SECOND_NS  # a peering from which nothing comes for so long is closed (read deadline)
REPEAT_NS: Final = 200_000_000  # the least time until Linux's TCP sends again
DELAYED_ACK_NS: Final = 40_000_000
MINUTE_NS: Final = 60 * SECOND_NS
IDLE: Final = 174  # octets a minute in each direction of a settled peering: 1,388 both ways in 240 s

CHANCE_OVERLAY: Final = 90  # purpose of draws


@dataclass(frozen=True, slots=True)
class Peering:
    """Two nodes with a line between them; rate in bit/s each way, delay one way, loss of each segment (a chance)."""

    a: int
    b: int
    rate_bps: int
    delay_ns: int = 0
    loss: int = 0
    schedule: Schedule | None = None  # None: always up

    def is_up(self, at_ns: int) -> bool:
        """Whether the line carries anything at that time."""
        return self.schedule is None or self.schedule.is_up(at_ns)


@dataclass(slots=True)
class _Way:
    """One direction of a peering."""

    peering: Peering
    number: int  # for draws
    octets: Counter[str] = field(default_factory=Counter)  # by kind, all headers included
    segments: int = 0
    free_ns: int = 0  # when everything queued has been sent
    last_ns: int = 0  # when the newest frame arrives: TCP lets none overtake it
    owed: int = 0  # segments that arrived and were not acknowledged

    def spend(self, kind: str, octets: int, now_ns: int) -> int:
        """Puts octets on the line behind what waits; when the last of them has left."""
        self.octets[kind] += octets
        self.free_ns = max(self.free_ns, now_ns) + octets * 8 * SECOND_NS // self.peering.rate_bps
        return self.free_ns


class Overlay:
    """All peerings of one world. Nodes are numbers; `is_on` says who has power."""

    def __init__(self, agenda: Agenda, peerings: Iterable[Peering], seed: int, is_on: Callable[[int], bool]) -> None:
        self.lost = 0  # packets that found no path, no room, or a peering that broke
        self._agenda = agenda
        self._draws = Draws(seed)
        self._is_on = is_on
        self._peerings = tuple(peerings)
        self._ways: dict[tuple[int, int], _Way] = {}
        self._near: dict[int, list[int]] = {}
        for number, one in enumerate(self._peerings):
            for turn, (src, dst) in enumerate(((one.a, one.b), (one.b, one.a))):
                self._ways[src, dst] = _Way(one, 2 * number + turn)
                self._near.setdefault(src, []).append(dst)
        self._used_ns: dict[tuple[int, int], int] = {}  # by pair, lower first: when a packet of the session went last
        self._waiting: dict[tuple[int, int], tuple[int, int, Callable[[], None]]] = {}  # since, octets, what then
        agenda.at(MINUTE_NS, AIR, -1, self._rest)

    def send(self, src: int, dst: int, octets: int, then: Callable[[], None]) -> None:
        """Carries an IPv6 packet of that size; `then` where it arrives, which it may never do."""
        now, pair = self._agenda.now_ns, (min(src, dst), max(src, dst))
        if pair in self._used_ns and now - self._used_ns[pair] < SESSION_NS:
            self._used_ns[pair] = now
            self._carry(src, dst, AROUND + octets, "session", then)
            return
        since = self._waiting.get((src, dst), (now - GREET_AGAIN_NS, 0, then))[0]
        greet = now - since >= GREET_AGAIN_NS
        self._waiting[src, dst] = (now if greet else since, octets, then)
        if greet:
            self._greet((src, dst), 0)

    def has_peering(self, node: int) -> bool:
        """Whether any peering of a node is there now."""
        now = self._agenda.now_ns
        for other in self._near.get(node, ()):  # plainly, for it is asked every three seconds
            if self._is_on(other) and self._ways[node, other].peering.is_up(now):
                return True
        return False

    def path(self, src: int, dst: int) -> tuple[int, ...]:
        """Nodes from `src` to `dst` over as few peerings as there are now, of equal ones the lowest numbers; or ()."""
        now, edge = self._agenda.now_ns, deque([src])
        before = {src: src}
        while edge and dst not in before:
            node = edge.popleft()
            for other in sorted(self._near.get(node, ())):
                if other not in before and self._is_on(other) and self._ways[node, other].peering.is_up(now):
                    before[other] = node
                    edge.append(other)
        if dst not in before:
            return ()
        found = [dst]
        while found[-1] != src:
            found.append(before[found[-1]])
        return tuple(reversed(found))

    def report(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Octets on all lines by kind and by peering, headers and repeats included; `idle` is what nobody asked for."""
        kinds = sum((way.octets for way in self._ways.values()), Counter())
        return {
            "bytes": kinds.total(),
            "idle_bytes": kinds["idle"],
            "lost": self.lost,
            "kinds": dict(sorted(kinds.items())),
            "peerings": [self._row(one, names) for one in self._peerings],
        }

    def _row(self, peering: Peering, names: tuple[str, ...]) -> dict[str, Any]:
        octets = self._ways[peering.a, peering.b].octets + self._ways[peering.b, peering.a].octets
        ends = {"a": names[peering.a], "b": names[peering.b]}
        return {**ends, "bytes": octets.total(), "idle_bytes": octets["idle"]}

    # ---------------------------------------------------------------- sessions of Yggdrasil

    def _greet(self, pair: tuple[int, int], step: int) -> None:
        """One frame of those that begin a session; what waits goes with the last."""
        turn, octets = GREETING[step]
        src, dst = pair[::-1] if turn else pair
        if step + 1 < len(GREETING):
            self._carry(src, dst, octets, "setup", partial(self._greet, pair, step + 1))
            return
        self._carry(src, dst, octets, "setup", _nothing)
        self._used_ns[min(pair), max(pair)] = self._agenda.now_ns
        waiting = self._waiting.pop(pair, None)
        if waiting is not None:
            self._carry(src, dst, AROUND + waiting[1], "session", waiting[2])

    # ---------------------------------------------------------------- hop by hop

    def _carry(self, src: int, dst: int, octets: int, kind: str, then: Callable[[], None]) -> None:
        path = self.path(src, dst)
        if len(path) < 2:
            self.lost += 1
            return
        self._hop(path, octets + len(path) - 1, kind, then)

    def _hop(self, path: tuple[int, ...], octets: int, kind: str, then: Callable[[], None]) -> None:
        """From the first of a path to the second, and on from there."""
        way = self._ways[path[0], path[1]]
        at_ns = self._cross(way, octets + OUTER, kind)
        self._ways[path[1], path[0]].owed = 0  # this segment acknowledges what came
        if at_ns is None:
            self.lost += 1
            return
        self._agenda.at(at_ns, AIR, path[1], partial(self._landed, path, octets, kind, then))

    def _landed(self, path: tuple[int, ...], octets: int, kind: str, then: Callable[[], None]) -> None:
        if not self._is_on(path[1]):
            self.lost += 1
            return
        self._owe(path[0], path[1])
        if len(path) == 2:
            then()
        else:
            self._hop(path[1:], octets, kind, then)

    def _cross(self, way: _Way, octets: int, kind: str) -> int | None:
        """When a segment arrives at the other end of a peering, with all its repeats; None: it never does."""
        now, peering = self._agenda.now_ns, way.peering
        if (way.free_ns - now) * peering.rate_bps > QUEUE * 8 * SECOND_NS:
            return None
        sent_ns = way.spend(kind, octets, now)
        wait_ns, ends_ns = REPEAT_NS + 2 * peering.delay_ns, sent_ns + READ_NS
        while not self._passes(way, sent_ns):
            sent_ns += wait_ns
            wait_ns *= 2
            if sent_ns >= ends_ns:
                return None
            way.spend("repeated", octets, now)
        way.last_ns = max(way.last_ns, sent_ns + peering.delay_ns)
        return way.last_ns

    def _passes(self, way: _Way, at_ns: int) -> bool:
        way.segments += 1
        lost = self._draws.happens(way.peering.loss, CHANCE_OVERLAY, way.number, way.segments)
        return way.peering.is_up(at_ns) and not lost

    def _owe(self, src: int, dst: int) -> None:
        """Every second segment is acknowledged at once, a lone one a little later."""
        way = self._ways[src, dst]
        way.owed += 1
        if way.owed >= 2:
            self._acknowledge(src, dst)
        else:
            self._agenda.at(self._agenda.now_ns + DELAYED_ACK_NS, AIR, dst, partial(self._acknowledge, src, dst))

    def _acknowledge(self, src: int, dst: int) -> None:
        way = self._ways[src, dst]
        if way.owed:
            way.owed = 0
            self._ways[dst, src].spend("acknowledgement", OUTER, self._agenda.now_ns)

    def _rest(self) -> None:
        """A minute of what daemons tell each other whether or not anybody uses them."""
        now = self._agenda.now_ns
        for (src, dst), way in self._ways.items():
            if way.peering.is_up(now) and self._is_on(src) and self._is_on(dst):
                way.spend("idle", IDLE, now)
        self._agenda.at(now + MINUTE_NS, AIR, -1, self._rest)


def _nothing() -> None:
    """What follows where nobody waits."""
