"""Handlers against a host that only remembers: what is told to the node, and what watchers are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshnode.control import notices as told
from meshnode.control import replies, requests
from meshnode.control.feed import Feed
from meshnode.core.identity.invite import MeshInvite
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import BlockId, DeviceKey, LogId, MessageId, PersonaKey
from meshnode.core.inputs import AdoptBranches, Compose, Input
from meshnode.core.notices import BranchAdopted, MessageFiled, StateChanged, Waiting
from meshnode.core.records import ContactRecord, MessageRecord, StateRecord
from meshnode.core.sealing.mesh import MeshKeys, open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.daemon.adapters import Filed
from meshnode.daemon.book import Book
from meshnode.daemon.desk import Desk, Me, cursor, read_cursor
from meshnode.daemon.handlers import answers, streams
from meshnode.daemon.membership import Membership
from meshnode.daemon.progress import Progress
from meshnode.errors import UsageError

BO = ContactRecord(PersonaKey(b"\x0b" * 32), "Bo", False, False, 0.0)
STATUS = {
    "version": "1", "persona": "", "uptime_s": 1.0,
    "interface": {"name": "", "driver": "", "state": "missing"},
    "overlay": {"backend": "none", "address": "", "public_key": "", "peers": []},
    "neighbours": [], "counts": {"logs": 0, "blocks": 0, "envelopes": 0, "chunks": 0}, "airtime": {},
    "store": {"bytes": 0, "limit": 1}, "clock": {"offset_s": None, "uncertainty_s": None, "source": "unknown"},
}  # fmt: skip


def message(number: int) -> MessageRecord:
    return MessageRecord(
        id=MessageId(bytes([number]) * 16), cursor=number, outgoing=True, peer=BO.persona, device=DeviceKey(bytes(32)),
        channel=b"", seq=number, text=f"text {number}", cls=2, sent_at=0.0, received_at=0.0, hops=-1, missing=0,
        request=b"",
    )  # fmt: skip


def state(number: int, name: str, changed_at: float) -> StateRecord:
    return StateRecord(MessageId(bytes([number]) * 16), name, ("w",), 0.0, 0, changed_at)


class Remembering:
    """A host whose store is a list."""

    now = 100.0

    def __init__(self, filed: Sequence[Filed] = ()) -> None:
        self.filed = list(filed)
        self.submitted: list[Input] = []
        self.while_reading: list[told.Notice] = []
        self.feed = Feed()
        self.answer: tuple[Any, ...] = ()

    async def submit(self, given: Input) -> tuple[Any, ...]:
        self.submitted.append(given)
        if self.answer:
            return self.answer
        made = message(len(self.filed) + 1)
        self.filed.append(Filed(made, state(made.cursor, "kept", 50.0)))
        return (MessageFiled(made), StateChanged(made.id, "kept", ()))

    async def inbox(self, since: int = 0, contact: Any = None, channel: Any = None, limit: int = 100) -> list[Filed]:
        for notice in self.while_reading:
            self.feed.publish(notice)
        self.while_reading.clear()
        return [one for one in self.filed if one.message.cursor > since][:limit]

    async def before_last(self, contact: Any, channel: Any, limit: int) -> int:
        return max(0, len(self.filed) - limit)

    async def message(self, prefix: bytes) -> Filed | None:
        return next((one for one in self.filed if one.message.id.startswith(prefix)), None)

    def queue(self) -> list[Waiting]:
        return [Waiting("message", 2, number, "key of Bo", "Bo", "01") for number in range(600)]

    def waiting_for(self, message: MessageId) -> str:
        return "what the core says"

    async def contacts(self) -> list[ContactRecord]:
        return [BO]

    async def channels(self) -> list[Any]:
        return []

    async def every(self, kind: type) -> list[Any]:
        return []

    def status(self) -> dict[str, Any]:
        session = {"node": "0b", "address": "200::b", "carrier": "overlay", "initiator": True, "open_s": 2.5}
        sessions = [{**session, "bytes_sent": 7, "bytes_received": 8}]
        return {**STATUS, "airtime": {"backlog_s_halow0": 0.5, "backlog_s_eth0": 0.1}, "sessions": sessions}


class Drawer:
    """A home that keeps nothing but its mesh."""

    def __init__(self, mesh: MeshKeys) -> None:
        self.mesh, self.entropy = mesh, SeededEntropy(1)

    def join(self, invite: MeshInvite) -> MeshKeys:
        raise AssertionError("nobody joins here")

    def keep_mesh(self, mesh: MeshKeys) -> None:
        self.mesh = mesh


async def at_desk(host: Remembering) -> Desk:
    sealer, entropy = SeededSealer(1), SeededEntropy(1)
    keys = new_keys(sealer, entropy)
    me = Me(Path("/home"), "Ada", keys, open_mesh("public"), sealer, Membership(Drawer(open_mesh("public"))))
    desk = Desk(host, me, Book(keys.persona, "Ada"), Progress(), host.feed)  # type: ignore[arg-type]
    await desk.load()
    return desk


@pytest.mark.parametrize(("wait", "prompt"), [("", False), ("kept", False), ("delivered", True), ("read", True)])
async def test_the_receipt_hurries_where_somebody_waits(wait: Any, prompt: bool) -> None:
    host = Remembering()
    desk = await at_desk(host)
    request = requests.SendRequest(contact="bo", text="hi", wait=wait, timeout_s=0.0, cls=3)
    reply = await answers(desk)[requests.SendRequest](request)
    assert host.submitted == [Compose("hi", to=BO.persona, cls=3, prompt=prompt)]
    assert (reply.state, reply.reached) == ("kept", not prompt)
    assert reply.waiting_for == "what the core says"


async def test_a_message_told_while_the_past_is_read_is_told_once() -> None:
    host = Remembering([Filed(message(1), None), Filed(message(2), None)])
    desk = await at_desk(host)
    late = told.MessageNotice(
        at="", cursor=cursor(2, 99.0), id="02" * 16, sender="Ada", text="text 2", files=[], sent_at=None,
        received_at=None, state="kept", hops=-1,
    )  # fmt: skip
    host.while_reading = [late, told.StoppedNotice(at="")]
    seen: list[told.Notice] = []
    watching = streams(desk)[requests.WatchRequest](requests.WatchRequest(since="1"))
    async for notice in watching:
        seen.append(notice)
        if isinstance(notice, told.StoppedNotice):
            break
    await watching.aclose()
    assert [type(one).__name__ for one in seen] == ["ReadyNotice", "MessageNotice", "StoppedNotice"]


async def test_states_that_changed_meanwhile_are_told_again_and_older_ones_not() -> None:
    filed = [Filed(message(n), state(n, "delivered", at)) for n, at in ((1, 10.0), (2, 60.0))]
    host = Remembering(filed)
    desk = await at_desk(host)
    host.while_reading = [told.StoppedNotice(at="")]
    seen: list[told.Notice] = []
    watching = streams(desk)[requests.WatchRequest](requests.WatchRequest(since=cursor(2, 50.0)))
    async for notice in watching:
        seen.append(notice)
        if isinstance(notice, told.StoppedNotice):
            break
    await watching.aclose()
    assert [(one.id, one.state) for one in seen if isinstance(one, told.StateNotice)] == [("02" * 16, "delivered")]


async def test_what_waits_and_who_is_connected() -> None:
    desk = await at_desk(Remembering())
    queue = await answers(desk)[requests.QueueRequest](requests.QueueRequest())
    assert [one.bytes for one in queue.queue] == list(range(500))
    assert queue.queue[0] == replies.QueueItem(kind="message", cls=2, bytes=0, waits_for="key of Bo", to="Bo", id="01")
    assert queue.backlog_s == 0.5
    peers = await answers(desk)[requests.PeersRequest](requests.PeersRequest())
    assert [(one.node, one.open_s, one.bytes_received) for one in peers.sessions] == [("0b", 2.5, 8)]


async def test_waiting_ends_when_the_message_is_there_or_gone() -> None:
    host = Remembering()
    desk = await at_desk(host)
    ask = answers(desk)[requests.WhyRequest]
    host.filed = [Filed(message(1), state(1, "expired", 1.0))]
    assert (await ask(requests.WhyRequest(id="0101"))).state == "expired"
    for wrong in ("", "zz", "ff"):
        with pytest.raises(UsageError, match="inbox"):
            await ask(requests.WhyRequest(id=wrong))


async def test_what_a_message_waits_for() -> None:
    host = Remembering()
    desk = await at_desk(host)
    ask = answers(desk)[requests.WhyRequest]
    post = replace(message(1), channel=b"c" * 16)
    for record, name, reason in [
        (message(1), "delivered", "Bo to read it"),
        (message(1), "on_air", "what the core says"),
        (post, "kept", "what the core says"),
        (replace(message(1), outgoing=False), "delivered", ""),
    ]:
        host.filed = [Filed(record, state(1, name, 1.0))]
        assert (await ask(requests.WhyRequest(id="01"))).waiting_for == reason


@pytest.mark.parametrize(
    "text", ["x", "1@y", "1@2@3", "-1", "1@", "1@nan", "1@inf", "1@-1", "1" * 30, "1@" + "9" * 400, "\u0661"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a cursor"):
        read_cursor(text)


def test_cursors_come_back() -> None:
    assert read_cursor("") == (0, 0.0)
    assert read_cursor("41") == (41, 0.0)
    assert read_cursor(cursor(7, 12.5)) == (7, 12.5)


async def test_a_branch_is_adopted() -> None:
    log = LogId(bytes(range(52)))
    adopted = BranchAdopted(log, 5, 9, BlockId(b"\x07" * 32), None)
    host = Remembering()
    host.answer = (adopted,)
    desk = await at_desk(host)
    reply = await answers(desk)[requests.DeviceAdoptRequest](requests.DeviceAdoptRequest())
    assert host.submitted == [AdoptBranches(desk.me.keys.device)]
    assert reply.adopted == [replies.BranchInfo(log=log.hex(), split=5, seq=9, block="07" * 32)]
    with pytest.raises(UsageError, match="0 of your devices begin with 'ff'"):
        await answers(desk)[requests.DeviceAdoptRequest](requests.DeviceAdoptRequest(device="ff"))
