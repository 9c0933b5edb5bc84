"""Radios that are plugged in, pulled out and plugged in again under a daemon that runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from meshnode.config import Config, LinkSection, OverlaySection, RadioSection
from meshnode.control import client, notices, replies, requests
from meshnode.core.identity.invite import contact_uri
from meshnode.core.sealing.mesh import closed_mesh
from meshnode.daemon import carriers
from meshnode.daemon.carriers import real_carriers
from meshnode.daemon.home import Home, create_home
from meshnode.daemon.main import run_daemon
from meshnode.daemon.radios import Radios, wanted
from meshnode.errors import NotRunningError
from meshnode.halow.finding import radios
from support import netns
from support.sysfs import BOARDS, plug, unplug

MESH = closed_mesh("valley", bytes(range(32)))
NONE = OverlaySection(backend="none")
PATIENCE_S = 300.0


@pytest.mark.parametrize(("bound", "there", "chosen", "result"), [
    ("", [], "", ""),
    ("", ["wlh0"], "wlh0", "wlh0"),
    ("", ["wlh0", "hg0"], "", ""),
    ("wlh0", ["wlh0"], "wlh0", "wlh0"),
    ("wlh0", [], "", "wlh0"),
    ("wlh0", ["wlh0", "hg0"], "hg0", "wlh0"),
    ("wlh0", ["hg0"], "hg0", "hg0"),
])  # fmt: skip
def test_which_one_it_should_be(bound: str, there: list[str], chosen: str, result: str) -> None:
    assert wanted(bound, there, chosen) == result


def test_another_one_in_the_place_of_ours_is_taken_if_it_can_only_be_meant(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    watched = Radios("wlh0", "", lambda: radios(tmp_path))
    watched.on_change = lambda name, state: told.append((name, state))
    plug(tmp_path, BOARDS["openmanet-mm6108-spi"])
    watched._changed(radios(tmp_path))
    unplug(tmp_path, "wlh0")
    watched._changed(radios(tmp_path))
    assert not watched.other.is_set(), "it may come back"
    plug(tmp_path, BOARDS["txw8301-usb"])
    plug(tmp_path, BOARDS["mm8108-usb"])
    watched._changed(radios(tmp_path))
    assert not watched.other.is_set(), "two that could be meant"
    unplug(tmp_path, "wlan1")
    watched._changed(radios(tmp_path))
    assert watched.other.is_set()
    assert told == [
        ("wlh0", "unplugged"), ("hg0", "plugged"), ("wlan1", "plugged"), ("wlan1", "unplugged")
    ]  # fmt: skip


class Bench:
    """A machine with a tree of its own and a wire: wlh0, the radio, to far0, where Bo is."""

    def __init__(self, name: str, sys: Path) -> None:
        self.name = name
        self.sys = sys

    def plug(self) -> None:
        netns.veth((self.name, "wlh0"), (self.name, "far0"))
        plug(self.sys, BOARDS["openmanet-mm6108-spi"])

    def pull(self) -> None:
        unplug(self.sys, "wlh0")
        netns.ip("-n", self.name, "link", "delete", "wlh0")


async def ask(home: Home, request: requests.Request, reply: type[replies.Reply]) -> replies.Reply:
    """One question to a node that may be starting anew on another radio at this moment."""
    while True:
        try:
            async with client.connect(home.control_socket) as node:
                return await node.ask(request, reply)
        except NotRunningError:
            await trio.sleep(0.05)


async def until(home: Home, holds: Callable[[replies.StatusReply], bool]) -> None:
    while True:
        if holds(await ask(home, requests.StatusRequest(), replies.StatusReply)):  # type: ignore[arg-type]
            return
        await trio.sleep(0.1)


@pytest.mark.netns
async def test_a_radio_comes_goes_and_returns_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ada's is found by its driver, Bo's is named; the second time both have another index."""
    sys = tmp_path / "sys"
    monkeypatch.setattr(carriers, "radios", lambda: radios(sys))
    with netns.namespace("plug") as name, netns.entered(name), ExitStack() as homes, trio.fail_after(PATIENCE_S):
        bench = Bench(name, sys)
        found = Config(radio=RadioSection(board="openmanet-mm6108-spi"), overlay=NONE)
        named = Config(link=LinkSection(interface="far0"), overlay=NONE)
        ada = homes.enter_context(create_home(tmp_path / "ada", "Ada", MESH, config=found))
        bo = homes.enter_context(create_home(tmp_path / "bo", "Bo", MESH, config=named))
        told: list[notices.Notice] = []
        async with trio.open_nursery() as nursery:
            await nursery.start(
                lambda task_status: run_daemon(ada, real_carriers, listener=told.append, task_status=task_status)
            )
            await nursery.start(run_daemon, bo, real_carriers)
            for home, other in ((ada, bo), (bo, ada)):
                uri = contact_uri(other.keys.persona, other.name)
                await ask(home, requests.ContactAddRequest(uri=uri), replies.ContactsReply)
            await until(ada, lambda status: [one.code for one in status.warnings] == ["link_missing"])
            bench.plug()
            await until(ada, lambda status: (status.interface.name, status.interface.state) == ("wlh0", "up"))
            first = await ask(
                ada, requests.SendRequest("Bo", "on air", wait="delivered", timeout_s=PATIENCE_S), replies.StateReply
            )
            bench.pull()
            await until(ada, lambda status: status.interface.state == "missing")
            await until(bo, lambda status: status.interface.state == "missing")
            while ("wlh0", "unplugged") not in changes(told):  # noqa: ASYNC110 - the tree is looked at in a thread
                await trio.sleep(0.05)
            await ask(ada, requests.SendRequest(contact="Bo", text="while it was gone"), replies.StateReply)
            bench.plug()
            last = await ask(
                ada, requests.SendRequest("Bo", "again", wait="delivered", timeout_s=PATIENCE_S), replies.StateReply
            )
            inbox = await ask(bo, requests.InboxRequest(), replies.InboxReply)
            nursery.cancel_scope.cancel()
    assert [first.state, last.state] == ["delivered", "delivered"]  # type: ignore[attr-defined]
    assert [one.text for one in inbox.messages] == ["on air", "while it was gone", "again"]  # type: ignore[attr-defined]
    assert {("wlh0", "down"), ("wlh0", "unplugged"), ("wlh0", "plugged"), ("wlh0", "up")} <= changes(told)


def changes(told: list[notices.Notice]) -> set[tuple[str, str]]:
    return {(one.name, one.state) for one in told if isinstance(one, notices.InterfaceNotice)}
