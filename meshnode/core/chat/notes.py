"""Read notes: telling a writer, in a sealed note of its own, that a message was read. One may leave it off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshnode.core.chat.chains import Chains
from meshnode.core.chat.envelopes import NO_MESSAGE, Envelopes
from meshnode.core.chat.people import People
from meshnode.core.chat.states import States
from meshnode.core.context import Context
from meshnode.core.ids import Incarnation, MessageId, PersonaKey
from meshnode.core.sealing.inner import NO_PREVIOUS, READ, Inner, message_id

_LIFETIME_S: Final = 7 * 86400.0
_CLASS: Final = 3
_AT_ONCE: Final = 16
_ID_SIZE: Final = 16
_BACK: Final = 1000  # how far back a note may reach


class ReadNotes:
    """Both directions."""

    def __init__(self, ctx: Context, people: People, chains: Chains, states: States, envelopes: Envelopes) -> None:
        self._ctx = ctx
        self._people = people
        self._chains = chains
        self._states = states
        self._envelopes = envelopes

    def read(self, messages: tuple[MessageId, ...]) -> None:
        """A person has read these: mark them, and tell their writers, if we tell such things."""
        notes: dict[PersonaKey, list[MessageId]] = {}
        fresh = [m for m in messages if self._states.get(m) is None]  # the others are our own, or read before
        writers = self._writers() if fresh else {}
        for message in fresh:
            self._states.read_here(message)
            writer = writers.get(message)
            if writer is not None and self._people.is_known(writer):
                notes.setdefault(writer, []).append(message)
        if self._ctx.settings.read_receipts:
            for persona, ids in notes.items():
                for at in range(0, len(ids), _AT_ONCE):
                    self._send(persona, ids[at : at + _AT_ONCE])

    def ours_in(self, persona: PersonaKey, ids: bytes) -> Iterator[MessageId]:
        """The messages a note names, as far as we wrote them to that persona: nobody speaks for another."""
        keys, last = self._ctx.keys, self._chains.sent(persona).sent_seq
        seqs = range(max(1, last - _BACK + 1), last + 1)
        ours = {message_id(keys.device, keys.incarnation, persona, seq) for seq in seqs}
        named = (MessageId(ids[at : at + _ID_SIZE]) for at in range(0, len(ids) - _ID_SIZE + 1, _ID_SIZE))
        return (message for message in named if message in ours)

    def _send(self, persona: PersonaKey, ids: list[MessageId]) -> None:
        note = Inner(READ, 0, NO_PREVIOUS, b"".join(ids))
        sealed = self._envelopes.seal(persona, note, NO_MESSAGE, _CLASS, _LIFETIME_S)
        if sealed is not None:
            self._ctx.persist(*sealed.rows, promise=True)
            self._envelopes.submit(sealed)

    def _writers(self) -> dict[MessageId, PersonaKey]:
        """Who wrote which of the newer messages: ids follow from conversation and seq, so no table of them is kept."""
        me = self._ctx.keys.persona
        return {
            message_id(chain.device, Incarnation(chain.incarnation), me, seq): chain.persona
            for chain in self._chains.got()
            for seq in range(max(1, chain.got_seq - _BACK + 1), chain.got_seq + 1)
        }
