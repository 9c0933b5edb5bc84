"""A home that met its double goes on with new keys, at once, and uses nothing again that the double has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.control import notices as told
from meshnode.control import replies, requests
from meshnode.control.client import connect
from meshnode.core.effects import Effect, Persist
from meshnode.core.identity.invite import mesh_uri
from meshnode.core.identity.keys import Keys
from meshnode.core.inputs import Input, LinkChanged
from meshnode.core.node import RENEW_FACT
from meshnode.core.records import (
    ROLE_CUSTODY,
    ROLE_OWN,
    ChannelRecord,
    FactRecord,
    PrekeyRecord,
    RatchetRecord,
    Snapshot,
)
from meshnode.core.sealing.mesh import open_mesh
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.main import Carriers, run_daemon
from meshnode.daemon.renewal import renew
from meshnode.errors import NotRunningError
from support.daemon_fakes import FakeLink, FakeNode, FakeOverlay, FakeSessions
from support.store_fakes import envelope

SHARED = (
    FactRecord(RENEW_FACT, b"\1"),
    FactRecord("profile", b"Ada"),
    RatchetRecord(b"d" * 32, b"r" * 16, b"p" * 32, 1.0, b"chain key"),
    PrekeyRecord(b"b" * 32, b"secret", b"public", 1.0, 2.0, b""),
    envelope(1, ROLE_OWN),
    envelope(2, ROLE_CUSTODY),
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with create_home(tmp_path / "h", "Ada", open_mesh("public")) as made:
        yield made


def test_what_a_double_may_use_as_well_is_gone_and_the_rest_stays(home: Home) -> None:
    before = home.keys
    store = home.open_store()
    store.commit([Persist(SHARED)], 5.0, True)
    renew(home, store)
    left = set(store.snapshot().records)
    assert left & set(SHARED) == {SHARED[1], SHARED[5]}
    store.close()
    assert (home.keys.persona, home.keys.device) == (before.persona, before.device)
    assert home.keys.incarnation != before.incarnation
    assert home.keys.node != before.node
    home.close()
    with open_home(home.path) as again:
        assert again.keys == home.keys


async def test_a_running_node_goes_on_as_somebody_new(home: Home) -> None:
    lives: list[Keys] = []
    carriers: list[Keys] = []
    stop, reborn = trio.Event(), trio.Event()

    def script(given: Input, now: float) -> list[Effect]:
        first = len(lives) == 1 and isinstance(given, LinkChanged)
        return [Persist((FactRecord(RENEW_FACT, b"\1"),), promise=True)] if first else []

    def born(home: Home, snapshot: Snapshot, epoch: int) -> FakeNode:
        lives.append(home.keys)
        assert RENEW_FACT not in [fact.name for fact in snapshot.records if isinstance(fact, FactRecord)]
        if len(lives) == 2:
            reborn.set()
        return FakeNode(script)

    def made(home: Home) -> Carriers:
        carriers.append(home.keys)
        return Carriers([FakeLink()], FakeSessions(), FakeOverlay())

    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await run_daemon(home, made, make_node=born, stop=stop, task_status=task_status)

        await nursery.start(run)
        await reborn.wait()
        stop.set()
    assert len(lives) == 2
    assert carriers == lives
    assert lives[0].node != lives[1].node


async def test_a_membership_counts_at_once(home: Home) -> None:
    """Each change starts the parts anew, once its answer is out; one that changes nothing does not."""
    lives: list[str] = []
    invite = mesh_uri("valley", b"1" * 32, 0)

    def made(home: Home) -> Carriers:
        lives.append(f"{home.mesh.name} {home.mesh.current.number}")
        return Carriers([FakeLink()], FakeSessions(), FakeOverlay())

    async def asked(request: requests.Request, reply: type[Any] = replies.MeshReply) -> Any:
        """Asked of the life that the last change began: until that one listens there is nobody."""
        before = len(lives)
        with trio.fail_after(30):
            while True:
                try:
                    async with connect(home.control_socket) as client:
                        answer = await client.ask(request, reply)
                    break
                except NotRunningError:
                    await trio.lowlevel.checkpoint()
            while len(lives) == before:
                await trio.lowlevel.checkpoint()
        return answer

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run_daemon, home, made, make_node=lambda *_: FakeNode()))
        assert (await asked(requests.MeshJoinRequest(invite))).text == "member of valley"
        assert (await asked(requests.MeshRenewRequest(), replies.UriReply)).number == 1
        assert (await asked(requests.MeshUseRequest(1))).text == "secret 1 is spoken"
        await asked(requests.MeshDropRequest(0))
        assert [one.number for one in home.mesh.secrets] == [1]
        assert lives == ["public 0", "valley 0", "valley 0", "valley 1", "valley 1"]
        nursery.cancel_scope.cancel()


async def test_a_home_whose_store_is_gone_goes_on_as_somebody_new(home: Home) -> None:
    before, lives = home.keys, []
    heard: list[Any] = []

    def make(home: Home, snapshot: Snapshot, epoch: int) -> FakeNode:
        lives.append((home.keys, [one.name for one in snapshot.records if isinstance(one, ChannelRecord)]))
        return FakeNode()

    async def one_life() -> None:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            carriers = Carriers((FakeLink(),), FakeSessions(), FakeOverlay())
            start = partial(run_daemon, home, carriers, stop=stop, make_node=make, listener=heard.append)
            await nursery.start(start)
            stop.set()

    await one_life()
    assert lives == [(before, ["square"])]
    assert not [one for one in heard if isinstance(one, told.WarningNotice)]
    for left in home.path.glob("store.*"):
        left.unlink()
    await one_life()
    await one_life()
    assert lives[1] == lives[2]
    keys, channels = lives[1]
    assert channels == ["square"]
    assert (keys.persona, keys.device) == (before.persona, before.device)
    assert keys.incarnation != before.incarnation
    assert keys.node != before.node
    assert [one.code for one in heard if isinstance(one, told.WarningNotice)] == ["store_lost"]
