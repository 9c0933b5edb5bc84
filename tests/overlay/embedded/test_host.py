"""Engines on loopback, without a TUN: links of every kind, and peers that mean no good."""

import socket
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from meshnode.errors import LinkError, UsageError
from meshnode.overlay.addresses import address_of
from meshnode.overlay.embedded.ends.requests import Question, decode_object_untrusted
from meshnode.overlay.embedded.host import connection, engine, listeners, streams
from meshnode.overlay.embedded.host.engine import Engine, EngineSettings
from meshnode.overlay.embedded.host.pipe import Pipe
from meshnode.overlay.embedded.node import NodeSettings
from meshnode.overlay.embedded.routing import refresh
from meshnode.overlay.embedded.routing.places import FORGOTTEN_AFTER_S
from meshnode.overlay.embedded.routing.queue import BURST
from meshnode.overlay.embedded.wire import packets
from meshnode.overlay.embedded.wire.framing import LARGEST_FRAME, Frames, frame
from meshnode.overlay.embedded.wire.meta import HEAD, encode_meta, meta_size_untrusted
from meshnode.overlay.embedded.wire.varint import uvarint
from meshnode.overlay.uris import parse_peer_uri
from support.ygg_net import Seeded, identity


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """What is done once a second is done many times, so that trees grow while a test looks."""
    monkeypatch.setattr(engine, "TICK_S", 0.01)


def made(number, *listen, **more):
    settings = EngineSettings(
        identity(number).seed, NodeSettings(info={"name": str(number)}), tun="none", listen=listen, **more
    )
    return Engine(settings, Seeded(number), 0, lambda number: None)


def place(scheme, tmp_path):
    return f"unix://{tmp_path}/link" if scheme == "unix" else f"{scheme}://127.0.0.1:{port()}"


_kept = []  # bound and never listening: nobody is given these ports by chance, and a listener may share them


