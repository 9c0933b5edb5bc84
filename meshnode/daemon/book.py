"""The address book by name, kept in memory: notices are worded at once, without asking the store."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from meshnode.core.ids import ChannelId, PersonaKey, channel_id
from meshnode.core.records import ChannelRecord, ContactRecord
from meshnode.errors import UsageError

SHORTEST_PREFIX = 6  # hex digits of a persona that may stand for it


class Book:
    """Contacts and channels as a person calls them. Reloaded after every change."""

    def __init__(self, me: PersonaKey, my_name: str) -> None:
        self._me = me
        self._my_name = my_name
        self._contacts: dict[PersonaKey, ContactRecord] = {}
        self._channels: dict[ChannelId, str] = {}

    def load(self, contacts: Iterable[ContactRecord], channels: Iterable[ChannelRecord]) -> None:
        """Take the address book as it is now."""
        self._contacts = {contact.persona: contact for contact in contacts}
        self._channels = {channel.channel: channel.name for channel in channels}

    def name_of(self, persona: PersonaKey) -> str:
        """What a person is called here; the persona itself for a stranger."""
        if persona == self._me:
            return self._my_name
        known = self._contacts.get(persona)
        return known.name if known else persona.hex()

    def channel_name(self, channel: ChannelId) -> str:
        """What a channel is called; its id where the name is not known."""
        return self._channels.get(channel, channel.hex())

    def knows(self, persona: PersonaKey) -> ContactRecord | None:
        """The contact with that persona."""
        return self._contacts.get(persona)

    def called(self, name: str) -> ContactRecord | None:
        """The contact of exactly that name, in any case."""
        return next((c for c in self._contacts.values() if c.name.casefold() == name.casefold()), None)

    def contact(self, name: str) -> ContactRecord:
        """The contact meant: by name, or by the beginning of the persona. UsageError where there is none."""
        if found := self.called(name):
            return found
        meant = [c for p, c in self._contacts.items() if len(name) >= SHORTEST_PREFIX and p.hex().startswith(name)]
        if len(meant) == 1:
            return meant[0]
        raise UsageError(self._nobody(name, several=bool(meant)))

    def channel(self, name: str) -> ChannelId:
        """The channel of that name, known or not."""
        return next((id for id, known in self._channels.items() if known == name), channel_id(name))

    def _nobody(self, name: str, *, several: bool) -> str:
        if several:
            return f"several contacts have a persona that begins with {name}; give more of it"
        near = difflib.get_close_matches(name, [contact.name for contact in self._contacts.values()], 1)
        hint = f"did you mean {near[0]!r}?" if near else "see `meshnode contact list`"
        return f"no contact is called {name!r}; {hint}"
