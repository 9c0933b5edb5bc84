"""Handlers about the household of a box: profiles, the keeper, guests. They answer where the page is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.daemon.desk import Desk
from meshnode.daemon.page import is_here
from meshnode.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from meshnode.daemon.household import Household


class Members:
    """Whoever writes from this box."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.HouseholdRequest: self._about,
            requests.SetUpCodeRequest: self._code,
            requests.KeeperSetRequest: self._keeper_set,
            requests.ProfileMakeRequest: self._make,
            requests.ProfileOpenRequest: self._open,
            requests.ProfilePassphraseRequest: self._passphrase,
            requests.ProfileLockRequest: self._lock,
            requests.ProfileRemoveRequest: self._remove,
            requests.GuestOpenRequest: self._guest,
        }

    @property
    def _household(self) -> Household:
        if self._desk.household is None:
            raise UsageError("This node serves no page: `meshnode run --web`, or web.enabled in its configuration.")
        return self._desk.household

    async def _about(self, request: requests.HouseholdRequest) -> replies.HouseholdReply:
        household, allowed = self._household, self._household.allowed
        return replies.HouseholdReply(
            name=self._desk.me.name,
            mesh=self._desk.me.mesh.name,
            keeper=household.has_keeper,
            guests=allowed.guests,
            sign_up=allowed.sign_up,
            clock=self._desk.status().clock,
            members=household.members(),
        )

    async def _code(self, request: requests.SetUpCodeRequest) -> replies.CodeReply:
        addresses = list(self._desk.pages())
        absent = [address for address in addresses if not is_here(address)]
        return replies.CodeReply(code=self._household.code, addresses=addresses, absent=absent)

    async def _keeper_set(self, request: requests.KeeperSetRequest) -> replies.MemberReply:
        return await self._household.set_keeper(request.code, request.passphrase)

    async def _make(self, request: requests.ProfileMakeRequest) -> replies.MemberReply:
        if not request.by_keeper and not self._household.allowed.sign_up:
            raise RefusedError("On this box the keeper makes the profiles; ask for one.")
        return await self._household.make(request.name, request.passphrase)

    async def _open(self, request: requests.ProfileOpenRequest) -> replies.MemberReply:
        return await self._household.enter(request.name, request.passphrase)

    async def _passphrase(self, request: requests.ProfilePassphraseRequest) -> replies.MemberReply:
        return await self._household.change_passphrase(request.name, request.passphrase, request.to)

    async def _lock(self, request: requests.ProfileLockRequest) -> replies.DoneReply:
        await self._household.lock(request.name)
        return replies.DoneReply(text=f"the profile of {request.name} is locked")

    async def _remove(self, request: requests.ProfileRemoveRequest) -> replies.DoneReply:
        await self._household.remove(request.name)
        return replies.DoneReply(text=f"the profile of {request.name} is removed")

    async def _guest(self, request: requests.GuestOpenRequest) -> replies.MemberReply:
        if not self._household.allowed.guests:
            raise RefusedError("This box takes no guests; make a profile instead.")
        return await self._household.guest()
