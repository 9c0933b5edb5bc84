"""Probes: empty messages whose way is traced. They are shown nowhere and count in no conversation."""

from __future__ import annotations

from typing import Final

from meshnode.core.chat.envelopes import NO_MESSAGE, Envelopes
from meshnode.core.chat.people import People
from meshnode.core.chat.sessions import Sessions
from meshnode.core.chat.states import States
from meshnode.core.context import Context
from meshnode.core.ids import Incarnation, MessageId, PersonaKey, hashed
from meshnode.core.sealing.envelope import KIND_PROBE
from meshnode.core.sealing.inner import NO_PREVIOUS, PROBE, PROMPT, Inner

_LIFETIME_S: Final = 3600.0
_CLASS: Final = 2


class Probes:
    """Ours that have no receipt yet."""

    def __init__(self, ctx: Context, people: People, sessions: Sessions, states: States, envelopes: Envelopes) -> None:
        self._ctx = ctx
        self._people = people
        self._sessions = sessions
        self._states = states
        self._envelopes = envelopes
        self._sent: dict[MessageId, PersonaKey] = {}

    def send(self, request: bytes, to: PersonaKey) -> MessageId:
        """Send one. Relays know a probe only within a session: where there is none, one is begun first."""
        nonce = request or self._ctx.entropy.take("probe", 16)
        message = MessageId(hashed(b"mn-probe", nonce + to, 16))
        inner = Inner(PROBE, 0, NO_PREVIOUS, b"", PROMPT)
        self._sent[message] = to
        state = self._states.begin(message, self._ctx.now + _LIFETIME_S)
        first = self._envelopes.seal(to, inner, NO_MESSAGE, _CLASS, _LIFETIME_S) if self._must_begin(to) else None
        sealed = self._envelopes.seal(to, inner, message, _CLASS, _LIFETIME_S, KIND_PROBE)
        rows = [row for one in (first, sealed) if one for row in one.rows]
        self._ctx.persist(state, *rows, promise=True)
        self._states.tell(message)
        self._envelopes.submit(first)
        self._envelopes.submit(sealed)
        return message

    def take(self, message: MessageId) -> PersonaKey | None:
        """To whom it went; it arrived, or its time is over."""
        return self._sent.pop(message, None)

    def _must_begin(self, to: PersonaKey) -> bool:
        device = self._people.device_of(to)
        if device is None:
            return False
        return self._sessions.to_send_on(device.device, Incarnation(device.incarnation)) is None
