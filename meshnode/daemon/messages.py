"""Handlers about messages: sending and posting, the inbox, where a message is, the way to a contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import trio

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.chat.cancel import cancel_request, cancelling, take_cancelled
from meshnode.core.identity.invite import check_name
from meshnode.core.ids import ChannelId, MessageId, PersonaKey
from meshnode.core.inputs import Compose, DropFile, MarkRead, SetChannel
from meshnode.core.notices import MessageFiled, Notice, ProbeHop, StateChanged
from meshnode.core.records import STATES, ContactRecord, DeviceRecord, PeerPrekeyRecord
from meshnode.daemon import mailbox, wording
from meshnode.daemon.adapters import Filed
from meshnode.daemon.attaching import attach
from meshnode.daemon.desk import Desk
from meshnode.daemon.entropy import SystemEntropy
from meshnode.errors import MeshnodeError, RefusedError, UsageError

PAGE = 500  # rows read at a time
LOOK_S = 0.2
LATE_S = 0.5
FAR = (*STATES, "expired")


class Messages:
    """Everything with an id."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.SendRequest: self._send,
            requests.PostRequest: self._post,
            requests.SendLinesRequest: self._send_lines,
            requests.PostLinesRequest: self._post_lines,
            requests.InboxRequest: self._inbox,
            requests.WhyRequest: self._why,
            requests.CancelRequest: self._cancel,
            requests.TraceRequest: self._trace,
        }

    async def _send(self, request: requests.SendRequest) -> replies.StateReply:
        to = self._recipient(request.contact)
        prompt = request.wait in ("delivered", "read")
        compose = Compose(
            request.text, to=to.persona, cls=request.cls, request=_request_id(request.request_id), prompt=prompt
        )
        filed = await self._compose(compose, request.file)
        return await self._reach(filed, request.wait or "kept", request.timeout_s)

    async def _post(self, request: requests.PostRequest) -> replies.StateReply:
        channel = await self._joined(request.channel)
        compose = Compose(request.text, channel=channel, cls=request.cls, request=_request_id(request.request_id))
        return await self._reach(await self._compose(compose, request.file), "kept", 0.0)

    async def _compose(self, compose: Compose, given: requests.FileGiven | None) -> MessageId:
        """Have the node take a message; with a file, once that is kept. Asked again, the first one's file stays."""
        if given is None:
            return _filed(await self._desk.host.submit(compose))
        me = self._desk.me
        manifest = await attach(self._desk.host, me.sealer, SystemEntropy(), given, sealed=compose.to is not None)
        announced = False
        try:
            message = _filed(await self._desk.host.submit(replace(compose, file=manifest.encode())))
            filed = await self._desk.host.message(message)
            announced = filed is not None and filed.message.file == manifest.encode()
        finally:
            if not announced:
                with trio.CancelScope(shield=True):
                    await self._desk.host.submit(DropFile(manifest.file))
        return message

    async def _send_lines(self, request: requests.SendLinesRequest) -> replies.LinesReply:
        to = self._recipient(request.contact)
        return await self._all([Compose(text, to=to.persona, cls=request.cls) for text in request.texts])

    async def _post_lines(self, request: requests.PostLinesRequest) -> replies.LinesReply:
        channel = await self._joined(request.channel)
        return await self._all([Compose(text, channel=channel) for text in request.texts])

    async def _all(self, composed: Sequence[Compose]) -> replies.LinesReply:
        """Give them to the node together: they share a disk sync and, on the air, datagrams."""
        states: list[replies.StateReply] = []
        for told in await self._desk.host.submit_all(composed):
            if isinstance(told, MeshnodeError):
                return replies.LinesReply(states, str(told))
            states.append(await self._stands(_filed(told)))
        return replies.LinesReply(states)

    def _recipient(self, contact: str) -> ContactRecord:
        to = self._desk.book.contact(contact)
        if to.blocked:
            raise UsageError(f"you have blocked {to.name}; `contact unblock` first")
        return to

    async def _joined(self, name: str) -> ChannelId:
        """The channel of that name, joined if it was not."""
        check_name(name)
        channel = self._desk.book.channel(name)
        if channel not in {record.channel for record, _ in await self._desk.host.channels() if record.joined}:
            await self._desk.host.submit(SetChannel(channel, name, joined=True))
            await self._desk.load()
        return channel

    async def _reach(self, message: MessageId, wanted: str, timeout_s: float) -> replies.StateReply:
        """The state of a message once it is as far as wanted, or when the time is over."""
        with self._desk.progress.follow(message) as steps:
            reply = await self._stands(message)
            with trio.move_on_after(timeout_s):
                while FAR.index(reply.state) < FAR.index(wanted):
                    await steps.receive()
                    reply = await self._stands(message)
        reached = reply.state != "expired" and FAR.index(reply.state) >= FAR.index(wanted)
        return msgspec.structs.replace(reply, reached=reached)

    async def _stands(self, message: MessageId) -> replies.StateReply:
        filed = await self._desk.host.message(message)
        if filed is None:
            raise UsageError(f"message {message.hex()[:8]} is not here any more")
        return await self._state(filed)

    async def _why(self, request: requests.WhyRequest) -> replies.StateReply:
        return await self._state(await self._named(request.id))

    async def _named(self, id: str) -> Filed:
        """The message whose id begins so."""
        try:
            prefix = bytes.fromhex(id[: len(id) & ~1])
        except ValueError:
            raise UsageError(f"{id!r} is not the beginning of a message id; see `meshnode inbox`") from None
        filed = await self._desk.host.message(prefix) if prefix else None
        if filed is None:
            raise UsageError(f"no message here has an id that begins with {id!r}; see `meshnode inbox`")
        return filed

    async def _cancel(self, request: requests.CancelRequest) -> replies.StateReply:
        """As urgent as what it takes back: it then goes as far, and within the same limits."""
        message = (await self._named(request.id)).message
        is_cancel, under = take_cancelled(message.text)[0], _request_id(request.under)
        if not message.outgoing or not message.request.hex().startswith(request.under):
            raise RefusedError("Only who wrote a message can take it back.")
        if message.cls != wording.EMERGENCY or is_cancel:
            raise UsageError("only an emergency can be taken back")
        compose = Compose(
            cancelling(message.id, message.text),
            to=None if message.channel else message.peer,
            channel=ChannelId(message.channel) if message.channel else None,
            cls=wording.EMERGENCY,
            request=under + cancel_request(message.id)[len(under) :],
        )
        return await self._reach(await self._compose(compose, None), "kept", 0.0)

    async def _state(self, filed: Filed) -> replies.StateReply:
        return replies.StateReply(
            id=filed.message.id.hex(),
            state=wording.state_of(filed),
            witnesses=list(filed.state.witnesses) if filed.state else [],
            waiting_for=self._waiting_for(filed),
        )

    def _waiting_for(self, filed: Filed) -> str:
        """In a few words, what an own message still needs to get further."""
        message = filed.message
        if not message.outgoing:
            return ""
        if wording.state_of(filed) == "delivered":
            return f"{self._desk.book.name_of(message.peer)} to read it"
        return self._desk.host.waiting_for(message.id)

    async def _has_key(self, persona: PersonaKey) -> bool:
        devices = {device.device for device in await self._desk.host.every(DeviceRecord) if device.persona == persona}
        return any(prekey.device in devices for prekey in await self._desk.host.every(PeerPrekeyRecord))

    async def _inbox(self, request: requests.InboxRequest) -> replies.InboxReply:
        wanted = mailbox.wanted(request, self._desk.book)
        since, found = wanted.since, list[Filed]()
        if wanted.newest:
            since = await self._desk.host.before_last(wanted.contact, wanted.channel, request.limit)
        while not request.limit or len(found) < request.limit:
            room = min(PAGE, request.limit - len(found)) if request.limit else PAGE
            page = await self._desk.host.inbox(since, wanted.contact, wanted.channel, room)
            found += page
            since = page[-1].message.cursor if page else since
            if len(page) < room:
                break
        if request.mark_read and (unread := mailbox.unread(found)):
            await self._desk.host.submit(MarkRead(unread))
        return mailbox.shown(found, wanted.since, self._desk.book, self._desk.me.name, self._desk.host.now)

    async def _trace(self, request: requests.TraceRequest) -> replies.TraceReply:
        to = self._desk.book.contact(request.contact)
        hops: dict[int, replies.HopInfo] = {}
        reached = False
        with trio.move_on_after(request.timeout_s) as patience:
            while not await self._has_key(to.persona):  # noqa: ASYNC110 - nothing says that a key has come
                await trio.sleep(LOOK_S)
            message = _filed(await self._desk.host.submit(Compose("", to=to.persona, prompt=True, probe=True)))
            began = trio.current_time()
            with self._desk.progress.follow(message) as steps:
                async for step in steps:
                    if isinstance(step, ProbeHop):
                        hops[step.hop] = _hop(step)
                    elif step.state in ("delivered", "read") and not reached:
                        reached = True
                        late = max(LATE_S, trio.current_time() - began)  # the receipt overtakes the last answers
                        patience.deadline = min(patience.deadline, trio.current_time() + late)
        return replies.TraceReply(path=[hops[hop] for hop in sorted(hops)], reached=reached)


def _hop(step: ProbeHop) -> replies.HopInfo:
    return replies.HopInfo(node=step.node, carrier=step.carrier, rtt_ms=round(step.rtt_s * 1000, 1))


def _request_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError("a request id is 32 hex digits") from None


def _filed(told: tuple[Notice, ...]) -> MessageId:
    """The message that a step wrote (or had written, for a request id it knew)."""
    for notice in told:
        if isinstance(notice, MessageFiled):
            return notice.message.id
        if isinstance(notice, StateChanged):
            return notice.message
    raise UsageError("the node did not take the message; see `meshnode status` for warnings")
