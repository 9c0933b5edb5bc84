"""The control socket: questions and answers, streams, and clients that misbehave."""

import grp
import os
import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trio

from meshnode.control import client, lines, notices, question, replies, requests
from meshnode.control.feed import Feed
from meshnode.control.paths import short
from meshnode.control.reader import LineReader
from meshnode.control.server import ControlServer
from meshnode.errors import HomeError, MeshnodeError, NotRunningError, StoreFullError, UsageError, WireError


async def post(request: requests.PostRequest) -> replies.StateReply:
    if request.channel == "full":
        raise StoreFullError("The disk is full; make room.")
    if request.channel == "fault":
        raise OverflowError("somebody's words")
    return replies.StateReply(id="ab" * 16, state="kept", witnesses=[request.channel, request.text])


def warning(number: int) -> notices.WarningNotice:
    return notices.WarningNotice(at=replies.utc_text(0), cursor=str(number), code="test", text="x")


async def three(request: requests.WatchRequest) -> AsyncGenerator[notices.Notice, None]:
    for number in range(3):
        yield warning(number)


@asynccontextmanager
async def serving(path: Path, streams=None, group=""):
    async with trio.open_nursery() as nursery:
        server = ControlServer(path, group)
        await nursery.start(server.run, {requests.PostRequest: post}, streams or {requests.WatchRequest: three})
        yield server
        nursery.cancel_scope.cancel()


async def raw(path: Path) -> trio.SocketStream:
    link = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short(path) as name:
        await link.connect(name)
    return trio.SocketStream(link)


async def test_questions_are_answered_in_order(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path), client.connect(path) as link:
        for text in ("one", "two"):
            reply = await link.ask(requests.PostRequest(channel="square", text=text), replies.StateReply)
            assert reply.witnesses == ["square", text]


async def test_one_too_many_is_told_so_and_may_ask_later(tmp_path, monkeypatch):
    monkeypatch.setattr("meshnode.control.server.CLIENTS", 2)
    path, said = tmp_path / "control.sock", requests.PostRequest(channel="square", text="one")
    async with serving(path):
        async with client.connect(path) as first, client.connect(path) as second:
            for link in (first, second):
                await link.ask(said, replies.StateReply)
            async with client.connect(path) as third:
                with pytest.raises(MeshnodeError, match="answering 2 others; ask again"):
                    await third.ask(said, replies.StateReply)
        await trio.testing.wait_all_tasks_blocked()
        async with client.connect(path) as again:
            assert (await again.ask(said, replies.StateReply)).state == "kept"


