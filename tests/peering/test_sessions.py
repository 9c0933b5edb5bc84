"""Sessions over pipes, on a clock that jumps: who gets in, what a bad peer costs, and how they end."""

import pytest
import trio

from meshnode.core.inputs import DialFailed, EncounterBegan, EncounterEnded, RecordReceived, SessionWritable
from meshnode.core.sealing.stream import DIALLER, LISTENER
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import Unknown
from meshnode.peering import sessions as sessions_module
from meshnode.peering.memory import Switchboard, pipes
from meshnode.peering.packing import pack, unpack_untrusted
from meshnode.peering.session import prove
from meshnode.peering.sessions import HALF_OPEN, HALF_OPEN_PER_ADDRESS, Way
from support.session_peers import MESH, OTHER_MESH, handshake, identity, memory_node, running, until


async def opened(at_one, at_two):
    """Both began: their session numbers."""
    return (await until(at_one, EncounterBegan)), (await until(at_two, EncounterBegan))


async def test_records_go_both_ways_and_both_hear_the_end(autojump_clock):
    board = Switchboard()
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(one, two) as (at_one, at_two):
        one.dial("n2", "link", "air")
        began, answered = await opened(at_one, at_two)
        assert began == EncounterBegan(1, identity(2)[0].node, "link", "n2", True)
        assert answered == EncounterBegan(1, identity(1)[0].node, "link", "n1", False)
        one.send(1, b"a" * 50_000)
        one.send(1, b"b")
        two.send(1, b"c")
        assert await until(at_two, RecordReceived) == RecordReceived(1, b"a" * 50_000)
        assert await until(at_two, RecordReceived) == RecordReceived(1, b"b")
        assert await until(at_one, RecordReceived) == RecordReceived(1, b"c")
        one.send(1, b"last words")
        one.hangup(1)
        assert await until(at_two, RecordReceived) == RecordReceived(1, b"last words")
        assert await until(at_one, EncounterEnded) == EncounterEnded(1)
        assert await until(at_two, EncounterEnded) == EncounterEnded(1)
        await trio.testing.wait_all_tasks_blocked()
        assert one.status() == two.status() == []
        assert one.counters["sessions_failed"] == two.counters["sessions_failed"] == 0


async def test_who_hangs_up_still_hears_what_was_under_way(autojump_clock):
    board = Switchboard()
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(one, two) as (at_one, at_two):
        one.dial("n2", "link", "air")
        await opened(at_one, at_two)
        noise = identity(3)[2]
        for _ in range(3):
            two.send(1, noise.take("noise", 60_000))
        one.hangup(1)
        assert [len((await until(at_one, RecordReceived)).data) for _ in range(3)] == [60_000] * 3
        await until(at_one, EncounterEnded)
        assert one.counters["sessions_failed"] == 0


async def test_nobody_there(autojump_clock):
    one = memory_node(1, Switchboard())
    async with running(one) as (heard,):
        one.dial("n9", "link", "air")
        assert (await heard.receive()).address == "n9"


async def test_a_stranger_learns_sixteen_bytes_and_gets_no_session(autojump_clock):
    board = Switchboard()
    one, stranger = memory_node(1, board), memory_node(2, board, OTHER_MESH)
    async with running(one, stranger) as (at_one, at_stranger):
        stranger.dial("n1", "link", "air")
        assert isinstance(await at_stranger.receive(), DialFailed)
        assert one.counters["sessions_refused"] == 1
        assert at_one.statistics().current_buffer_used == 0


async def caller(node, inputs, nursery, address="far", carrier="link"):
    """A connection into `node`, held by hand."""
    near, far = pipes("near", address)
    nursery.start_soon(node.accept, far, Way(carrier, address), inputs)
    return near


