"""Coming in: the box as anyone sees it, its first keeper, profiles, guests, signing in and out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import meshnode
from meshnode.control import replies, requests
from meshnode.control.replies import utc_text
from meshnode.errors import RefusedError
from meshnode.web.box import Box, login_of
from meshnode.web.logins import Login, guest_mark
from meshnode.web.places import EACH
from meshnode.web.routes import Asked, Route, Signed
from meshnode.web.shapes import GuestName, Limits, Me, NewWords, SetUp, SignIn, SignUp, Welcome
from meshnode.web.spool import FILE_MOST

TEXT_MOST = 16_000  # characters of one message
PAGE_MOST = 200


class Entrance:
    """What comes before everything else."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        yield Route("GET", "", "anyone", "The box, what it allows, and who is signed in.", self.welcome, Welcome)
        yield Route("POST", "/set-up", "anyone", "Become the box's first keeper.", self.set_up, Me, SetUp)
        yield Route("POST", "/profiles", "anyone", "Make a profile on this box and sign in.", self.sign_up, Me, SignUp)
        yield Route("POST", "/session", "anyone", "Sign in.", self.sign_in, Me, SignIn)
        yield Route("POST", "/session/guest", "anyone", "Come in as a guest.", self.guest, Me, GuestName)
        yield Route("DELETE", "/session", "anyone", "Sign out this browser.", self.sign_out, replies.DoneReply)
        yield Route("GET", "/me", "guest", "Who is signed in.", self.me, Me)
        yield Route(
            "POST", "/me/passphrase", "member", "Another passphrase; my other browsers are signed out.",
            self.change_passphrase, Me, NewWords,
        )  # fmt: skip

    async def welcome(self, asked: Asked) -> Welcome:
        """The box, as anyone on the hotspot may know it."""
        household = await self._box.ask(requests.HouseholdRequest(), replies.HouseholdReply)
        known = household.clock.uncertainty_s is not None
        return Welcome(
            version=meshnode.__version__,
            name=household.name,
            mesh=household.mesh,
            set_up=household.keeper,
            guests=household.guests,
            sign_up=household.sign_up,
            now=utc_text(self._box.clock()) if known else None,
            clock=household.clock,
            limits=Limits(
                text=TEXT_MOST,
                page=PAGE_MOST,
                streams=EACH[asked.login.role if asked.login else "guest"],
                file=FILE_MOST,
            ),
            me=asked.login.me if asked.login else None,
        )

    async def set_up(self, asked: Asked) -> Signed:
        """The first visitor with the box's set-up code."""
        sent = asked.sent(SetUp)
        self._box.patience.take("set-up")
        request = requests.KeeperSetRequest(code=sent.code, passphrase=sent.passphrase)
        return self._signed(asked, await self._box.ask(request, replies.MemberReply))

    async def sign_up(self, asked: Asked) -> Signed:
        """A new profile."""
        sent = asked.sent(SignUp)
        self._box.patience.take(f"sign-up {asked.source}")
        request = requests.ProfileMakeRequest(name=sent.name, passphrase=sent.passphrase)
        return self._signed(asked, await self._box.ask(request, replies.MemberReply))

    async def sign_in(self, asked: Asked) -> Signed:
        """A member, or the keeper. Tries are counted by place and by name, so that neither many places help nor one."""
        sent = asked.sent(SignIn)
        self._box.patience.take(f"from {asked.source}")
        self._box.patience.take(f"as {sent.name.casefold()}")
        request = requests.ProfileOpenRequest(name=sent.name, passphrase=sent.passphrase)
        return self._signed(asked, await self._box.ask(request, replies.MemberReply))

    async def guest(self, asked: Asked) -> Signed:
        """A guest, who reads and writes in public channels."""
        sent = asked.sent(GuestName)
        name = " ".join(sent.name.split())
        if not name or not name.isprintable():
            raise RefusedError("Say in one line what you want to be called.")
        self._box.patience.take(f"guest {asked.source}")
        member = await self._box.ask(requests.GuestOpenRequest(), replies.MemberReply)
        return self._begun(asked, replace(login_of(member), name=name, mark=guest_mark(name, sent.key)))

    async def sign_out(self, asked: Asked) -> Signed:
        """This browser; the profile stays open on the box and goes on taking mail."""
        self._box.logins.end(asked.token)
        return Signed(replies.DoneReply(text="signed out"), "")

    async def me(self, asked: Asked) -> Me:
        """Who is signed in."""
        return asked.who.me

    async def change_passphrase(self, asked: Asked) -> Signed:
        """Whoever was signed in by the passphrase until now is not any more, but for this browser."""
        sent, name = asked.sent(NewWords), asked.who.name
        self._box.patience.take(f"as {name.casefold()}")
        request = requests.ProfilePassphraseRequest(name=name, passphrase=sent.passphrase, to=sent.to)
        member = await self._box.ask(request, replies.MemberReply)
        self._box.logins.end_all(name)
        return self._signed(asked, member)

    def _signed(self, asked: Asked, member: replies.MemberReply) -> Signed:
        return self._begun(asked, login_of(member))

    def _begun(self, asked: Asked, login: Login) -> Signed:
        self._box.logins.end(asked.token)
        return Signed(login.me, self._box.logins.begin(login))
