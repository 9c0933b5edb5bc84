"""Live events: `ready` first, then what happens; who comes back hears what it missed, or that it missed something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from meshnode.web import hub, live
from support.boxes import API, PATIENCE_S, Phone, boxes

Told = dict[str, Any]
PHONES = 50


class Stream:
    """What a browser makes of `text/event-stream`."""

    def __init__(self, raw: trio.SocketStream) -> None:
        self._raw = raw
        self._rest = b""
        self.id = ""

    async def next(self, *names: str) -> Told:
        """The next event, of these if named; a comment is an event called "beat"."""
        with trio.fail_after(PATIENCE_S):
            while True:
                told = self._read(await self._part())
                if not names or told["name"] in names:
                    return told

    async def _part(self) -> str:
        """Up to an empty line; "event: end" when there is no more."""
        while b"\n\n" not in self._rest:
            data = await self._raw.receive_some(65_536)
            if not data:
                return "event: end"
            self._rest += data
        part, _, self._rest = self._rest.partition(b"\n\n")
        return part.decode()

    def _read(self, part: str) -> Told:
        fields = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        self.id = fields.get("id", self.id)
        return {"name": fields.get("event", "beat"), **msgspec.json.decode(fields.get("data", "{}"))}


@asynccontextmanager
async def events(phone: Phone, since: str = "", last_id: str = "") -> AsyncIterator[Stream]:
    """Version 1.0 of HTTP, so that the stream comes as it is, without chunks."""
    base = phone.http.base_url
    cookie = "; ".join(f"{name}={value}" for name, value in phone.http.cookies.items())
    ask = f"GET {API}/events?since={since} HTTP/1.0\r\nHost: {base.host}\r\nCookie: {cookie}\r\n"
    ask += f"Last-Event-ID: {last_id}\r\n\r\n" if last_id else "\r\n"
    async with await trio.open_tcp_stream(base.host, base.port or 80, local_address=phone.address) as raw:
        await raw.send_all(ask.encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await raw.receive_some(1)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"text/event-stream" in head
        yield Stream(raw)


async def say(phone: Phone, number: int) -> None:
    (square,) = [one for one in (await phone.get("/channels"))["channels"] if one["name"] == "square"]
    await phone.post(f"/conversations/c-{square['id']}/messages", text=f"post {number}", client_id=f"{number:032x}")


async def test_what_happens_is_told_and_what_was_missed_too(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as phone, await valley.phone() as guest:
        async with events(phone) as stream:
            assert (await stream.next())["name"] == "ready"
            await say(phone, 1)
            told = await stream.next("message")
            assert (told["text"], told["outgoing"], told["conversation"][:2]) == ("post 1", True, "c-")
            seen = stream.id
        await say(phone, 2)
        for asked in ({"since": seen}, {"last_id": seen}):
            async with events(phone, **asked) as stream:
                assert (await stream.next())["name"] == "ready"
                assert (await stream.next("message"))["text"] == "post 2"
        async with events(phone, since="another-run.7") as stream:
            assert [(await stream.next())["name"] for _ in range(2)] == ["ready", "gap"]
        await guest.get("/events", 401)
        await guest.post("/session/guest", name="Maya")
        async with events(guest) as stream:
            assert (await stream.next())["name"] == "ready"
            await say(phone, 3)
            while (told := await stream.next()).get("text") != "post 3":
                assert told["name"] in ("message", "state")  # of what else the box knows a guest hears nothing
            await say(guest, 4)
            while (told := await stream.next("message"))["text"] != "Maya: post 4":
                pass
            assert told["outgoing"] is True


async def test_fifty_phones_of_guests_write_at_once_and_none_misses_a_post(tmp_path: Path) -> None:
    """All guests write from one node of the box: their streams are not counted as those of one member."""
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")
        async with AsyncExitStack() as phones:
            guests = [
                await phones.enter_async_context(await valley.phone(address=f"127.0.1.{at + 1}"))
                for at in range(PHONES)
            ]
            for at, guest in enumerate(guests):
                await guest.post("/session/guest", name=f"guest {at}")
            streams = [await phones.enter_async_context(events(guest)) for guest in guests]
            async with trio.open_nursery() as writing:
                for at, guest in enumerate(guests):
                    writing.start_soon(say, guest, at)
            heard = [[(await stream.next("message"))["text"] for _ in guests] for stream in streams]
    assert sorted(heard[0]) == sorted(f"guest {at}: post {at}" for at in range(PHONES))
    assert all(one == heard[0] for one in heard), "and all in the same order"


async def test_a_stream_ends_with_its_sign_in_and_beats_while_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.2)
    async with boxes(tmp_path) as valley, await valley.keeper() as phone, events(phone) as stream:
        assert (await stream.next())["name"] == "ready"
        assert (await stream.next("beat"))["name"] == "beat"
        await phone.send("DELETE", "/session")
        assert (await stream.next("end"))["name"] == "end"


async def test_who_reads_too_slowly_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BUFFER", 2)
    async with boxes(tmp_path) as valley, trio.open_nursery() as nursery:
        follower = hub.Hub(valley.homes[0] / "control.sock")
        nursery.start_soon(follower.run)
        async with await valley.keeper() as phone, follower.following("") as (first, channel):
            assert [event.name for event in first] == ["ready"]
            for number in range(5):
                await say(phone, number)
            heard = [event async for event in channel]
            assert len(heard) == 2
            assert follower.followers == 0
        nursery.cancel_scope.cancel()
