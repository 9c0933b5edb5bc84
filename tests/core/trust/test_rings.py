"""Rings: own, contacts, everyone else; and who is refused."""

from __future__ import annotations

from meshnode.core.ids import DeviceKey, Incarnation, PersonaKey, channel_id, log_id
from meshnode.core.records import ContactRecord, DeviceRecord, Snapshot
from meshnode.core.trust.rings import CONTACTS, OWN, STRANGERS, Rings
from support.gossip_node import keys_of

ME, BO = keys_of("me"), keys_of("bo")


def log_of(device: DeviceKey) -> bytes:
    return log_id(device, Incarnation(b"inc1"), channel_id("valley"))


def test_own_contact_stranger() -> None:
    rings = Rings(ME)
    moved: list[PersonaKey] = []
    rings.on_changed.append(moved.append)
    assert rings.ring_of(log_of(ME.device)) == OWN
    assert rings.ring_of(log_of(BO.device)) == STRANGERS
    rings.contact_set(BO.persona, False)
    assert rings.ring_of(log_of(BO.device)) == STRANGERS, "nobody vouched for the device yet"
    rings.device_known(BO.device, BO.persona)
    assert rings.ring_of(log_of(BO.device)) == CONTACTS
    rings.contact_removed(BO.persona)
    assert rings.ring_of(log_of(BO.device)) == STRANGERS
    assert moved == [BO.persona] * 3


def test_what_changes_nothing_tells_nobody() -> None:
    rings = Rings(ME)
    rings.contact_set(BO.persona, False)
    rings.device_known(BO.device, BO.persona)
    moved: list[PersonaKey] = []
    rings.on_changed.append(moved.append)
    rings.contact_set(BO.persona, False)
    rings.device_known(BO.device, BO.persona)
    rings.contact_removed(keys_of("cy").persona)
    assert moved == []


def test_a_blocked_contact_is_refused() -> None:
    rings = Rings(ME)
    rings.device_known(BO.device, BO.persona)
    assert not rings.blocked(log_of(BO.device))
    rings.contact_set(BO.persona, True)
    assert rings.blocked(log_of(BO.device))
    assert rings.ring_of(log_of(BO.device)) == STRANGERS
    assert not rings.blocked(log_of(keys_of("cy").device))


def test_a_device_moves_to_the_persona_that_certified_it_last() -> None:
    rings = Rings(ME)
    cy = keys_of("cy").persona
    rings.device_known(BO.device, BO.persona)
    rings.device_known(BO.device, cy)
    assert rings.persona_of(BO.device) == cy
    assert rings.devices_of(BO.persona) == frozenset()
    assert rings.devices_of(cy) == {BO.device}


def test_restored_from_disk() -> None:
    rings = Rings(ME)
    device = DeviceRecord(BO.device, BO.persona, b"", b"", b"")
    contact = ContactRecord(BO.persona, "Bo", True, False, 0.0)
    rings.restore(Snapshot(records=(device, contact)))
    assert rings.ring_of(log_of(BO.device)) == CONTACTS


def test_a_device_that_is_forgotten_is_nobodys() -> None:
    rings, cy = Rings(ME), keys_of("cy")
    for device in (BO.device, cy.device):
        rings.device_known(device, BO.persona)
    rings.device_forgotten(BO.device)
    rings.device_forgotten(BO.device)
    assert rings.persona_of(BO.device) is None
    assert rings.devices_of(BO.persona) == {cy.device}
    rings.device_forgotten(cy.device)
    assert BO.persona not in rings._devices
