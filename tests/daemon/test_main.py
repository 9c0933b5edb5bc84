"""The daemon as a whole, with a scripted node: it starts, answers, survives its parts, and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.control import notices as told
from meshnode.control.client import connect
from meshnode.control.replies import DoneReply, StatusReply
from meshnode.control.requests import StatusRequest, StopRequest
from meshnode.core.effects import Effect, Persist
from meshnode.core.inputs import ClockSet, Input, LinkChanged
from meshnode.core.records import FactRecord, Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.daemon.adapters import Inputs, Started
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.main import Carriers, run_daemon
from meshnode.errors import HomeError, LinkError, MeshnodeError
from support.daemon_fakes import FakeLink, FakeNode, FakeOverlay, FakeSessions


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")) as made:
        yield made


class Births:
    """Makes scripted nodes and notes with what they were made."""

    def __init__(self, script: Any = lambda given, now: []) -> None:
        self.epochs: list[int] = []
        self.snapshots: list[Snapshot] = []
        self.nodes: list[FakeNode] = []
        self._script = script

    def __call__(self, home: Home, snapshot: Snapshot, epoch: int) -> FakeNode:
        self.epochs.append(epoch)
        self.snapshots.append(snapshot)
        self.nodes.append(FakeNode(self._script))
        return self.nodes[-1]


@asynccontextmanager
async def daemon(home: Home, births: Births, link: FakeLink | None = None, **more: Any) -> AsyncIterator[Births]:
    carriers = Carriers([link or FakeLink()], FakeSessions(), FakeOverlay())
    stop = trio.Event()
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: Started) -> None:
            await run_daemon(home, carriers, make_node=births, stop=stop, task_status=task_status, **more)

        await nursery.start(run)
        yield births
        stop.set()


async def test_it_starts_answers_and_stops_when_told(home: Home) -> None:
    seen: list[told.Notice] = []
    async with daemon(home, Births(), listener=seen.append), connect(home.control_socket) as client:
        status = await client.ask(StatusRequest(), StatusReply)
        await client.ask(StopRequest(), DoneReply)
    assert (status.name, status.mesh, status.open_mesh) == ("Ada", "public", True)
    assert status.interface.name == "halow0"
    assert status.store.limit == 512_000_000
    assert [type(notice) for notice in seen] == [told.ReadyNotice, told.StoppedNotice]
    assert not home.control_socket.exists()


async def test_the_node_hears_of_its_links_and_the_date(home: Home) -> None:
    async with daemon(home, births := Births()):
        await trio.testing.wait_all_tasks_blocked()
    assert births.nodes[0].inputs(LinkChanged)[0].link == "halow0"
    assert len(births.nodes[0].inputs(ClockSet)) == 1


async def test_every_start_has_a_higher_epoch_and_time_goes_on(home: Home) -> None:
    births = Births()
    for _ in range(3):
        async with daemon(home, births):
            pass
    assert births.epochs == [1, 2, 3]
    times = [snapshot.now for snapshot in births.snapshots]
    assert times == sorted(times)
    assert times[2] > times[0]


async def test_the_epoch_is_on_disk_before_the_node_exists(home: Home) -> None:
    def born(home: Home, snapshot: Snapshot, epoch: int) -> FakeNode:
        facts = {record.name: record.value for record in snapshot.records if isinstance(record, FactRecord)}
        assert facts["boot_epoch"] == epoch.to_bytes(3, "big")
        return FakeNode()

    async with daemon(home, born):  # type: ignore[arg-type]
        pass


async def test_what_the_node_kept_is_there_at_the_next_start(home: Home) -> None:
    def script(given: Input, now: float) -> list[Effect]:
        return [Persist((FactRecord("cursor", b"7"),))] if isinstance(given, LinkChanged) else []

    births = Births(script)
    for _ in range(2):
        async with daemon(home, births):
            await trio.testing.wait_all_tasks_blocked()
    assert FactRecord("cursor", b"7") in births.snapshots[1].records


class FailingLink(FakeLink):
    """Its interface is broken for a while."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self._failures = failures

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        if self._failures:
            raise self._failures.pop(0)
        await super().run(inputs, task_status=task_status)


async def test_a_part_that_fails_is_started_again_and_named(home: Home, autojump_clock: Any) -> None:
    link = FailingLink([LinkError("halow0 is down."), ValueError("soup is ready")])
    seen: list[told.Notice] = []
    async with daemon(home, births := Births(), link, listener=seen.append):
        while not births.nodes[0].inputs(LinkChanged):  # noqa: ASYNC110 - the clock jumps, also while the disk works
            await trio.sleep(1)
        async with connect(home.control_socket) as client:
            assert (await client.ask(StatusRequest(), StatusReply)).warnings == []
    texts = [notice.text for notice in seen if isinstance(notice, told.WarningNotice)]
    assert "halow0 is down." in texts[0]
    assert "ValueError at " in texts[1]
    assert "soup" not in texts[1]


async def test_a_failing_node_ends_the_daemon_with_one_sentence(home: Home) -> None:
    def script(given: Input, now: float) -> list[Effect]:
        if isinstance(given, LinkChanged):
            raise ZeroDivisionError("somebody's words")
        return []

    carriers = Carriers([FakeLink()], FakeSessions(), FakeOverlay())
    with pytest.raises(MeshnodeError, match=r"ZeroDivisionError.*start it again"):
        await run_daemon(home, carriers, make_node=Births(script))
    home.open_store().close()


async def test_a_second_daemon_on_the_same_home_is_refused(home: Home) -> None:
    async with daemon(home, Births()):
        with pytest.raises(HomeError, match="Another meshnode"):
            open_home(home.path)


async def test_systemd_hears_ready_alive_and_stopping(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, goes_on = list[str](), trio.Event()

    async def listen() -> None:
        while "STOPPING=1" not in heard:
            heard.append((await manager.recv(4096)).decode())
            if is_ready(heard) and heard[-1] == "WATCHDOG=1":
                goes_on.set()

    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, trio.fail_after(60):
        await manager.bind(str(home.path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(home.path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)  # all the time: a socket holds few datagrams, and who tells more waits
            async with daemon(home, Births()):
                await goes_on.wait()
    assert heard[-1] == "STOPPING=1"


def is_ready(heard: list[str]) -> bool:
    return any(told.startswith("READY=1\nSTATUS=in mesh public") for told in heard)


PROGRAM = """
import sys; from pathlib import Path; import trio
from support.daemon_fakes import FakeLink, FakeNode, FakeOverlay, FakeSessions
from meshnode.daemon import main
from meshnode.daemon.home import open_home
async def go(home):
    carriers = main.Carriers([FakeLink()], FakeSessions(), FakeOverlay())
    await main.serve(home, carriers, listener=lambda told: print(type(told).__name__, flush=True),
                     make_node=lambda home, snapshot, epoch: FakeNode())
with open_home(Path(sys.argv[1])) as home:
    trio.run(go, home)
print("gone")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "h")],
        env={**os.environ, "PYTHONPATH": str(tests)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ReadyNotice"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (out.split(), process.returncode) == (["StoppedNotice", "gone"], 0), err
    assert not (tmp_path / "h" / "control.sock").exists()
