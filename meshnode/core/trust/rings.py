"""The rings: how near the writer of a log stands to us. 0 own, 1 contacts, 3 everyone else (2 comes with vouches).

A device stands where its persona stands; a device nobody vouched for yet is a stranger. What a blocked contact writes
is refused, like a log that quota refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshnode.core.identity.keys import Keys
from meshnode.core.ids import DeviceKey, LogId, PersonaKey, log_device
from meshnode.core.records import ContactRecord, DeviceRecord, Snapshot

OWN: Final = 0
CONTACTS: Final = 1
STRANGERS: Final = 3


class Rings:
    """Answers from what the address book and the certificates say. `on_changed` hears of each persona that moved."""

    def __init__(self, keys: Keys) -> None:
        self._own = keys
        self._personas: dict[DeviceKey, PersonaKey] = {keys.device: keys.persona}
        self._devices: dict[PersonaKey, tuple[DeviceKey, ...]] = {
            keys.persona: (keys.device,)
        }  # small: thousands of one
        self._contacts: dict[PersonaKey, bool] = {}
        self.on_changed: list[Callable[[PersonaKey], None]] = []

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, DeviceRecord) and (record.certificate or not record.revocation):
                self._add(record.device, record.persona)
            elif isinstance(record, ContactRecord):
                self._contacts[record.persona] = record.blocked

    def device_known(self, device: DeviceKey, persona: PersonaKey) -> None:
        """A certificate was verified."""
        if self._personas.get(device) != persona:
            self._add(device, persona)
            self._tell(persona)

    def device_forgotten(self, device: DeviceKey) -> None:
        """A stranger's device is not remembered any more."""
        persona = self._personas.pop(device, None)
        if persona is not None:
            self._devices[persona] = tuple(one for one in self._devices[persona] if one != device)
            if not self._devices[persona]:
                del self._devices[persona]

    def contact_set(self, persona: PersonaKey, blocked: bool) -> None:
        """A contact was added or changed."""
        if self._contacts.get(persona) is not blocked:
            self._contacts[persona] = blocked
            self._tell(persona)

    def contact_removed(self, persona: PersonaKey) -> None:
        """A contact is a stranger again."""
        if self._contacts.pop(persona, None) is not None:
            self._tell(persona)

    def persona_of(self, device: DeviceKey) -> PersonaKey | None:
        """Whose device it is, if a certificate said so."""
        return self._personas.get(device)

    def devices_of(self, persona: PersonaKey) -> frozenset[DeviceKey]:
        """The devices known of a persona."""
        return frozenset(self._devices.get(persona, ()))

    def ring_of_persona(self, persona: PersonaKey | None) -> int:
        """0, 1 or 3."""
        if persona == self._own.persona:
            return OWN
        return CONTACTS if persona in self._contacts and not self._contacts[persona] else STRANGERS

    def ring_of_device(self, device: DeviceKey) -> int:
        """The ring of the persona it belongs to."""
        return self.ring_of_persona(self._personas.get(device))

    def ring_of(self, log: LogId) -> int:
        """The ring of a log's writer."""
        return self.ring_of_device(log_device(log))

    def blocked(self, log: LogId) -> bool:
        """True for the logs of a blocked contact."""
        persona = self._personas.get(log_device(log))
        return persona is not None and self._contacts.get(persona, False)

    def _add(self, device: DeviceKey, persona: PersonaKey) -> None:
        before = self._personas.get(device)
        if before is not None:
            self.device_forgotten(device)
        self._personas[device] = persona
        self._devices[persona] = (*self._devices.get(persona, ()), device)

    def _tell(self, persona: PersonaKey) -> None:
        for changed in self.on_changed:
            changed(persona)
