"""Who belongs to whom: our own person log, and what the person logs of others say of their devices and prekeys.

own log:     [INCARNATION after a restore] CERTIFICATE, PROFILE, PREKEY each week, REVOCATION
of others:   CERTIFICATE, PREKEY -> a device of a persona, and what to seal to   REVOCATION -> no session any more
             INCARNATION         -> the device began anew: what it had not receipted is sealed again
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from meshnode.core.chain.block import Block
from meshnode.core.chain.incarnation import Beginning, decode_beginning_untrusted
from meshnode.core.chain.kinds import CERTIFICATE, INCARNATION, PREKEY, PROFILE, REVOCATION, acted_upon
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.chat.prekeys import KEEP_S, MIN_LEFT_S, PrekeyBody, Prekeys, decode_prekey_untrusted
from meshnode.core.chat.superseded import Superseded
from meshnode.core.clock import created_minutes
from meshnode.core.context import Context
from meshnode.core.identity.certificate import (
    CAN_MESSAGE,
    CAN_POST,
    Certificate,
    certificate_id,
    read_certificate_untrusted,
    read_revocation_untrusted,
)
from meshnode.core.ids import (
    PERSON_CHANNEL,
    DeviceKey,
    Incarnation,
    PersonaKey,
    log_channel,
    log_device,
    log_id,
    log_incarnation,
)
from meshnode.core.inputs import SetContact
from meshnode.core.notices import ContactChanged
from meshnode.core.records import (
    ContactRecord,
    DeviceRecord,
    FactRecord,
    PeerPrekeyRecord,
    RecordKey,
    Snapshot,
)
from meshnode.core.trust.rings import Rings
from meshnode.errors import UsageError, WireError

INCARNATION_FACT: Final = "incarnation"
PROFILE_FACT: Final = "profile"
MAX_OF_PERSONA: Final = 64  # devices, removed ones included: whoever has a persona may certify without end
MAX_STRANGERS: Final = 8192  # devices of people who are no contacts, those heard of last
_NO_INCARNATION: Final = Incarnation(b"")


class People:
    """Contacts, devices, prekeys: ours and theirs."""

    def __init__(self, ctx: Context, logs: OwnLogs, rings: Rings, name: str = "") -> None:
        self._ctx = ctx
        self._logs = logs
        self._rings = rings
        self._name = name
        self.prekeys = Prekeys(ctx, logs)
        self.contacts: dict[PersonaKey, ContactRecord] = {}
        self._devices: dict[DeviceKey, DeviceRecord] = {}
        self._certificates: dict[DeviceKey, Certificate] = {}  # read once from the records
        self._prekeys: dict[DeviceKey, PeerPrekeyRecord] = {}
        self._superseded = Superseded(ctx)
        self._facts: dict[str, bytes] = {}
        self._published: dict[int, None] = {}  # kinds in our person log
        self.on_prekey: Callable[[DeviceKey], None] = _ignore
        self.on_restarted: Callable[[DeviceKey], None] = _ignore
        self.on_revoked: Callable[[DeviceKey], None] = _ignore
        self.on_device: Callable[[DeviceKey, PersonaKey], None] = _ignore_device
        self.on_contact: Callable[[ContactRecord], None] = _ignore_contact

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            match record:
                case ContactRecord():
                    self.contacts[record.persona] = record
                case DeviceRecord():
                    self._devices[record.device] = record
                case PeerPrekeyRecord():
                    self._prekeys[record.device] = record
                case FactRecord(name, value) if name in (INCARNATION_FACT, PROFILE_FACT):
                    self._facts[name] = value
        self._superseded.restore(snapshot)
        self.prekeys.restore(snapshot)
        mine = self._logs.log(PERSON_CHANNEL)
        self._published = {index.kind: None for index in snapshot.blocks if index.log == mine}

    def tick(self) -> None:
        """Publish what our person log lacks, and look after our prekeys."""
        self._begin()
        self.prekeys.rotate()

    def wakeup(self) -> float:
        """When a prekey is due."""
        return self._ctx.now if self._certificate_due else self.prekeys.wakeup()

    # Contacts

    def set_contact(self, told: SetContact) -> None:
        """The address book changed."""
        known = self.contacts.get(told.persona)
        added_at = known.added_at if known else self._ctx.now
        record = ContactRecord(told.persona, told.name, told.verified, told.blocked, added_at)
        self.contacts[told.persona] = record
        self._ctx.persist(record, promise=True)  # a person saw it done
        self._rings.contact_set(told.persona, told.blocked)
        self.on_contact(record)

    def remove_contact(self, persona: PersonaKey) -> None:
        """A contact was removed."""
        if self.contacts.pop(persona, None) is not None:
            self._ctx.forget(RecordKey(ContactRecord, (persona,)), promise=True)
            self._rings.contact_removed(persona)

    def is_known(self, persona: PersonaKey) -> bool:
        """A contact, or ourselves."""
        return persona in self.contacts or persona == self._ctx.keys.persona

    def is_blocked(self, persona: PersonaKey) -> bool:
        """A contact we do not want to hear from."""
        contact = self.contacts.get(persona)
        return contact is not None and contact.blocked

    def name_of(self, persona: PersonaKey) -> str:
        """How a person is called here."""
        contact = self.contacts.get(persona)
        return contact.name if contact else persona[:4].hex()

    # Devices

    def device(self, device: DeviceKey) -> DeviceRecord | None:
        """What is known of a device."""
        return self._devices.get(device)

    def device_of(self, persona: PersonaKey) -> DeviceRecord | None:
        """The device to write to: of those in use the one with the newest prekey."""
        in_use = [r for r in self._devices.values() if r.persona == persona and self.may_message(r.device)]
        return max(in_use, key=self._newness, default=None)

    def may_message(self, device: DeviceKey) -> bool:
        """Its persona lets it write and read for them, and has neither removed it nor let its certificate run out."""
        known = self._devices.get(device)
        if known is None or known.revocation:
            return False
        certificate = self._certificate_of(known)
        today = created_minutes(self._ctx.clock, self._ctx.now)
        return bool(certificate.capabilities & CAN_MESSAGE) and certificate.valid_at(today)

    def may_post(self, device: DeviceKey) -> bool:
        """Its persona lets it post, or is not known yet. A post outlives the certificate: dates are data (10.3)."""
        known = self._devices.get(device)
        return known is None or not known.certificate or bool(self._certificate_of(known).capabilities & CAN_POST)

    def prekey(self, device: DeviceRecord) -> PeerPrekeyRecord | None:
        """The newest prekey of a device, if it is of the incarnation it is in."""
        prekey = self._prekeys.get(device.device)
        return prekey if prekey is not None and prekey.incarnation == device.incarnation else None

    def hint(self, device: DeviceRecord) -> int:
        """What this device hands out for carriers to go by."""
        prekey = self._prekeys.get(device.device)
        return prekey.hint if prekey is not None else 0

    def hints(self, devices: Iterable[DeviceKey]) -> set[int]:
        """What stands on envelopes that may be for one of these devices; 0 says nothing, so it may be."""
        known = [self._prekeys[device] for device in devices if device in self._prekeys]
        return {0, *(prekey.hint for prekey in known)}

    def seconds_left(self, prekey: PeerPrekeyRecord) -> float:
        """How long an envelope sealed to it now may travel; 0 when it is too late to seal (rule 8.1)."""
        left = KEEP_S - (self._ctx.now - prekey.arrived_at)  # it is at least as old as it is known here
        now = created_minutes(self._ctx.clock, self._ctx.now)
        if prekey.open_until and now:
            left = min(left, (prekey.open_until - now) * 60.0)
        return left if left >= MIN_LEFT_S else 0.0

    def certificate(self, certificate: bytes) -> bytes | None:
        """The certificate of that 8 B id, if a device here has it."""
        held = (record.certificate for record in self._devices.values())
        return next((data for data in held if certificate_id(data) == certificate), None)

    def certified(self, certificate: Certificate, incarnation: Incarnation) -> bool:
        """A device showed its certificate, and the incarnation it is in. False if it is no longer theirs."""
        known = self._devices.get(certificate.device)
        if known is None or _claimed(known, certificate.persona):
            return self._meet(DeviceRecord(certificate.device, certificate.persona, certificate.data, incarnation, b""))
        if known.revocation and not known.certificate:  # now it says so itself: what it wrote is of this persona
            self._know(replace(known, certificate=certificate.data, incarnation=incarnation))
        if known.revocation or known.persona != certificate.persona:
            return False
        known = self._renewed(known, certificate)
        if known.incarnation != incarnation and (certificate.device, incarnation) not in self._superseded:
            self._restarted(known, incarnation)
        return True

    def is_revoked(self, device: DeviceKey, persona: PersonaKey) -> bool:
        """This persona removed it."""
        known = self._devices.get(device)
        return known is not None and bool(known.revocation) and known.persona == persona

    def block_arrived(self, block: Block) -> None:
        """A verified block of somebody's person log, with its body."""
        if log_channel(block.log) != PERSON_CHANNEL or not acted_upon(block.version, block.kind):
            return
        try:
            self._read_untrusted(block)
        except WireError:
            self._ctx.count("person_block_refused")

    def revoke(self, statement: bytes) -> None:
        """The person removes a device of theirs."""
        try:
            revocation = read_revocation_untrusted(statement, self._ctx.sealer)
        except WireError as error:
            raise UsageError(f"the removal of a device was not understood: {error}") from None
        self._logs.write(PERSON_CHANNEL, REVOCATION, statement)
        self._revoked(revocation.persona, revocation.device, statement)

    # Reading the person logs of others

    def _read_untrusted(self, block: Block) -> None:
        body, device, incarnation = block.body or b"", log_device(block.log), log_incarnation(block.log)
        match block.kind:
            case k if k == CERTIFICATE:
                self._certificate_came(read_certificate_untrusted(body, self._ctx.sealer), device, incarnation, block)
            case k if k == PREKEY:
                said, certificate = decode_prekey_untrusted(body, self._ctx.sealer)
                if self._certificate_came(certificate, device, incarnation, block):
                    self._prekey_came(self._prekey_of(block, said))
            case k if k == REVOCATION:
                revocation = read_revocation_untrusted(body, self._ctx.sealer)
                self._revoked(revocation.persona, revocation.device, body)
            case k if k == INCARNATION:
                self._superseded.add(device, decode_beginning_untrusted(body).old)

    def _certificate_came(
        self, certificate: Certificate, device: DeviceKey, incarnation: Incarnation, block: Block
    ) -> bool:
        if certificate.device != device:
            raise WireError("a device shows the certificate of another")
        known = self._devices.get(device)
        if known is not None and (device, incarnation) in self._superseded:
            return False
        another = known is None and self.device_of(certificate.persona) is not None
        if not self.certified(certificate, incarnation):
            self._ctx.count("certificate_of_removed_device")
            return False
        if another and certificate.persona in self.contacts:
            name = self.name_of(certificate.persona)
            self._ctx.notify(ContactChanged(certificate.persona, "device", f"{name} writes from a new device."))
        return True

    def _prekey_of(self, block: Block, said: PrekeyBody) -> PeerPrekeyRecord:
        return PeerPrekeyRecord(
            device=log_device(block.log),
            incarnation=log_incarnation(block.log),
            block=block.id,
            seq=block.seq,
            public=said.public,
            hint=said.hint,
            made=said.made,
            open_until=said.open_until,
            arrived_at=self._ctx.now,
        )

    def _prekey_came(self, prekey: PeerPrekeyRecord) -> None:
        before = self._prekeys.get(prekey.device)
        if before is not None and before.incarnation == prekey.incarnation and before.seq >= prekey.seq:
            return
        self._prekeys[prekey.device] = prekey
        self._ctx.persist(prekey)
        self.on_prekey(prekey.device)

    def _revoked(self, persona: PersonaKey, device: DeviceKey, statement: bytes) -> None:
        known = self._devices.get(device)
        if known is None:
            self._meet(DeviceRecord(device, persona, b"", _NO_INCARNATION, statement))
        elif known.persona != persona or known.revocation:
            return
        else:
            self._know(replace(known, revocation=statement))
            text = f"{self.name_of(persona)} no longer writes from one of their devices."
            self._ctx.notify(ContactChanged(persona, "revoked", text))
            self.on_revoked(device)

    def _renewed(self, known: DeviceRecord, certificate: Certificate) -> DeviceRecord:
        """A certificate issued later takes the place of the one that is held."""
        if certificate.issued <= self._certificate_of(known).issued:
            return known
        renewed = replace(known, certificate=certificate.data)
        self._know(renewed)
        return renewed

    def _certificate_of(self, known: DeviceRecord) -> Certificate:
        held = self._certificates.get(known.device)
        if held is None or held.data != known.certificate:
            held = read_certificate_untrusted(known.certificate, self._ctx.sealer)
            self._certificates[known.device] = held
        return held

    def _restarted(self, known: DeviceRecord, incarnation: Incarnation) -> None:
        """The device is in another incarnation than the last known: that one is over."""
        self._superseded.add(known.device, Incarnation(known.incarnation))
        self._know(replace(known, incarnation=incarnation))
        text = f"{self.name_of(known.persona)} started anew on a device."
        self._ctx.notify(ContactChanged(known.persona, "incarnation", text))
        self.on_restarted(known.device)

    def _meet(self, record: DeviceRecord) -> bool:
        """A device not heard of before; False when its persona has too many. Of strangers' the oldest is forgotten."""
        if sum(known.persona == record.persona for known in self._devices.values()) >= MAX_OF_PERSONA:
            self._ctx.count("devices_too_many")
            return False
        self._know(record)
        if not self.is_known(PersonaKey(record.persona)):
            strangers = [known.device for known in self._devices.values() if not self.is_known(known.persona)]
            for device in strangers[: max(0, len(strangers) - MAX_STRANGERS)]:
                self._forget(device)
        return True

    def _forget(self, device: DeviceKey) -> None:
        gone = [RecordKey(DeviceRecord, (device,))]
        if self._prekeys.pop(device, None) is not None:
            gone.append(RecordKey(PeerPrekeyRecord, (device,)))
        self._ctx.forget(*gone)
        del self._devices[device]
        self._ctx.chat_due.sooner(self._ctx.now)  # our own certificate may have to be told again
        self._certificates.pop(device, None)
        self._superseded.forget(device)
        self._rings.device_forgotten(device)

    def _know(self, record: DeviceRecord) -> None:
        self._devices[record.device] = record
        self._ctx.chat_due.sooner(self._ctx.now)
        self._ctx.persist(record)
        if record.certificate:  # a removal alone, anybody can sign: the device never said that it belongs there
            self._rings.device_known(record.device, record.persona)
            self.on_device(record.device, record.persona)

    def _newness(self, device: DeviceRecord) -> tuple[int, int]:
        prekey = self._prekeys.get(device.device)
        return (prekey.made, prekey.seq) if prekey is not None else (-1, -1)

    # Our own person log

    @property
    def _certificate_due(self) -> bool:
        """The certificate we have is not the one we published: it is our first, or the root renewed it."""
        known = self._devices.get(self._ctx.keys.device)
        return CERTIFICATE not in self._published or known is None or known.certificate != self._ctx.keys.certificate

    def _begin(self) -> None:
        if self._certificate_due:
            keys = self._ctx.keys
            before = self._facts.get(INCARNATION_FACT, keys.incarnation)
            if before != keys.incarnation:
                self._publish(INCARNATION, self._beginning(Incarnation(before)).encode())
            self._publish(CERTIFICATE, keys.certificate)
            self._know(DeviceRecord(keys.device, keys.persona, keys.certificate, keys.incarnation, b""))
            self._remember(INCARNATION_FACT, keys.incarnation)
        if self._name and self._facts.get(PROFILE_FACT) != self._name.encode():
            self._publish(PROFILE, self._name.encode())
            self._remember(PROFILE_FACT, self._name.encode())

    def _beginning(self, old: Incarnation) -> Beginning:
        seq, last = self._logs.head(log_id(self._ctx.keys.device, old, PERSON_CHANNEL))
        return Beginning(old, seq, last) if seq else Beginning(old)

    def _publish(self, kind: int, body: bytes) -> None:
        self._published[kind] = None
        self._logs.write(PERSON_CHANNEL, kind, body)

    def _remember(self, name: str, value: bytes) -> None:
        self._facts[name] = value
        self._ctx.persist(FactRecord(name, value))


def _claimed(known: DeviceRecord, persona: PersonaKey) -> bool:
    """All that is known of the device is that another persona "removed" it, which never was its own."""
    return not known.certificate and known.persona != persona


def _ignore(device: DeviceKey) -> None:
    return None


def _ignore_device(device: DeviceKey, persona: PersonaKey) -> None:
    return None


def _ignore_contact(contact: ContactRecord) -> None:
    return None
