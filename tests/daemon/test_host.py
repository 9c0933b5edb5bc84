"""A real node behind the daemon: what commands ask of it, with nobody else in reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from meshnode.config import Config, JournalSection
from meshnode.control.replies import RadioInfo, S1gChannelInfo
from meshnode.core.ids import channel_id
from meshnode.core.inputs import Compose, SetChannel, SetContact, Tick
from meshnode.core.notices import MessageFiled
from meshnode.core.records import FactRecord
from meshnode.core.sealing.mesh import open_mesh
from meshnode.daemon import main
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.host import Host, radio_status
from meshnode.daemon.journal import read_journal
from meshnode.daemon.main import Carriers, run_daemon
from meshnode.errors import UsageError
from meshnode.halow.radio import RadioWatch
from meshnode.halow.state import Channel, Neighbour, RadioState, true_rate
from support.daemon_fakes import FakeLink, FakeOverlay, FakeSessions

SQUARE = channel_id("square")


@asynccontextmanager
async def living(home: Home, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    """A daemon on this home, and the host its handlers speak to."""
    hosts: list[Host] = []

    class Seen(Host):
        def __init__(self, *parts: Any) -> None:
            super().__init__(*parts)
            hosts.append(self)

    monkeypatch.setattr(main, "Host", Seen)
    carriers = Carriers([FakeLink()], FakeSessions(), FakeOverlay())
    async with trio.open_nursery() as nursery:
        await nursery.start(run_daemon, home, carriers)
        yield hosts[-1]
        hosts[-1].stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create_home(tmp_path / "h", "Ada", open_mesh("public")).close()
    return tmp_path / "h"


async def test_a_post_is_kept_and_is_there_after_a_restart(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            notices = await host.submit(Compose("soup is ready", channel=SQUARE))
            filed = [notice.message for notice in notices if isinstance(notice, MessageFiled)]
        async with living(home, monkeypatch) as host:
            inbox = await host.inbox(channel=SQUARE)
            assert [one.message for one in inbox] == filed
            assert await host.message(filed[0].id[:4]) == inbox[0]
            assert await host.message(b"\xff" * 16) is None


async def test_a_request_made_twice_is_one_message_even_over_a_restart(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Compose("soup is ready", channel=SQUARE, request=b"r" * 16)
    with open_home(place) as home:
        for _ in range(2):
            async with living(home, monkeypatch) as host:
                await host.submit(request)
                await host.submit(request)
                assert len(await host.inbox()) == 1


async def test_the_address_book_and_the_channels(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            await host.submit(SetContact(b"b" * 32, "Bo", True, False))
            await host.submit(SetChannel(channel_id("fair"), "fair", True))
            assert [contact.name for contact in await host.contacts()] == ["Bo"]
            assert [channel.name for channel, _ in await host.channels()] == ["fair", "square"]
            assert "boot_epoch" in [fact.name for fact in await host.every(FactRecord)]


async def test_nonsense_is_refused_and_the_node_lives_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            with pytest.raises(UsageError):
                await host.submit(Compose("to nobody"))
            assert await host.submit(Tick()) == ()


async def test_a_parcel_carries_posts_from_one_home_to_another(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            for number in range(3):
                await host.submit(Compose(f"post {number}", channel=SQUARE))
            parcel = await host.export()
    with create_home(tmp_path / "bo", "Bo", open_mesh("public")) as home:
        async with living(home, monkeypatch) as host:
            first = await host.import_records(parcel)
            texts = [one.message.text for one in await host.inbox(channel=SQUARE)]
            second = await host.import_records(parcel)
            rubbish = await host.import_records([b"\x05rubbish"])
    assert (rubbish["blocks"], rubbish["refused"]) == (0, 1)
    assert texts == ["post 0", "post 1", "post 2"]
    assert first["blocks"] >= 3
    assert (first["envelopes"], first["refused"]) == (0, 0)
    assert (second["blocks"], second["envelopes"], second["refused"]) == (0, 0, 0)


async def test_the_journal_is_written_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(journal=JournalSection(keep=True))
    with create_home(tmp_path / "h", "Ada", open_mesh("public"), config=config) as home:
        async with living(home, monkeypatch) as host:
            asked = Compose("soup is ready", channel=SQUARE)
            await host.submit(asked)
        assert asked in [given for _, given in read_journal(home.path, home.store_key())]


async def test_without_being_asked_there_is_no_journal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            await host.submit(Compose("soup is ready", channel=SQUARE))
        assert not (home.path / "journal").exists()


async def test_status_counts_who_was_not_let_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(place) as home:
        async with living(home, monkeypatch) as host:
            host._sessions.counters["sessions_not_let_in"] += 2  # type: ignore[index]
            host._loop.node.counters["datagram_replayed"] += 1  # type: ignore[index]
            assert host.status()["counters"] == {"sessions_not_let_in": 2, "datagram_replayed": 1}


def test_what_is_known_of_the_radio_is_in_the_status() -> None:
    radio = RadioWatch("wlh0", lambda: RadioState("wlh0"))
    assert radio_status(None) is None
    assert radio_status(radio) is None, "plain Wi-Fi has nothing to say"
    heard = Neighbour("02:00:00:00:00:01", -71, tx=true_rate(7, 2, True), peering="established")
    radio.state = RadioState("wlh0", "nl80211", "morse", "mesh", channel=Channel(923_000, 2, 42), neighbours=(heard,))
    told = msgspec.convert(radio_status(radio), RadioInfo)
    assert (told.family, told.role, told.channel) == (
        "morse",
        "mesh",
        S1gChannelInfo(centre_khz=923_000, width_mhz=2, number=42),
    )
    assert told.neighbours[0].tx is not None
    assert (told.neighbours[0].tx.mcs, told.neighbours[0].signal_dbm) == (7, -71)
