"""Contacts and channels of who is signed in."""

from __future__ import annotations

import io
from collections.abc import Iterator

from starlette.responses import Response

from meshnode.control import replies, requests
from meshnode.core.identity.invite import contact_uri, invite_words
from meshnode.core.ids import PersonaKey
from meshnode.errors import MissingError, UsageError
from meshnode.web.box import Box
from meshnode.web.routes import BASE, Asked, Route
from meshnode.web.shapes import ChannelName, ContactChange, Invite, Nearby, NearbyList, NewContact


class People:
    """The address book."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        listed = replies.ContactsReply
        yield Route("GET", "/contacts", "member", "The address book.", self.contacts, listed)
        yield Route(
            "POST",
            "/contacts",
            "member",
            "Take a contact from an invite, or who wrote to me.",
            self.add,
            listed,
            NewContact,
        )
        yield Route("GET", "/contacts/mine", "member", "My contact, to hand out.", self.mine, Invite)
        yield Route(
            "GET", "/contacts/mine.svg", "member", "My contact as a QR code.", self.picture, None,
            media="image/svg+xml", looked_at=True,
        )  # fmt: skip
        yield Route("GET", "/contacts/{persona}/words", "member", "Words to compare.", self.words, listed)
        yield Route(
            "PATCH", "/contacts/{persona}", "member", "Rename, verify or block.", self.change, listed, ContactChange
        )
        yield Route("DELETE", "/contacts/{persona}", "member", "Remove a contact.", self.remove, listed)
        yield Route("GET", "/nearby", "member", "Who else has a profile on this box.", self.nearby, NearbyList)

    async def contacts(self, asked: Asked) -> replies.ContactsReply:
        """All."""
        return await self._box.ask_mine(asked, requests.ContactListRequest(), replies.ContactsReply)

    async def add(self, asked: Asked) -> replies.ContactsReply:
        """From an invite, or who wrote to me: until then a stranger does not even learn that it arrived."""
        sent = asked.sent(NewContact)
        if bool(sent.invite) == bool(sent.persona):
            raise UsageError("Give an invite, or a persona.")
        uri = sent.invite or contact_uri(PersonaKey(bytes.fromhex(sent.persona)), sent.name)
        request = requests.ContactAddRequest(uri=uri, name=sent.name)
        return await self._box.ask_mine(asked, request, replies.ContactsReply)

    async def mine(self, asked: Asked) -> Invite:
        """As URI and words."""
        uri = (await self._box.ask_mine(asked, requests.InviteRequest(), replies.UriReply)).uri
        return Invite(uri=uri, words=invite_words(uri), qr=f"{BASE}/contacts/mine.svg")

    async def picture(self, asked: Asked) -> Response:
        """As a picture, capitals alone: that makes it smaller."""
        uri = (await self._box.ask_mine(asked, requests.InviteRequest(), replies.UriReply)).uri
        return Response(qr_svg(uri.upper()), media_type="image/svg+xml")

    async def words(self, asked: Asked) -> replies.ContactsReply:
        """The safety words of both."""
        request = requests.ContactVerifyRequest(name=asked.place["persona"])
        return await self._box.ask_mine(asked, request, replies.ContactsReply)

    async def change(self, asked: Asked) -> replies.ContactsReply:
        """One step after the other; the last answer has them all."""
        sent, name = asked.sent(ContactChange), asked.place["persona"]
        steps: list[requests.Request] = []
        if sent.verified:
            steps.append(requests.ContactVerifyRequest(name=name, confirm=True))
        if sent.blocked is not None:
            steps.append(requests.ContactBlockRequest(name=name, blocked=sent.blocked))
        if sent.name:
            steps.append(requests.ContactRenameRequest(name=name, to=sent.name))
        if not steps:
            raise MissingError("Say what is to change: name, verified or blocked.")
        for step in steps:
            changed = await self._box.ask_mine(asked, step, replies.ContactsReply)
        return changed

    async def remove(self, asked: Asked) -> replies.ContactsReply:
        """One contact."""
        request = requests.ContactRemoveRequest(name=asked.place["persona"])
        return await self._box.ask_mine(asked, request, replies.ContactsReply)

    async def nearby(self, asked: Asked) -> NearbyList:
        """The others of the household."""
        household = await self._box.ask(requests.HouseholdRequest(), replies.HouseholdReply)
        known = {one.persona for one in (await self.contacts(asked)).contacts}
        return NearbyList(
            people=[
                Nearby(
                    name=one.name,
                    persona=one.persona,
                    invite=contact_uri(PersonaKey(bytes.fromhex(one.persona)), one.name),
                    contact=one.persona in known,
                )
                for one in household.members
                if one.persona != asked.who.persona
            ]
        )


class Channels:
    """Public channels."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        listed = replies.ChannelsReply
        yield Route("GET", "/channels", "guest", "The channels I am in.", self.channels, listed)
        yield Route("POST", "/channels", "member", "Join or begin a public channel.", self.join, listed, ChannelName)
        yield Route("DELETE", "/channels/{id}", "member", "Leave a channel.", self.leave, listed)

    async def channels(self, asked: Asked) -> replies.ChannelsReply:
        """All."""
        return await self._box.ask_mine(asked, requests.ChannelListRequest(), replies.ChannelsReply)

    async def join(self, asked: Asked) -> replies.ChannelsReply:
        """By name."""
        request = requests.ChannelJoinRequest(channel=asked.sent(ChannelName).name)
        return await self._box.ask_mine(asked, request, replies.ChannelsReply)

    async def leave(self, asked: Asked) -> replies.ChannelsReply:
        """By id."""
        names = [one.name for one in (await self.channels(asked)).channels if one.id == asked.place["id"]]
        if not names:
            raise MissingError("You are not in this channel.")
        return await self._box.ask_mine(asked, requests.ChannelLeaveRequest(channel=names[0]), replies.ChannelsReply)


def qr_svg(text: str) -> bytes:
    """A QR code, black on white with its margin, without a size of its own."""
    import segno  # here: 1.2 MB that few pages need

    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="svg", border=4, light="#fff", omitsize=True, xmldecl=False)
    return picture.getvalue()