def port():
    _kept.append(socket.socket())
    _kept[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _kept[-1].bind(("127.0.0.1", 0))
    return _kept[-1].getsockname()[1]


@asynccontextmanager
async def running(*engines):
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for one in engines:
                await nursery.start(one.run)
            yield
            nursery.cancel_scope.cancel()


async def linked(one, *others):
    """Until one has a link to each of the others."""
    keys = {other.identity.public for other in others}
    while not keys <= {connection.key for connection in one.connections if connection.link}:  # noqa: ASYNC110
        await trio.sleep(0.02)


async def answer(one, other):
    """What the other says of itself, over a session."""
    inlet, outlet = trio.open_memory_channel(10)
    while True:
        one.node.ask(Question.INFO, other.identity.public, inlet.send_nowait, trio.current_time())
        one.flush()
        with trio.move_on_after(1):
            return decode_object_untrusted(await outlet.receive())


@pytest.mark.parametrize("scheme", ["tcp", "tls", "unix", "ws", "wss"])
async def test_two_engines_are_linked_and_answer_each_other(scheme, tmp_path):
    where = place(scheme, tmp_path)
    one, two = made(1, where + "?password=valley&priority=3"), made(2)
    async with running(one, two):
        two.add_peer(parse_peer_uri(where + "?password=valley&key=" + one.identity.public.hex()))
        await linked(two, one)
        await linked(one, two)
        assert [connection.link.priority for connection in two.connections] == [3]
        assert await answer(two, one) == {"name": "1"}
        with pytest.raises(UsageError, match="already configured"):
            two.add_peer(parse_peer_uri(where))
        two.peerings.remove(parse_peer_uri(where))
        while one.connections or two.connections:  # noqa: ASYNC110
            await trio.sleep(0.02)
        with pytest.raises(UsageError, match="not configured"):
            two.peerings.remove(parse_peer_uri(where))


async def test_a_peer_that_comes_late_is_dialled_again(tmp_path):
    where = place("tcp", tmp_path)
    one, two = made(1, where), made(2)
    async with running(two):
        two.add_peer(parse_peer_uri(where))
        while not two.peerings.all()[0].error:  # noqa: ASYNC110
            await trio.sleep(0.02)
        async with running(one):
            await linked(two, one)


@pytest.mark.parametrize(
    ("options", "why"),
    [("key=zz", "pinned"), ("key=00", "pinned"), ("priority=256", "priority"), ("priority=x", "priority"),
     ("maxbackoff=soon", "backoff"), ("password=" + 65 * "x", "password")],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options, why):
    with pytest.raises(UsageError, match=why):
        streams.target_of(parse_peer_uri(f"tcp://192.0.2.1:1?{options}"))


@pytest.mark.parametrize("seconds", [("30s", 30.0), ("5m", 300.0), ("1.5h", 5400.0), ("500ms", 0.5)])
def test_durations_as_go_writes_them(seconds):
    assert streams.target_of(parse_peer_uri(f"tcp://h:1?maxbackoff={seconds[0]}")).longest_wait_s == seconds[1]


@pytest.mark.parametrize(
    "uri",
    [
        f"tcp://[{address_of(bytes(32))}]:1",
        "tcp://[ff02::1%25lo]:1",
        "tcp://0.0.0.0:1",
        f"socks://127.0.0.1:1/[{address_of(bytes(32))}]:1",
    ],
)
async def test_the_overlay_itself_and_groups_are_not_dialled(uri):
    with pytest.raises(LinkError, match="no suitable addresses"):
        await streams.dial(streams.target_of(parse_peer_uri(uri)), None)


async def test_what_needs_the_go_daemon_is_said():
    target = streams.target_of(parse_peer_uri("quic://h:1"))
    with pytest.raises(LinkError, match="needs yggdrasil-go"):
        await streams.dial(target, None)
    with pytest.raises(LinkError, match="needs yggdrasil-go"):
        await listeners.listen(target)


async def test_a_name_that_cannot_be_one_is_no_answer_and_not_the_end_of_the_node():
    with pytest.raises(LinkError, match=r"idna|label"):
        await streams.dial(streams.target_of(parse_peer_uri("tcp://a..b:1")), None)


def test_the_kernel_tries_a_link_only_where_no_refresh_did():
    options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
    with socket.socket() as link:
        streams.tune(link)
        after, every, times = (link.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    assert after > refresh.LATEST_S  # a refresh tries it sooner, and for less
    assert after + every * times <= FORGOTTEN_AFTER_S


# -------------------------------------------------------------------- peers that mean no good


class Liar:
    """Says what a test wants."""

    def __init__(self, stream):
        self.stream = stream

    async def introduce(self, number=66):
        self.identity = identity(number)
        await self.stream.send_all(encode_meta(identity(number), b"", 0))
        head = await self.stream.receive_some(HEAD)
        left = meta_size_untrusted(bytes(head))
        while left:
            left -= len(await self.stream.receive_some(left))

    async def say(self, content):
        await self.stream.send_all(frame(content))

    async def closed(self):
        """Until the other side has ended it."""
        try:
            while await self.stream.receive_some(65536):
                pass
        except trio.BrokenResourceError:
            pass


@asynccontextmanager
async def beset(tmp_path):
    """An engine with an honest peer, and a connection of a liar to it; the honest one is fine afterwards."""
    where = place("tcp", tmp_path)
    one, two = made(1, where), made(2)
    async with running(one, two):
        two.add_peer(parse_peer_uri(where))
        await linked(one, two)
        stream = await trio.open_tcp_stream("127.0.0.1", int(where.rpartition(":")[2]))
        yield one, Liar(stream)
        await stream.aclose()
        await linked(one, two)
        assert await answer(two, one) == {"name": "1"}
        while len(one.connections) > 1:  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_who_says_nothing_is_sent_away(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "GREET_WITHIN_S", 0.5)
    async with beset(tmp_path) as (_, liar):
        await liar.closed()


@pytest.mark.parametrize(
    "words", [b"GET / HTTP/1.1\r\n\r\n", b"meta\0\x3f", b"meta\xff\xff" + bytes(70000), b"\0" * 500]
)
async def test_who_speaks_something_else_is_sent_away(tmp_path, words):
    async with beset(tmp_path) as (_, liar):
        with suppress(trio.BrokenResourceError):  # it is sent away before it has said all
            await liar.stream.send_all(words)
        await liar.closed()


async def test_who_has_our_own_key_is_sent_away(tmp_path):
    async with beset(tmp_path) as (_, liar):
        await liar.introduce(1)
        await liar.closed()


@pytest.mark.parametrize(
    "said",
    [uvarint(LARGEST_FRAME + 1), b"\0", frame(b"\x0a"), frame(b"\x04" + bytes(200)), frame(b"\x05"), b"\xff" * 11],
    ids=["oversize", "empty", "unknown type", "forged", "cut off", "endless number"],
)
async def test_frames_that_cannot_be_close_the_link(tmp_path, said):
    async with beset(tmp_path) as (_, liar):
        await liar.introduce()
        await liar.stream.send_all(said)
        await liar.closed()


async def test_endless_filters_close_the_link(tmp_path):
    async with beset(tmp_path) as (_, liar):
        await liar.introduce()
        with trio.move_on_after(20):
            try:
                while True:
                    await liar.say(packets.encode(packets.Bloom(2**8192 - 1)))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        await liar.closed()


async def test_who_sends_and_never_reads_costs_what_it_may(tmp_path):
    async with beset(tmp_path) as (one, liar):
        await liar.introduce()
        await linked(one, liar)
        far = identity(2).public
        flood = packets.encode(packets.Traffic((9, 9), (), far, far, packets.START, bytes(1200)))
        with trio.move_on_after(2):
            while True:
                await liar.say(flood)
                await liar.say(b"\x01")
        (held,) = [each for each in one.connections if each.key == identity(66).public]
        assert held.link.queue.waiting_bytes <= BURST * held.link.queue.most


async def test_what_the_kernel_takes_in_pieces_arrives_whole_and_in_order(tmp_path, monkeypatch):
    write_now = Pipe.write_now
    monkeypatch.setattr(Pipe, "write_now", lambda pipe, data: write_now(pipe, data[:300]))
    async with beset(tmp_path) as (one, liar):
        await liar.introduce()
        await linked(one, liar)
        (slow,) = [each for each in one.connections if each.key == identity(66).public]
        told = [packets.encode(packets.Nothing(0)) + at.to_bytes(2, "big") + bytes(500) for at in range(500)]
        for content in told:
            slow.link.queue.put(content)
            one.flush()
        frames, heard = Frames(), []
        while len(heard) < len(told):
            data = await liar.stream.receive_some(65536)
            heard += [content for content in frames.feed_untrusted(bytes(data)) if len(content) == len(told[0])]
            await liar.say(b"\x01")
        assert heard == told


async def test_what_a_pipe_leaves_over_is_written_later():
    ours, theirs = trio.socket.socketpair()
    pipe, data = Pipe(trio.SocketStream(ours)), bytes(range(256)) * 16384
    taken = pipe.write_now(data)
    assert 0 < taken < len(data)
    assert pipe.write_now(data) == 0
    heard = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.write, data[taken:])
        while len(heard) < len(data):
            heard += await theirs.recv(65536)
    assert heard == data
    theirs.close()
    assert await pipe.read() == b""
    await pipe.close()
    assert pipe.write_now(b"x") == 0


async def test_too_many_connections_are_sent_away(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "MOST_CONNECTIONS", 2)
    async with beset(tmp_path) as (_, liar):
        another = await trio.open_tcp_stream("127.0.0.1", liar.stream.socket.getpeername()[1])
        await Liar(another).closed()
        await another.aclose()
