"""Write first, then speak: what the loop lets out, when, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.core.effects import (
    Dial,
    Effect,
    Forget,
    Hangup,
    Notify,
    Persist,
    ReadStored,
    Send,
    SendRecord,
)
from meshnode.core.ids import LogId
from meshnode.core.inputs import (
    BodiesDropped,
    Compose,
    EncounterBegan,
    FrameReceived,
    Input,
    LinkChanged,
    MarkRead,
    Stored,
    StoreState,
    Tick,
)
from meshnode.core.notices import MessageFiled, Notice, Warned
from meshnode.core.records import FactRecord, RecordKey
from meshnode.core.settings import LinkSettings
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.loop import GROUP_S, KEEP_NOW_S, TEND_S, Loop
from meshnode.daemon.perform import Performer
from meshnode.errors import StoreFullError, UsageError
from support.daemon_fakes import FakeLink, FakeNode, FakeSessions, InlineDisk, Order, Script
from support.store_fakes import envelope, fact, message, open_store


class Rig:
    """A loop with everything around it noting what happens, in one order."""

    def __init__(self, folder: Path, nodes: list[FakeNode], takes_s: float = 0.0) -> None:
        self.order: Order = []
        self.told: list[Notice] = []
        self.store = open_store(folder, reserve=False)
        self.disk = InlineDisk(self.store, self.order, takes_s)
        self.link = FakeLink(order=self.order)
        self.performer = Performer({"halow0": self.link}, FakeSessions(self.order), self._tell)
        self.clock = PoweredClock(1000.0)
        self._nodes = iter(nodes)
        self.loop = Loop(self._make, self.disk, self.performer, self.clock)

    async def _make(self) -> FakeNode:
        return next(self._nodes)

    def _tell(self, notice: Notice) -> None:
        self.told.append(notice)
        self.order.append(("notify", notice))

    def whats(self) -> list[str]:
        return [entry[0] for entry in self.order]


@asynccontextmanager
async def running(
    folder: Path, script: Script | list[FakeNode], takes_s: float = 0.0, **node: Any
) -> AsyncIterator[tuple[Rig, FakeNode]]:
    nodes = script if isinstance(script, list) else [FakeNode(script, **node)]
    rig = Rig(folder, nodes, takes_s)
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.loop.run)
        yield rig, nodes[0]
        nursery.cancel_scope.cancel()
    rig.store.close()


def frame(data: bytes = b"x") -> FrameReceived:
    return FrameReceived("halow0", "fe80::1", True, data)


def on_frame(*effects: Effect) -> Script:
    return lambda given, now: list(effects) if isinstance(given, FrameReceived) else []


async def test_everything_is_kept_before_anything_gets_out(tmp_path: Path, autojump_clock: Any) -> None:
    script = on_frame(
        Send("halow0", None, b"first", 1),
        Persist((fact("custody"),), promise=True),
        Notify(Warned("x", "y")),
        Send("halow0", "fe80::2", b"proof", 0),
        Forget((RecordKey(FactRecord, ("old",)),)),
    )
    async with running(tmp_path, script) as (rig, _):
        await rig.loop.inputs.send(frame())
        await trio.sleep(1)
    assert rig.whats() == ["commit", "send", "notify", "send"]
    assert rig.order[0][2] is True
    assert [entry[2] for entry in rig.order if entry[0] == "send"] == [b"first", b"proof"]


async def test_without_a_promise_there_is_no_full_sync(tmp_path: Path, autojump_clock: Any) -> None:
    async with running(tmp_path, on_frame(Persist((fact("a"),)), Send("halow0", None, b"m", 1))) as (rig, _):
        await rig.loop.inputs.send(frame())
        await trio.sleep(1)
    assert [entry[2] for entry in rig.order if entry[0] == "commit"] == [False]


async def test_what_waits_together_is_committed_together(tmp_path: Path, autojump_clock: Any) -> None:
    script = on_frame(Persist((fact("a"),)), Send("halow0", None, b"m", 1))
    async with running(tmp_path, script, takes_s=0.5) as (rig, node):
        for _ in range(50):
            await rig.loop.inputs.send(frame())
        await trio.sleep(5)
    assert len(node.inputs(FrameReceived)) == 50
    assert rig.whats().count("commit") <= 3
    assert rig.whats().count("send") == 50


async def test_an_idle_node_syncs_a_promise_at_once_and_a_busy_one_groups_them(
    tmp_path: Path, autojump_clock: Any
) -> None:
    async with running(tmp_path, on_frame(Persist((fact("a"),), promise=True))) as (rig, _):
        began = trio.current_time()
        for _ in range(100):
            await rig.loop.inputs.send(frame())
            await trio.sleep(0.001)
        await trio.sleep(1)
    synced = [entry[3] - began for entry in rig.order if entry[0] == "commit"]
    assert synced[0] == pytest.approx(0.0, abs=1e-6)
    assert len(synced) <= 2 + 0.1 / GROUP_S
    assert all(later - earlier >= GROUP_S - 1e-6 for earlier, later in pairwise(synced))


async def test_the_node_is_woken_when_it_asked(tmp_path: Path, autojump_clock: Any) -> None:
    async with running(tmp_path, lambda given, now: [], wakeups=[1003.0, 1007.5]) as (_, node):
        await trio.sleep(9)
    ticks = [now for given, now in node.given if isinstance(given, Tick)]
    assert ticks == [pytest.approx(1003.0, abs=0.01), pytest.approx(1007.5, abs=0.01)]


async def test_a_caller_hears_what_came_of_it_once_it_is_kept(tmp_path: Path, autojump_clock: Any) -> None:
    written = message(7, outgoing=True)

    def script(given: Input, now: float) -> list[Effect]:
        composed = [Persist((written,), promise=True), Notify(MessageFiled(written))]
        return composed if isinstance(given, Compose) else []

    async with running(tmp_path, script, takes_s=0.25) as (rig, _):
        began = trio.current_time()
        notices = await rig.loop.submit(Compose("soup is ready", to=b"p" * 32))
        assert trio.current_time() - began == pytest.approx(0.25, abs=0.01)
    assert notices == (MessageFiled(written),)
    assert rig.told == [MessageFiled(written)]


async def test_a_caller_who_asks_for_nonsense_is_told_so_and_the_node_lives_on(
    tmp_path: Path, autojump_clock: Any
) -> None:
    def script(given: Input, now: float) -> list[Effect]:
        if isinstance(given, Compose):
            raise UsageError("There is no such contact.")
        return []

    async with running(tmp_path, script) as (rig, _):
        with pytest.raises(UsageError, match="no such contact"):
            await rig.loop.submit(Compose("x"))
        assert await rig.loop.submit(MarkRead(())) == ()


async def test_what_was_asked_of_the_store_comes_back_as_an_input(tmp_path: Path, autojump_clock: Any) -> None:
    kept = envelope(1, 1)
    script = on_frame(Persist((kept,)), ReadStored(5, envelopes=(kept.id, b"x" * 16)))
    async with running(tmp_path, script) as (rig, node):
        await rig.loop.inputs.send(frame())
        await trio.sleep(1)
    assert node.inputs(Stored) == [Stored(5, (), (kept,))]


async def test_effects_reach_their_carriers_and_parcels_stay_here(tmp_path: Path, autojump_clock: Any) -> None:
    script = on_frame(
        Dial("200::1", "overlay"), SendRecord(3, b"r"), SendRecord(-1, b"p"), SendRecord(-2, b"q"), Hangup(3),
        Hangup(-1), Send("gone0", None, b"z", 1),
    )  # fmt: skip
    async with running(tmp_path, script) as (rig, _):
        session, parcel = rig.performer.parcels.begin()
        assert session == -1
        await rig.loop.inputs.send(frame())
        await trio.sleep(1)
    assert rig.order == [("dial", "200::1", "overlay", ""), ("record", 3, b"r"), ("hangup", 3)]
    assert parcel.records == [b"p"]
    assert parcel.whole.is_set()


async def test_a_full_disk_acknowledges_nothing_and_starts_over_from_what_is_kept(
    tmp_path: Path, autojump_clock: Any
) -> None:
    def script(given: Input, now: float) -> list[Effect]:
        promised = [Persist((fact("custody"),), promise=True), Send("halow0", None, b"proof", 0)]
        return promised if isinstance(given, FrameReceived | Compose) else []

    nodes = [FakeNode(script), FakeNode(script)]
    link = LinkChanged("halow0", LinkSettings())
    async with running(tmp_path, nodes) as (rig, _):
        await rig.loop.inputs.send(link)
        await rig.loop.inputs.send(EncounterBegan(4, b"n" * 32, "overlay", "200::1", True))
        await trio.sleep(1)
        rig.disk.full = True
        with pytest.raises(StoreFullError):
            await rig.loop.submit(Compose("soup"))
        assert rig.order == [("hangup", 4)]
        rig.disk.full = False
        await trio.sleep(2)
        await rig.loop.inputs.send(frame())
        await trio.sleep(1)
    assert nodes[1].inputs(LinkChanged) == [link]
    assert rig.whats() == ["hangup", "commit", "send"]


async def test_while_there_is_no_room_at_all_everybody_is_told_and_nobody_waits(
    tmp_path: Path, autojump_clock: Any
) -> None:
    promised = [Persist((fact("own words"),), promise=True)]
    nodes = [FakeNode(lambda given, now: promised if isinstance(given, Compose) else []) for _ in range(2)]
    async with running(tmp_path, nodes) as (rig, _):
        made = rig.loop._make_node

        async def no_room() -> Any:
            if rig.disk.full:
                raise StoreFullError("The store cannot grow.")
            return await made()

        rig.loop._make_node = no_room
        rig.disk.full = True
        for _ in range(3):
            with pytest.raises(StoreFullError):
                await rig.loop.submit(Compose("soup"))
        await rig.loop.inputs.send(LinkChanged("halow0", None))
        await trio.sleep(5)
        assert [notice.code for notice in rig.told if isinstance(notice, Warned)] == ["store_full"]
        assert rig.loop.store.refusing
        rig.disk.full = False
        await trio.sleep(5)
        assert not rig.loop.store.refusing
        await rig.loop.submit(Compose("soup"))
    assert nodes[1].inputs(LinkChanged) == [LinkChanged("halow0", None)]
    assert rig.whats() == ["notify", "commit"]


async def test_the_node_learns_how_full_the_store_is(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, lambda given, now: []) as (rig, node):
        await trio.sleep(TEND_S * 3)
        assert [state.refusing for state in node.inputs(StoreState)] == [False]
        monkeypatch.setattr(rig.store, "make_room", lambda now: StoreState(9, 9, True))
        await trio.sleep(TEND_S * 2)
        assert [state.refusing for state in node.inputs(StoreState)] == [False, True]
    assert [notice.code for notice in rig.told if isinstance(notice, Warned)] == ["store_full"]


async def test_the_node_learns_which_bodies_made_room(
    tmp_path: Path, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    went = [BodiesDropped(((LogId(bytes(52)), 7),)), BodiesDropped(())]
    async with running(tmp_path, lambda given, now: []) as (rig, node):
        await trio.sleep(TEND_S * 2)
        assert node.inputs(BodiesDropped) == []
        monkeypatch.setattr(rig.store, "take_dropped", lambda: went.pop(0) if went else BodiesDropped(()))
        await trio.sleep(TEND_S * 3)
        assert node.inputs(BodiesDropped) == [BodiesDropped(((LogId(bytes(52)), 7),))]


async def test_the_powered_on_clock_is_kept_even_when_nothing_happens(tmp_path: Path, autojump_clock: Any) -> None:
    async with running(tmp_path, lambda given, now: []) as (rig, _):
        await trio.sleep(KEEP_NOW_S + 2 * TEND_S)
        assert rig.store.now >= 1000.0 + KEEP_NOW_S


async def test_a_failing_node_ends_the_loop(tmp_path: Path, autojump_clock: Any) -> None:
    def script(given: Input, now: float) -> list[Effect]:
        if isinstance(given, FrameReceived):
            raise ZeroDivisionError
        return []

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
        async with running(tmp_path, script) as (rig, _):
            await rig.loop.inputs.send(frame())
            await trio.sleep(1)
    assert caught.group_contains(ZeroDivisionError)
    rig.store.close()