async def test_the_socket_belongs_to_its_owner_alone_and_goes_with_the_server(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_group_may_be_let_in(tmp_path):
    for mode, then in ((0o700, 0o710), (0o755, 0o755)):
        home = tmp_path / f"{mode:o}"
        home.mkdir(mode)
        path = home / "control.sock"
        async with serving(path, group="root" if os.getuid() == 0 else str(os.getgid())):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert stat.S_IMODE(home.stat().st_mode) == then


async def test_what_is_the_groups_already_is_left_alone(tmp_path, monkeypatch):
    """The filter of the service forbids the call altogether."""

    def forbidden(*words):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", forbidden)
    tmp_path.chmod(0o750)
    async with serving(tmp_path / "control.sock", group=grp.getgrgid(os.getgid()).gr_name):
        assert (tmp_path / "control.sock").stat().st_gid == os.getgid()


async def test_a_group_that_does_not_exist_is_one_sentence(tmp_path):
    with pytest.RaisesGroup(pytest.RaisesExc(HomeError, match="no-such-group")):
        async with serving(tmp_path / "control.sock", group="no-such-group"):
            raise AssertionError("it must not start")


async def test_a_home_with_a_long_path_works(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with serving(deep / "control.sock"), client.connect(deep / "control.sock") as link:
        assert (await link.ask(requests.PostRequest(channel="a", text="b"), replies.StateReply)).state == "kept"


async def test_a_socket_left_by_a_killed_node_is_replaced_and_a_file_is_not(tmp_path):
    path = tmp_path / "control.sock"
    left = socket.socket(socket.AF_UNIX)
    with short(path) as name:
        left.bind(name)
    left.close()
    async with serving(path), client.connect(path):
        pass
    path.write_text("mine")
    with pytest.RaisesGroup(pytest.RaisesExc(HomeError, match="not a socket")):
        async with serving(path):
            raise AssertionError("it must not start")
    assert path.read_text() == "mine"


async def test_a_socket_is_found_only_once_it_listens(tmp_path, monkeypatch):
    """Else who comes while a node starts anew is told that none is running."""
    path, replace, listened = tmp_path / "control.sock", os.replace, []

    def placed(made, place):
        with socket.socket(socket.AF_UNIX) as link, short(made) as name:
            link.connect(name)
        listened.append(not path.exists())
        replace(made, place)

    monkeypatch.setattr(os, "replace", placed)
    async with serving(path), client.connect(path):
        assert listened == [True]
    assert list(tmp_path.iterdir()) == []


async def test_a_failure_there_is_raised_here(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path), client.connect(path) as link:
        with pytest.raises(StoreFullError, match="make room"):
            await link.ask(requests.PostRequest(channel="full", text=""), replies.StateReply)
        with pytest.raises(UsageError):
            await link.ask(requests.StatusRequest(), replies.StatusReply)
        assert (await link.ask(requests.PostRequest(channel="a", text=""), replies.StateReply)).state == "kept"


async def test_nobody_there_is_said_so(tmp_path):
    with pytest.raises(NotRunningError):
        async with client.connect(tmp_path / "control.sock"):
            pass
    with pytest.raises(NotRunningError):
        async with client.connect(tmp_path / "no" / "home" / "control.sock"):
            pass


async def test_a_stream_ends_and_the_connection_goes_on(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path), client.connect(path) as link:
        seen = [notice.cursor async for notice in link.stream(requests.WatchRequest())]
        assert seen == ["0", "1", "2"]
        assert (await link.ask(requests.PostRequest(channel="a", text=""), replies.StateReply)).state == "kept"


async def test_a_client_that_goes_ends_its_stream(tmp_path):
    path = tmp_path / "control.sock"
    feed, ended = Feed(), trio.Event()

    async def watch(request):
        try:
            async with aclosing(feed.follow()) as following:
                async for notice in following:
                    yield notice
        finally:
            ended.set()

    async with serving(path, {requests.WatchRequest: watch}):
        stream = await raw(path)
        await stream.send_all(b'{"request":"watch"}\n')
        await trio.testing.wait_all_tasks_blocked(0.01)
        await stream.aclose()
        with trio.fail_after(60):
            await ended.wait()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"null\n",
        b"{}\n",
        b'{"request":"fly"}\n',
        b'{"request":"post","channel":1}\n',
        b"\xff\xfe\n",
        b"[" * 9999 + b"\n",
        b'{"request":"status","more":1}\n',
    ],
)
async def test_noise_is_refused_with_a_sentence(tmp_path, line):
    path = tmp_path / "control.sock"
    async with serving(path):
        stream = await raw(path)
        await stream.send_all(line)
        answer = msgspec.json.decode(await LineReader(stream).next_untrusted(), type=lines.Line)
        assert isinstance(answer, lines.Failure)
        assert answer.kind == "WireError"
        await stream.aclose()


async def test_a_request_of_two_megabytes_is_refused_and_the_client_dropped(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        stream = await raw(path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_while_it_reads, stream, b"x" * 2_000_000)
            answer = msgspec.json.decode(await LineReader(stream).next_untrusted(), type=lines.Line)
        assert isinstance(answer, lines.Failure)
        assert "longer" in answer.text
        await stream.aclose()


async def _send_while_it_reads(stream, data):
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        pass


async def test_a_slow_watcher_gets_a_gap_and_may_ask_again():
    feed = Feed(buffer=3)
    async with aclosing(feed.follow()) as following:
        feed.publish(warning(0))  # not yet following
        first = None

        async def take_first():
            nonlocal first
            first = await anext(following)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_first)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(1, 8):
                feed.publish(warning(number))
        rest = [notice async for notice in following]
    assert [first.cursor, *(notice.cursor for notice in rest)] == ["1", "2", "3", "4", ""]
    assert isinstance(rest[-1], notices.GapNotice)
    assert rest[-1].missed == 3


