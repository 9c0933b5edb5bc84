"""All sessions of a node, and those it waits for.

    nothing   --a message to send-->  waiting      an init goes out with each message; the last message waits
    nothing   --init or ack------->   open         answered with an ack
    waiting   --ack or init------->   open         the message that waited goes out
    open      --60 s of silence--->   nothing

Unlike the Go daemon a repeated init has a higher number, so a lost ack costs one more message and not a minute.
A session can be claimed by whoever makes a key. When there are too many, one that never carried a message makes room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from meshnode.core.ports import Entropy
from meshnode.errors import WireError
from meshnode.overlay.embedded.ends.handshakes import (
    ACK,
    INIT,
    TRAFFIC,
    Handshake,
    Pair,
    decode_handshake_untrusted,
    encode_handshake,
    fresh_pair,
)
from meshnode.overlay.embedded.ends.session import LIFETIME_S, SHORTEST, Session
from meshnode.overlay.embedded.routing.budget import Budget
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.keys import Identity

MOST_SESSIONS = 1000
MOST_WAITING = 256
INIT_AGAIN_AFTER_S = 0.8  # of a second: who pings once a second shall ask each time
STRANGERS_BURST, STRANGERS_RATE = 200, 50  # openings of keys without a session, each about 0.4 ms of work

Deliver = Callable[[bytes, bytes, float], None]


@dataclass(slots=True)
class _Waiting:
    current: Pair
    next: Pair
    message: bytes
    until: float
    asked_at: float = float("-inf")
    asked: bool = False


class Sessions:
    """Sessions by key. `send` gives a payload to the router, `deliver` takes what was opened."""

    def __init__(
        self, identity: Identity, entropy: Entropy, sequence: Sequence, send: Deliver, deliver: Deliver
    ) -> None:
        self._identity, self._entropy, self._sequence = identity, entropy, sequence
        self._send, self._deliver = send, deliver
        self._open: dict[bytes, Session] = {}
        self._waiting: dict[bytes, _Waiting] = {}
        self._strangers = Budget(STRANGERS_BURST, STRANGERS_RATE)
        self.counters: Counter[str] = Counter()

    def all(self) -> dict[bytes, Session]:
        """Every open session."""
        return dict(self._open)

    def write(self, dest: bytes, message: bytes, now: float) -> None:
        """Send a message, now or when a session is there."""
        session = self._open.get(dest)
        if session is not None:
            self._send(dest, session.seal(message, now), now)
            return
        waiting = self._waiting.get(dest)
        if waiting is None:
            if len(self._waiting) >= MOST_WAITING:
                self.counters["sessions_not_asked"] += 1
                return
            pairs = fresh_pair(self._entropy), fresh_pair(self._entropy)
            waiting = self._waiting[dest] = _Waiting(*pairs, message, now)
        waiting.message, waiting.until = message, now + LIFETIME_S
        if now - waiting.asked_at >= INIT_AGAIN_AFTER_S:
            waiting.asked_at = now
            seq = self._sequence.next(now) if waiting.asked else self._sequence.at(now)
            waiting.asked = True
            self._say(INIT, dest, Handshake(waiting.current.public, waiting.next.public, 0, seq), now)

    def receive_untrusted(self, source: bytes, payload: bytes, now: float) -> None:
        """A payload of the router; what cannot be used is counted."""
        kind = payload[0] if payload else 0
        try:
            if kind == TRAFFIC:
                self._on_traffic(source, payload, now)
            elif kind in (INIT, ACK):
                self._on_handshake(source, payload, now)
        except WireError:
            self.counters["session_refused"] += 1

    def expire(self, now: float) -> None:
        """Forget what is silent."""
        for key in [key for key, session in self._open.items() if session.until <= now]:
            del self._open[key]
        for key in [key for key, waiting in self._waiting.items() if waiting.until <= now]:
            del self._waiting[key]

    # ---- openings

    def _on_handshake(self, source: bytes, payload: bytes, now: float) -> None:
        session = self._open.get(source)
        if session is None and source not in self._waiting and not self._strangers.spend(now):
            self.counters["session_floods"] += 1
            return
        handshake = decode_handshake_untrusted(payload, self._identity, source)
        created = session is None
        if session is None:
            session = self._began(source, handshake, now)
        if session is None or not session.update(handshake, now):
            return
        if payload[0] == INIT or created:
            self._say(ACK, source, session.opening(self._sequence.at(now)), now)
        waiting = self._waiting.pop(source, None)
        if waiting is not None:
            self._send(source, session.seal(waiting.message, now), now)

    def _began(self, source: bytes, handshake: Handshake, now: float) -> Session | None:
        if len(self._open) >= MOST_SESSIONS and not self._make_room():
            self.counters["sessions_full"] += 1
            return None
        waiting = self._waiting.get(source)
        pairs = (waiting.current, waiting.next) if waiting else None
        session = self._open[source] = Session(self._entropy, handshake, now, pairs)
        return session

    def _make_room(self) -> bool:
        for key, session in self._open.items():
            if not session.proven:
                del self._open[key]
                return True
        return False

    def _say(self, kind: int, dest: bytes, handshake: Handshake, now: float) -> None:
        try:
            payload = encode_handshake(kind, self._identity, fresh_pair(self._entropy), dest, handshake)
        except WireError:
            self.counters["keys_that_are_none"] += 1
            return
        self._send(dest, payload, now)

    # ---- messages

    def _on_traffic(self, source: bytes, payload: bytes, now: float) -> None:
        session = self._open.get(source)
        if len(payload) < SHORTEST:
            raise WireError("a sealed message is cut off")
        if session is None:
            self._ask_stranger(source, now)
            return
        try:
            message = session.open_untrusted(payload, now)
        except WireError:
            self._ask_again(source, session, now)
            raise
        if message is None:
            self.counters["session_replays"] += 1
        else:
            self._deliver(source, message, now)

    def _ask_stranger(self, source: bytes, now: float) -> None:
        """We have forgotten this session: an init with keys of no use makes the other side tell its own."""
        if not self._strangers.spend(now):
            self.counters["session_floods"] += 1
            return
        keys = fresh_pair(self._entropy).public, fresh_pair(self._entropy).public
        self._say(INIT, source, Handshake(*keys, 0, self._sequence.at(now)), now)

    def _ask_again(self, source: bytes, session: Session, now: float) -> None:
        """The two sides have lost step: tell our keys, now and then."""
        if now - session.asked_at >= INIT_AGAIN_AFTER_S:
            session.asked_at = now
            self._say(INIT, source, session.opening(self._sequence.next(now)), now)
