"""A WebSocket as a stream: bytes come through whole, and whoever speaks something else is told so and costs little."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from meshnode.errors import WireError
from meshnode.overlay.embedded.host.websocket import (
    LARGEST_MESSAGE,
    SUBPROTOCOL,
    WebSocketStream,
    accept_websocket,
    open_websocket,
)


class Far:
    """The other side, spoken by the library itself."""

    def __init__(self, stream: trio.abc.Stream, kind: ConnectionType = ConnectionType.SERVER) -> None:
        self.stream, self.socket = stream, WSConnection(kind)

    async def say(self, *events: object) -> None:
        await self.stream.send_all(b"".join(self.socket.send(event) for event in events))

    async def hear(self) -> list[object]:
        self.socket.receive_data(bytes(await self.stream.receive_some(100_000)))
        return list(self.socket.events())


async def opened() -> tuple[WebSocketStream, Far]:
    here, there = memory_stream_pair()
    far, held = Far(there), []

    async def dial() -> None:
        held.append(await open_websocket(here, "far.example:8080", "/ygg"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        (request,) = await far.hear()
        assert (request.host, request.target, request.extensions) == ("far.example:8080", "/ygg", [])
        await far.say(AcceptConnection(subprotocol=SUBPROTOCOL))
    return held[0], far


async def test_large_writes_are_cut_and_come_out_whole() -> None:
    stream, far = await opened()
    data = bytes(range(256)) * 300
    await stream.send_all(data)
    messages = await far.hear()
    assert b"".join(message.data for message in messages) == data
    assert {len(message.data) for message in messages[:-1]} == {LARGEST_MESSAGE}
    await far.say(BytesMessage(data=b"three", message_finished=False), BytesMessage(data=b" parts"))
    assert await stream.receive_some(3) + await stream.receive_some() == b"three parts"


async def test_what_comes_right_behind_the_answer_is_not_lost() -> None:
    here, there = memory_stream_pair()
    far = Far(there)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await far.hear()
            await far.say(AcceptConnection(subprotocol=SUBPROTOCOL), BytesMessage(data=b"meta"))

        nursery.start_soon(answer)
        assert await (await open_websocket(here, "h", "")).receive_some() == b"meta"


async def test_a_ping_is_answered_and_a_close_is_the_end() -> None:
    stream, far = await opened()
    await far.say(Ping(payload=b"?"), Pong(), BytesMessage(data=b"last"), CloseConnection(code=1000))
    assert await stream.receive_some() == b"last"
    assert await stream.receive_some() == b""
    assert await far.hear() == [Pong(payload=b"?")]
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"to nobody")


async def test_text_is_refused_and_a_mask_from_the_listener_is_the_end() -> None:
    stream, far = await opened()
    await far.say(TextMessage(data="hello"))
    with pytest.raises(WireError, match="text"):
        await stream.receive_some()
    stream, far = await opened()
    await far.stream.send_all(b"\x82\x81maskx")
    assert await stream.receive_some() == b""


REFUSALS = {
    "HTTP 404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP 103": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "no WebSocket": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "closed": b"",
}


@pytest.mark.parametrize("why", REFUSALS)
async def test_a_place_that_is_no_websocket_says_why(why: str) -> None:
    here, there = memory_stream_pair()
    await there.send_all(REFUSALS[why])
    await there.send_eof()
    with pytest.raises(WireError, match=why):
        await open_websocket(here, "h", "/")


async def test_a_websocket_without_our_subprotocol_is_another_ones() -> None:
    here, there = memory_stream_pair()
    far = Far(there)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await far.hear()
            await far.say(AcceptConnection())

        nursery.start_soon(answer)
        with pytest.raises(WireError, match="not Yggdrasil's"):
            await open_websocket(here, "h", "/")


async def test_who_asks_for_another_websocket_is_told() -> None:
    here, there = memory_stream_pair()
    far = Far(there, ConnectionType.CLIENT)
    await far.say(Request(host="h", target="/", subprotocols=["chat"]))
    with pytest.raises(WireError, match="not Yggdrasil's"):
        await accept_websocket(here)
    assert (await far.hear())[0].status_code == 400


# A greeting without end, a page that is asked for, names that are none.
@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: " + b"h" * 100_000, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\x16\x03\x01" * 100,
     b"GET / HTTP/1.1\r\nHost: xn--\xff\r\nConnection: \xff\r\n\r\n", b""],
    ids=["endless", "a page", "TLS", "no letters", "nothing"],
)  # fmt: skip
async def test_who_asks_for_no_websocket_is_refused(said: bytes) -> None:
    here, there = memory_stream_pair()
    await there.send_all(said)
    await there.send_eof()
    with pytest.raises(WireError):
        await accept_websocket(here)


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_bytes_the_end_or_a_wire_error(noise: bytes, greeted: bool) -> None:
    async def story() -> None:
        here, there = memory_stream_pair()
        stream: trio.abc.Stream
        if greeted:
            stream, far = await opened()
            there = far.stream
        await there.send_all(noise)
        await there.send_eof()
        try:
            if not greeted:
                stream = await accept_websocket(here)
            while data := await stream.receive_some():
                assert len(data) <= len(noise)
        except WireError:
            pass

    trio.run(story)
