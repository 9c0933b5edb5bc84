"""The link whose other side is a function, and pipes that a channel may hold back."""

import trio

from meshnode.core.inputs import DialFailed, EncounterBegan, EncounterEnded, FrameReceived, LinkChanged
from meshnode.core.settings import LinkSettings
from meshnode.peering.memory import HEARD_AT_ONCE, AirLink, Switchboard, pipes
from support.session_peers import memory_node, running, until


async def test_what_is_sent_goes_to_the_function_and_what_is_delivered_to_the_core():
    sent = []
    link = AirLink("halow0", "fe80::1", lambda *said: sent.append(said), LinkSettings(multicast_payload=384))
    link.send(None, b"too early")
    link.deliver("fe80::2", True, b"too early")
    async with running(link) as (heard,):
        assert await heard.receive() == LinkChanged("halow0", LinkSettings(multicast_payload=384))
        link.send(None, b"all")
        link.send("fe80::2", b"one")
        assert sent == [("fe80::1", None, b"all"), ("fe80::1", "fe80::2", b"one")]
        link.deliver("fe80::2", True, b"heard")
        assert await heard.receive() == FrameReceived("halow0", "fe80::2", True, b"heard")
        assert (link.status()["state"], link.where()) == ("up", ("halow0", "fe80::1"))
    assert (link.status()["state"], link.where()) == ("down", ("", ""))
    assert link.counters["link_down"] == 2


async def test_a_busy_node_loses_what_does_not_fit():
    link = AirLink("halow0", "fe80::1", lambda *_: None)
    async with running(link, room=1) as (heard,):
        for number in range(1 + HEARD_AT_ONCE + 10):  # the first is handed on at once
            link.deliver("fe80::2", True, bytes([number % 256]))
        assert link.counters["received_overflow"] == 10
        assert heard.statistics().current_buffer_used == 1


async def test_a_channel_may_hold_pieces_back_and_break_a_session(autojump_clock):
    reach = True

    async def carry(near, far, size):
        await trio.sleep(size / 1000)
        return reach

    board = Switchboard(carry)
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(one, two) as (at_one, at_two):
        one.dial("n2", "link", "air")
        await until(at_one, EncounterBegan)
        assert trio.current_time() > 0.3
        reach = False
        one.send(1, b"x")
        await until(at_one, EncounterEnded)
        await until(at_two, EncounterEnded)
        one.dial("n2", "link", "air")
        await until(at_one, DialFailed)


async def test_pipes_are_streams_with_an_end():
    near, far = pipes("a", "b")
    await near.wait_send_all_might_not_block()
    await near.send_all(b"x" * 3000)
    await near.send_eof()
    got = b""
    while data := await far.receive_some(7):
        assert len(data) <= 7
        got += data
    assert got == b"x" * 3000
    await far.send_all(b"back")
    assert await near.receive_some() == b"back"