async def test_a_slow_watcher_holds_nobody_up(tmp_path):
    path = tmp_path / "control.sock"
    feed = Feed(buffer=10)
    async with serving(path, {requests.WatchRequest: lambda request: feed.follow()}):
        stream = await raw(path)
        await stream.send_all(b'{"request":"watch"}\n')
        await trio.testing.wait_all_tasks_blocked(0.01)
        for number in range(100_000):
            feed.publish(warning(number))
        async with client.connect(path) as link:
            assert (await link.ask(requests.PostRequest(channel="a", text=""), replies.StateReply)).state == "kept"
        await stream.aclose()


async def test_a_client_that_reads_nothing_is_dropped(tmp_path, autojump_clock):
    path = tmp_path / "control.sock"
    async with serving(path):
        stream = await raw(path)
        await stream.send_all(msgspec.json.encode(requests.PostRequest(channel="a", text="x" * 900_000)) + b"\n")
        began = trio.current_time()
        await trio.sleep(11)
        got = 0
        with suppress(trio.BrokenResourceError), trio.fail_after(5):
            while data := await stream.receive_some():
                got += len(data)
        assert got < 900_000  # what was in the kernel, then the end
        assert trio.current_time() - began < 12
        await stream.aclose()


async def test_lines_come_whole_in_whatever_pieces():
    ours, theirs = trio.testing.memory_stream_pair()
    reader = LineReader(theirs, 10)
    for piece in (b"a", b"bc\nd", b"\n\n", b"last"):
        await ours.send_all(piece)
    await ours.aclose()
    assert [await reader.next_untrusted() for _ in range(4)] == [b"abc", b"d", b"", None]
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_all(b"x" * 11)
    with pytest.raises(WireError):
        await LineReader(theirs, 10).next_untrusted()


async def test_the_question_can_be_asked_outside_of_trio(tmp_path):
    path = tmp_path / "control.sock"

    def ask(request):
        return trio.to_thread.run_sync(question.ask, path, request, replies.StateReply)

    with pytest.raises(NotRunningError, match="No node is running"):
        await ask(requests.PostRequest(channel="a", text=""))
    async with serving(path):
        assert (await ask(requests.PostRequest(channel="a", text="x" * 300_000))).witnesses == ["a", "x" * 300_000]
        with pytest.raises(StoreFullError, match="make room"):
            await ask(requests.PostRequest(channel="full", text=""))
        with pytest.raises(UsageError, match="longer than a node takes"):
            await ask(requests.PostRequest(channel="a", text="x" * 2_000_000))


@pytest.mark.parametrize("said", [b"", b'{"line":"reply"', b'{"line":"end"}\n'])
async def test_a_node_that_stops_or_says_something_else_is_named(tmp_path, said):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        with short(path) as name:
            listener.bind(name)
        listener.listen()

        def answer():
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                link.sendall(said)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, answer)
            with pytest.raises(WireError if said.endswith(b"\n") else NotRunningError):
                await trio.to_thread.run_sync(question.ask, path, requests.StatusRequest(), replies.StatusReply)


async def test_a_fault_in_one_answer_is_said_and_costs_nobody_else_the_line(tmp_path):
    path = tmp_path / "control.sock"
    async with trio.open_nursery() as nursery:
        server = ControlServer(path)
        await nursery.start(server.run, {requests.PostRequest: post}, {})
        async with client.connect(path) as other, client.connect(path) as one:
            with pytest.raises(MeshnodeError, match=r"OverflowError") as caught:
                await one.ask(requests.PostRequest(channel="fault", text="x"), replies.StateReply)
            assert "words" not in str(caught.value)
            reply = await other.ask(requests.PostRequest(channel="square", text="y"), replies.StateReply)
            assert reply.witnesses == ["square", "y"]
        nursery.cancel_scope.cancel()
