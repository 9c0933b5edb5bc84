"""Handlers about people: contacts, channels, devices."""

from __future__ import annotations

from collections import Counter

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.identity.certificate import revoke_device
from meshnode.core.identity.invite import MeshInvite, check_name, read_invite_untrusted
from meshnode.core.identity.words import safety_words
from meshnode.core.ids import DeviceKey, PersonaKey, log_device
from meshnode.core.inputs import AdoptBranches, RemoveContact, RevokeDevice, SetChannel, SetContact
from meshnode.core.notices import BranchAdopted
from meshnode.core.records import ContactRecord, DeviceRecord, LogRecord
from meshnode.daemon import wording
from meshnode.daemon.desk import Desk
from meshnode.errors import UsageError


class Contacts:
    """The address book."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.ContactListRequest: self._contacts,
            requests.ContactAddRequest: self._contact_add,
            requests.ContactVerifyRequest: self._contact_verify,
            requests.ContactRenameRequest: self._contact_rename,
            requests.ContactRemoveRequest: self._contact_remove,
            requests.ContactBlockRequest: self._contact_block,
        }

    async def _contacts(self, request: requests.ContactListRequest) -> replies.ContactsReply:
        return replies.ContactsReply(contacts=[wording.contact(one) for one in await self._desk.host.contacts()])

    async def _contact_add(self, request: requests.ContactAddRequest) -> replies.ContactsReply:
        invite = read_invite_untrusted(request.uri)
        if isinstance(invite, MeshInvite):
            raise UsageError(f"this gives membership of the mesh {invite.name}, it names no person; use `mesh join`")
        if invite.persona == self._desk.me.keys.persona:
            raise UsageError("this is your own contact; hand it to others")
        known = self._desk.book.knows(invite.persona)
        name = self._free_name(request.name or (known.name if known else invite.name), invite.persona)
        verified, blocked = (known.verified, known.blocked) if known else (False, False)
        return await self._set(invite.persona, name, verified, blocked)

    async def _contact_verify(self, request: requests.ContactVerifyRequest) -> replies.ContactsReply:
        one = self._desk.book.contact(request.name)
        if request.confirm:
            return await self._set(one.persona, one.name, True, one.blocked)
        words = safety_words(self._desk.me.keys.persona, one.persona)
        return replies.ContactsReply(contacts=[wording.contact(one, words)])

    async def _contact_rename(self, request: requests.ContactRenameRequest) -> replies.ContactsReply:
        one = self._desk.book.contact(request.name)
        return await self._set(one.persona, self._free_name(request.to, one.persona), one.verified, one.blocked)

    async def _contact_block(self, request: requests.ContactBlockRequest) -> replies.ContactsReply:
        one = self._desk.book.contact(request.name)
        return await self._set(one.persona, one.name, one.verified, request.blocked)

    async def _contact_remove(self, request: requests.ContactRemoveRequest) -> replies.ContactsReply:
        one = self._desk.book.contact(request.name)
        await self._desk.host.submit(RemoveContact(one.persona))
        await self._desk.load()
        return replies.ContactsReply(contacts=[wording.contact(one)])

    async def _set(self, persona: PersonaKey, name: str, verified: bool, blocked: bool) -> replies.ContactsReply:
        await self._desk.host.submit(SetContact(persona, name, verified, blocked))
        await self._desk.load()
        return replies.ContactsReply(contacts=[wording.contact(self._kept(persona))])

    def _kept(self, persona: PersonaKey) -> ContactRecord:
        kept = self._desk.book.knows(persona)
        if kept is None:
            raise UsageError("the contact was removed meanwhile; add it again")
        return kept

    def _free_name(self, name: str, persona: PersonaKey) -> str:
        check_name(name)
        taken = self._desk.book.called(name)
        if taken is not None and taken.persona != persona:
            raise UsageError(f"somebody else is already called {taken.name!r}; give another name with --name")
        return name


class Channels:
    """Public channels."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.ChannelListRequest: self._channels,
            requests.ChannelCreateRequest: self._channel_create,
            requests.ChannelJoinRequest: self._channel_join,
            requests.ChannelLeaveRequest: self._channel_leave,
        }

    async def _channels(self, request: requests.Request) -> replies.ChannelsReply:
        logs = [record.log for record in await self._desk.host.every(LogRecord)]
        known = await self._desk.host.channels()
        return replies.ChannelsReply(channels=[wording.channel(*one, logs) for one in known if one[0].joined])

    async def _channel_create(self, request: requests.ChannelCreateRequest) -> replies.ChannelsReply:
        if await self._is_in(request.channel):
            raise UsageError(f"you are in a channel called {request.channel!r} already; see `meshnode channel list`")
        return await self._set_channel(request.channel, joined=True)

    async def _channel_join(self, request: requests.ChannelJoinRequest) -> replies.ChannelsReply:
        return await self._set_channel(request.channel, joined=True)

    async def _channel_leave(self, request: requests.ChannelLeaveRequest) -> replies.ChannelsReply:
        if not await self._is_in(request.channel):
            raise UsageError(f"you are in no channel called {request.channel!r}; see `meshnode channel list`")
        return await self._set_channel(request.channel, joined=False)

    async def _is_in(self, name: str) -> bool:
        return any(record.joined and record.name == name for record, _ in await self._desk.host.channels())

    async def _set_channel(self, name: str, *, joined: bool) -> replies.ChannelsReply:
        check_name(name)
        await self._desk.host.submit(SetChannel(self._desk.book.channel(name), name, joined))
        await self._desk.load()
        return await self._channels(requests.ChannelListRequest())


class Devices:
    """The devices of my persona."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.DeviceListRequest: self._devices,
            requests.DeviceRevokeRequest: self._device_revoke,
            requests.DeviceAdoptRequest: self._device_adopt,
        }

    async def _devices(self, request: requests.Request) -> replies.DevicesReply:
        own = [one for one in await self._desk.host.every(DeviceRecord) if one.persona == self._desk.me.keys.persona]
        split = Counter(log_device(one.log) for one in await self._desk.host.every(LogRecord) if wording.is_split(one))
        me = self._desk.me.keys.device
        return replies.DevicesReply(devices=[wording.device(one, me, split[one.device]) for one in own])

    async def _device_revoke(self, request: requests.DeviceRevokeRequest) -> replies.DevicesReply:
        keys = self._desk.me.keys
        device = await self._meant(request.device)
        if not keys.persona_secret:
            raise UsageError("the root key of your persona is not on this device; remove the device where it is")
        await self._desk.host.submit(
            RevokeDevice(revoke_device(self._desk.me.sealer, keys.persona, keys.persona_secret, device))
        )
        return await self._devices(request)

    async def _device_adopt(self, request: requests.DeviceAdoptRequest) -> replies.DevicesReply:
        device = await self._meant(request.device) if request.device else self._desk.me.keys.device
        told = await self._desk.host.submit(AdoptBranches(device))
        adopted = [wording.branch(one) for one in told if isinstance(one, BranchAdopted)]
        return replies.DevicesReply(devices=(await self._devices(request)).devices, adopted=adopted)

    async def _meant(self, device: str) -> DeviceKey:
        known = (await self._devices(requests.DeviceListRequest())).devices
        meant = [one for one in known if device and one.device.startswith(device.lower())]
        if len(meant) != 1:
            raise UsageError(f"{len(meant)} of your devices begin with {device!r}; see `meshnode device list`")
        return DeviceKey(bytes.fromhex(meant[0].device))
