"""What is cried out is also what `status` goes on showing: warnings, splits, and strangers of another kind."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from meshnode.control import notices as told
from meshnode.core.clock import WallClock
from meshnode.core.ids import BlockId, LogId, NodeKey, PersonaKey
from meshnode.core.inputs import LinkChanged
from meshnode.core.notices import (
    BranchAdopted,
    DateTaken,
    ForkFound,
    NeighbourChanged,
    OthersStopped,
    SessionMet,
    Warned,
)
from meshnode.core.records import ContactRecord
from meshnode.core.settings import Law, LinkSettings
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.health import Health
from meshnode.daemon.town import Town

ME, BO, NOBODY = PersonaKey(b"m" * 32), PersonaKey(b"b" * 32), PersonaKey(b"n" * 32)
READY = told.ReadyNotice(at="", pid=1, overlay_address="")
LOG = LogId(b"d" * 52)


async def a_town() -> tuple[Town, Health, list[Any]]:
    health = Health(lambda: 1.8e9)
    home: Any = SimpleNamespace(keys=SimpleNamespace(persona=ME), name="Me")
    wall: Any = SimpleNamespace(unix_now=lambda: 1.8e9)
    town = Town(home, PoweredClock(0.0), wall, health)
    town.book.load([ContactRecord(BO, "Bo", False, False, 0.0)], [])
    heard: list[Any] = []
    town.listen(heard.append)
    town.publish(READY)
    heard.clear()
    return town, health, heard


async def test_a_split_is_a_notice_and_a_warning_that_stays() -> None:
    town, health, heard = await a_town()
    town.tell(ForkFound(LOG, 7, BO))
    assert isinstance(heard[0], told.ForkNotice)
    (held,) = health.held()
    assert (held.code, held.text) == (
        "history_split", "A device of Bo: its history split at block 7 (often a restored backup)."
    )  # fmt: skip
    for stranger in (NOBODY, None):
        town.tell(ForkFound(LOG, 9, stranger))
        assert health.held()[0].text.startswith("Device 64646464: its history split at block 9")
    town.tell(ForkFound(LOG, 2, ME))
    assert health.held()[0].text.startswith("A device of Me: ")


async def test_what_the_neighbours_say_is_the_date_dates_are_shown_by() -> None:
    town, _, heard = await a_town()
    clock = WallClock(1.8e9, 5.0, 2.0, "neighbours")
    town.tell(DateTaken(clock))
    assert town._wall.neighbours is clock
    assert heard == []


async def test_a_split_whose_owner_spoke_is_no_warning_any_more() -> None:
    town, health, heard = await a_town()
    town.tell(ForkFound(LOG, 7, BO))
    town.tell(BranchAdopted(LogId(b"e" * 52), 8, 9, BlockId(bytes(32)), BO))
    assert len(health.held()) == 1, "another split"
    town.tell(BranchAdopted(LOG, 7, 9, BlockId(bytes(32)), BO))
    assert health.held() == ()
    assert (heard[-1].seq, heard[-1].persona, heard[-1].adopted) == (7, BO.hex(), True)


async def test_a_node_of_another_version_is_a_warning_that_stays() -> None:
    town, health, heard = await a_town()
    town.tell(SessionMet(NodeKey(b"\x0a" * 32), "it speaks versions 2 to 3 of the protocol, this node 1 to 1"))
    (held,) = health.held()
    assert held.code == heard[0].code == "other-mesh"
    assert held.text == heard[0].text == "node 0a0a0a0a: it speaks versions 2 to 3 of the protocol, this node 1 to 1"


async def test_a_warning_said_twice_is_cried_once_and_news_are_no_warnings() -> None:
    town, health, heard = await a_town()
    for _ in range(2):
        town.tell(Warned("store_full", "full"))
    town.tell(NeighbourChanged("0a", "halow0", "fe80::1", "bound"))
    assert [type(notice) for notice in heard] == [told.WarningNotice, told.NeighbourNotice]
    assert len(health.held()) == 1


async def test_what_is_made_for_one_watcher_has_the_time_of_the_others() -> None:
    town, _, _ = await a_town()
    assert town.feed.at() == town.at == "2027-01-15T08:00:00.000Z"


async def test_ready_is_the_first_a_listener_hears() -> None:
    home: Any = SimpleNamespace(keys=SimpleNamespace(persona=ME), name="Me")
    wall: Any = SimpleNamespace(unix_now=lambda: 1.8e9)
    early, heard = Town(home, PoweredClock(0.0), wall, Health(lambda: 1.8e9)), []
    early.listen(heard.append)
    early.tell(Warned("store_lost", "gone"))
    assert heard == []
    early.publish(READY)
    early.tell(Warned("store_full", "full"))
    assert [getattr(one, "code", "ready") for one in heard] == ["ready", "store_lost", "store_full"]


async def test_an_interface_that_is_away_is_a_warning_until_it_is_back() -> None:
    town, health, heard = await a_town()
    town.link_changed(LinkChanged("halow0", None))
    assert [type(one) for one in heard] == [told.InterfaceNotice, told.WarningNotice]
    assert [one.code for one in health.held()] == ["link_missing"]
    town.link_changed(LinkChanged("halow0", LinkSettings()))
    assert health.held() == ()


async def test_a_law_that_cannot_be_kept_is_told_until_it_can() -> None:
    town, health, _ = await a_town()
    law = Law(duty_ppm=28_000, reserve_ppm=5_600, standing_ppm=32_000)
    town.link_changed(LinkChanged("halow0", LinkSettings(law=law)))
    assert [one.code for one in health.held()] == ["airtime_unshaped", "beacons_too_often"]
    town.link_changed(LinkChanged("halow0", LinkSettings(law=replace(law, standing_ppm=3_200, others_held=True))))
    assert not health.held()
    town.link_changed(LinkChanged("halow0", LinkSettings()))
    assert not health.held()


async def test_what_shares_an_interface_is_kept_off_it_until_it_may_go_on() -> None:
    town, health, _ = await a_town()
    told_to: list[frozenset[str]] = []
    town.on_stopped = told_to.append
    town.tell(OthersStopped("halow0", stopped=True))
    town.tell(OthersStopped("halow1", stopped=True))
    town.tell(OthersStopped("halow0", stopped=False))
    assert [one.text for one in health.held()] == ["Yggdrasil and sessions are kept off halow1 until the hour slid on."]
    town.tell(OthersStopped("halow1", stopped=False))
    assert not health.held()
    assert told_to == [{"halow0"}, {"halow0", "halow1"}, {"halow1"}, set()]