async def test_before_the_hello_a_caller_has_five_seconds_and_512_bytes(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, _ = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        silent = await caller(node, inlet, nursery)
        assert len(await silent.receive_some()) == 16
        began = trio.current_time()
        assert await silent.receive_some() == b""
        assert 4.9 < trio.current_time() - began < 5.1
        chatty = await caller(node, inlet, nursery)
        began = trio.current_time()
        await chatty.send_all(b"\x01\xff" + b"x" * 512)
        assert len(await chatty.receive_some()) == 16
        assert await chatty.receive_some() == b""
        assert trio.current_time() == began
    assert node.counters["sessions_refused"] == 2


async def test_half_open_callers_are_bounded_in_all_and_per_address(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, _ = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        for _ in range(HALF_OPEN_PER_ADDRESS):
            await caller(node, inlet, nursery, "greedy")
        await trio.testing.wait_all_tasks_blocked()
        third = await caller(node, inlet, nursery, "greedy")
        assert await third.receive_some() == b""
        for number in range(HALF_OPEN - HALF_OPEN_PER_ADDRESS):
            await caller(node, inlet, nursery, f"n{number}")
        await trio.testing.wait_all_tasks_blocked()
        late = await caller(node, inlet, nursery, "late")
        assert await late.receive_some() == b""
        assert node.counters["sessions_too_many"] == 2
        await trio.sleep(6)
        after = await caller(node, inlet, nursery, "greedy")
        assert len(await after.receive_some()) == 16


async def member(node, inputs, nursery, seed=2, address="far", carrier="link"):
    """A proven member connected by hand: its pipe, and its keys of the records."""
    near = await caller(node, inputs, nursery, address, carrier)
    return near, await prove(handshake(DIALLER, seed), near)


async def test_sessions_are_bounded_and_who_has_one_may_call_again(autojump_clock, monkeypatch):
    monkeypatch.setattr(sessions_module, "MAX_OPEN", 2)
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        for seed in (2, 3):
            await member(node, inlet, nursery, seed, f"n{seed}")
            assert isinstance(await outlet.receive(), EncounterBegan)
        late, _ = await member(node, inlet, nursery, 4, "n4")
        assert await late.receive_some() == b""
        assert node.counters["sessions_too_many"] == 1
        await trio.sleep(20)
        await member(node, inlet, nursery, 3, "n3")
        assert [type(await outlet.receive()) for _ in range(2)] == [EncounterEnded, EncounterBegan]
        assert len(node.status()) == 2
        nursery.cancel_scope.cancel()


async def test_a_peer_that_sends_forever_fills_its_own_buffers(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(4)
    async with trio.open_nursery() as nursery:
        near, proven = await member(node, inlet, nursery)
        sent = 0

        async def forever():
            nonlocal sent
            while True:
                await near.send_all(proven.seal.seal(b"\0" + bytes(60_000)))
                sent += 1

        nursery.start_soon(forever)
        await trio.testing.wait_all_tasks_blocked()
        assert sent < 10
        for _ in range(20):
            await outlet.receive()
        await trio.testing.wait_all_tasks_blocked()
        assert 15 < sent < 30
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("stop", ["in a record", "in a head"])
async def test_a_peer_that_stops_in_a_record_has_thirty_seconds(autojump_clock, stop):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        near, proven = await member(node, inlet, nursery)
        await until(outlet, EncounterBegan)
        sealed = proven.seal.seal(b"\0abc")
        await near.send_all(sealed + proven.seal.seal(b"\0" + b"x" * 5000)[: 2000 if stop == "in a record" else 2])
        began = trio.current_time()
        assert (await until(outlet, RecordReceived)).data == b"abc"
        await until(outlet, EncounterEnded)
        assert 29 < trio.current_time() - began < 31
        assert node.counters["sessions_failed"] == 1


async def test_a_peer_that_takes_nothing_is_let_go(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        await member(node, inlet, nursery)
        number = (await until(outlet, EncounterBegan)).session
        began = trio.current_time()
        node.send(number, identity(3)[2].take("noise", 64) * 900)
        for _ in range(60):
            node.send(number, identity(3)[2].take("noise", 60_000))
        await until(outlet, EncounterEnded)
        assert 29 < trio.current_time() - began < 31


async def test_over_the_overlay_what_follows_soon_goes_together(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        near, proven = await member(node, inlet, nursery, carrier="overlay")
        number = (await until(outlet, EncounterBegan)).session
        await trio.sleep(1)
        began = trio.current_time()
        first, *others = [encode_frame(Unknown(99, bytes([at]) * 50)) for at in range(200)]
        node.send(number, first)
        assert await records(near, proven, 1) == [first]
        assert trio.current_time() == began  # alone, it does not wait
        for frame in others:
            node.send(number, frame)
        (told,) = await records(near, proven, 1)
        assert trio.current_time() == pytest.approx(began + 0.2)
        assert list(decode_frames_untrusted(told)) == [Unknown(99, bytes([at]) * 50) for at in range(1, 200)]
        large = Unknown(99, bytes(4000))
        for _ in range(5):
            node.send(number, encode_frame(large))
        told = await records(near, proven, 2)  # a step there is not to be long
        assert [list(decode_frames_untrusted(record)) for record in told] == [[large] * 4, [large]]
        assert trio.current_time() == pytest.approx(began + 0.2)  # so much needs no company
        nursery.cancel_scope.cancel()


async def records(near, proven, count):
    """The frames of so many records, as they come."""
    found = []
    while len(found) < count:
        found += proven.open.feed_untrusted(bytes(await near.receive_some(100_000)))
    return [unpack_untrusted(plaintext) for plaintext in found]


async def test_a_queue_without_bound_ends_the_session_at_once(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        await member(node, inlet, nursery)
        number = (await until(outlet, EncounterBegan)).session
        for _ in range(100):
            node.send(number, bytes(60_000))
        await until(outlet, EncounterEnded)
        assert trio.current_time() < 1
        node.send(number, b"into the void")
        node.hangup(number)


async def test_the_core_is_told_when_the_queue_is_short_again(autojump_clock):
    board = Switchboard()
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(one, two) as (at_one, at_two):
        one.dial("n2", "link", "air")
        await opened(at_one, at_two)
        noise = identity(3)[2]
        for _ in range(3):
            one.send(1, noise.take("noise", 30_000))
        for _ in range(3):
            await until(at_two, RecordReceived)
        await trio.testing.wait_all_tasks_blocked()
        told = [at_one.receive_nowait() for _ in range(at_one.statistics().current_buffer_used)]
        assert [type(one) for one in told] == [SessionWritable, SessionWritable]
        assert told[0].queued < 32 * 1024
        assert told[-1].queued == 0


@pytest.mark.parametrize("bad", [b"\x00\x00\x01x", b"\xff\xff\xff", b"\x00\x00\x20" + b"z" * 32, b"\0\0\0"])
async def test_noise_ends_the_session_of_whoever_made_it(autojump_clock, bad):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        near, proven = await member(node, inlet, nursery)
        await near.send_all(proven.seal.seal(b"\0good") + bad)
        assert (await until(outlet, RecordReceived)).data == b"good"
        assert await until(outlet, EncounterEnded)
        assert node.counters["sessions_failed"] == 1


async def test_a_record_packed_badly_ends_the_session(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        near, proven = await member(node, inlet, nursery)
        await near.send_all(proven.seal.seal(pack(b"x" * 900)) + proven.seal.seal(b"\x07?"))
        assert (await until(outlet, RecordReceived)).data == b"x" * 900
        assert await until(outlet, EncounterEnded)


async def test_a_stream_cut_short_is_a_failure_and_still_an_end(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        near, _ = await member(node, inlet, nursery)
        await until(outlet, EncounterBegan)
        await near.aclose()
        await until(outlet, EncounterEnded)
    assert node.counters["sessions_failed"] == 1


async def test_who_dials_again_replaces_its_dead_session(autojump_clock):
    node = memory_node(1, Switchboard())
    inlet, outlet = trio.open_memory_channel(100)
    async with trio.open_nursery() as nursery:
        await member(node, inlet, nursery)
        first = await until(outlet, EncounterBegan)
        await member(node, inlet, nursery, address="elsewhere")
        assert await outlet.receive() == EncounterEnded(first.session)
        assert await outlet.receive() == EncounterBegan(2, first.node, "link", "elsewhere", False)
        assert len(node.status()) == 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seeds", [(1, 2), (2, 1), (3, 4), (5, 6)])
async def test_crossing_dials_leave_one_session_the_same_at_both_ends(autojump_clock, seeds):
    board = Switchboard()
    one, two = (memory_node(seed, board) for seed in seeds)
    async with running(one, two) as (at_one, at_two):
        one.dial(f"n{seeds[1]}", "link", "air")
        two.dial(f"n{seeds[0]}", "link", "air")
        await trio.sleep(20)
        assert len(one.status()) == len(two.status()) == 1
        assert one.status()[0]["initiator"] != two.status()[0]["initiator"]
        for sender, listener, at in ((one, two, at_two), (two, one, at_one)):
            sender.send(max(sender._numbered), b"still here")
            assert (await until(at, RecordReceived)).session == max(listener._numbered)


async def test_an_idle_session_on_the_link_is_closed_in_order(autojump_clock):
    board = Switchboard()
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(one, two) as (at_one, at_two):
        one.dial("n2", "link", "air")
        await opened(at_one, at_two)
        await trio.sleep(50)
        one.send(1, b"x")
        began = trio.current_time()
        await until(at_one, EncounterEnded)
        await until(at_two, EncounterEnded)
        assert 59 < trio.current_time() - began < 75
        assert one.counters["sessions_failed"] == two.counters["sessions_failed"] == 0


async def test_all_are_closed_within_a_second_even_if_one_takes_nothing(autojump_clock):
    board = Switchboard()
    node, good = memory_node(1, board), memory_node(3, board)
    async with running(node, good, room=1000) as (at_node, at_good):
        async with trio.open_nursery() as nursery:
            inlet, outlet = trio.open_memory_channel(1000)
            await member(node, inlet, nursery)
            stuck = (await until(outlet, EncounterBegan)).session
            node.send(stuck, identity(4)[2].take("noise", 60_000))
            good.dial("n1", "link", "air")
            await until(at_node, EncounterBegan)
            node.send(2, b"bye")
            began = trio.current_time()
            await node.close_all()
            assert trio.current_time() - began < 1.1
            await until(outlet, EncounterEnded)
        assert (await until(at_good, RecordReceived)).data == b"bye"
        await until(at_good, EncounterEnded)


async def test_after_a_restart_of_the_part_the_core_hears_of_what_ended(autojump_clock):
    board = Switchboard()
    one, two = memory_node(1, board), memory_node(2, board)
    async with running(two) as (at_two,):
        async with running(one) as (at_one,):
            one.dial("n2", "link", "air")
            await opened(at_one, at_two)
        await until(at_two, EncounterEnded)
        async with running(one) as (at_one,):
            assert await at_one.receive() == EncounterEnded(1)
            one.dial("n2", "link", "air")
            assert (await until(at_one, EncounterBegan)).session == 2


async def test_a_listener_from_another_mesh_is_not_believed(autojump_clock):
    board = Switchboard()
    one = memory_node(1, board)
    near, far = pipes("a", "b")
    inlet, outlet = trio.open_memory_channel(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.call, near, Way("link", "b"), inlet)
        stranger = handshake(LISTENER, 2, OTHER_MESH)
        await far.send_all(stranger.take())
        await far.receive_some()
        await far.send_all(b"\x00\x20" + b"n" * 32)
        failed = await outlet.receive()
        assert isinstance(failed, DialFailed)
    assert one.counters["sessions_not_let_in"] == 1
    assert MESH.id != OTHER_MESH.id
