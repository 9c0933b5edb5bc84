"""What the keeper of a box may see and do: how it stands, who is near, its members; and metrics for who measures."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response

from meshnode.control import replies, requests
from meshnode.errors import MissingError, RefusedError
from meshnode.web.box import Box
from meshnode.web.routes import Asked, Route
from meshnode.web.shapes import GuestHere, GuestList, HourReply, NewMember

LOOPBACK = ("127.0.0.1", "::1")
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Keeper:
    """The box view."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        household, done, aside = replies.HouseholdReply, replies.DoneReply, replies.SetAsideReply
        yield Route("GET", "/box", "keeper", "The state of everything.", self.status, replies.StatusReply)
        yield Route("GET", "/box/hour", "keeper", "Who was near in the last hour.", self.hour, HourReply)
        yield Route("GET", "/box/doctor", "keeper", "All checks, with remedies.", self.doctor, replies.DoctorReply)
        yield Route("GET", "/box/peers", "keeper", "Sessions and overlay peerings.", self.peers, replies.PeersReply)
        yield Route("GET", "/box/queue", "keeper", "What waits for air or a carrier.", self.queue, replies.QueueReply)
        yield Route("GET", "/box/going", "keeper", "What leaves a full store first.", self.going, replies.GoingReply)
        yield Route("GET", "/box/mesh", "keeper", "Membership of the mesh, to hand on.", self.mesh, replies.UriReply)
        yield Route("GET", "/box/members", "keeper", "Who has a profile here.", self.members, household)
        yield Route("POST", "/box/members", "keeper", "Make a profile for somebody.", self.add, household, NewMember)
        yield Route("POST", "/box/members/{name}/lock", "keeper", "Lock a profile.", self.lock, done)
        yield Route(
            "DELETE", "/box/members/{name}", "keeper", "Remove a profile with everything in it.", self.remove, done
        )
        yield Route("GET", "/box/guests", "keeper", "Who is here as a guest now.", self.guests, GuestList)
        yield Route("DELETE", "/box/guests/{id}", "keeper", "Sign a guest out.", self.end_guest, GuestList)
        yield Route("GET", "/box/before", "keeper", "What it was before it was restored.", self.before, aside)
        yield Route("DELETE", "/box/before", "keeper", "Remove what it was before.", self.forget, aside)
        yield Route(
            "GET", "/metrics", "anyone", "Numbers for Prometheus; to this machine, or to the keeper.", self.metrics,
            None, media="text/plain",
        )  # fmt: skip

    async def status(self, asked: Asked) -> replies.StatusReply:
        """Of the box."""
        return await self._box.ask(requests.StatusRequest(), replies.StatusReply)

    async def hour(self, asked: Asked) -> HourReply:
        """Of the box."""
        return self._box.past.hour()

    async def doctor(self, asked: Asked) -> replies.DoctorReply:
        """Of the box."""
        return await self._box.ask(requests.DoctorRequest(), replies.DoctorReply)

    async def peers(self, asked: Asked) -> replies.PeersReply:
        """Of the box."""
        return await self._box.ask(requests.PeersRequest(), replies.PeersReply)

    async def queue(self, asked: Asked) -> replies.QueueReply:
        """Of the box."""
        return await self._box.ask(requests.QueueRequest(), replies.QueueReply)

    async def going(self, asked: Asked) -> replies.GoingReply:
        """Of the box; what members keep has a store of its own."""
        return await self._box.ask(requests.GoingRequest(), replies.GoingReply)

    async def mesh(self, asked: Asked) -> replies.UriReply:
        """It holds the secret of the mesh."""
        return await self._box.ask(requests.MeshInviteRequest(), replies.UriReply)

    async def members(self, asked: Asked) -> replies.HouseholdReply:
        """All."""
        return await self._box.ask(requests.HouseholdRequest(), replies.HouseholdReply)

    async def add(self, asked: Asked) -> replies.HouseholdReply:
        """Also where nobody may sign up alone."""
        sent = asked.sent(NewMember)
        request = requests.ProfileMakeRequest(name=sent.name, passphrase=sent.passphrase, by_keeper=True)
        await self._box.ask(request, replies.MemberReply)
        return await self.members(asked)

    async def lock(self, asked: Asked) -> replies.DoneReply:
        """All its browsers are signed out."""
        name = asked.place["name"]
        done = await self._box.ask(requests.ProfileLockRequest(name=name), replies.DoneReply)
        self._box.logins.end_all(name)
        return done

    async def remove(self, asked: Asked) -> replies.DoneReply:
        """All its browsers are signed out."""
        name = asked.place["name"]
        done = await self._box.ask(requests.ProfileRemoveRequest(name=name), replies.DoneReply)
        self._box.logins.end_all(name)
        return done

    async def guests(self, asked: Asked) -> GuestList:
        """By name; somebody with two browsers once."""
        return GuestList(guests=[GuestHere(id=mark, name=name) for mark, name in self._box.logins.guests().items()])

    async def end_guest(self, asked: Asked) -> GuestList:
        """Who is left."""
        mark = asked.place["id"]
        if mark not in self._box.logins.guests():
            raise MissingError("This guest is not signed in.")
        self._box.logins.end_guest(mark)
        return await self.guests(asked)

    async def before(self, asked: Asked) -> replies.SetAsideReply:
        """Kept on the disk of the box."""
        return await self._box.ask(requests.SetAsideRequest(), replies.SetAsideReply)

    async def forget(self, asked: Asked) -> replies.SetAsideReply:
        """What is left: nothing."""
        await self._box.ask(requests.SetAsideRequest(forget=True), replies.SetAsideReply)
        return await self.before(asked)

    async def metrics(self, asked: Asked) -> Response:
        """Of the box; nothing of anybody's words or names."""
        if asked.source not in LOOPBACK and not (asked.login and asked.login.may("keeper")):
            raise RefusedError("Metrics are for the keeper, or for a program on the box itself.")
        from meshnode.web.metrics import exposition  # here: 1.3 MB that most boxes never need

        status = await self._box.ask(requests.StatusRequest(), replies.StatusReply)
        return Response(exposition(status, self._box.counts()), media_type=METRICS)
