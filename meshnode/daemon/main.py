"""The daemon: wires home, store, node, carriers and control together, and takes them apart again in order.

    home and store open  >  epoch raised and synced  >  node made  >  carriers and control start  >  ready
    asked to stop        >  sessions closed          >  all parts cancelled  >  store synced and closed

Each part is supervised (supervise.py). The loop is not: when it fails, so does the daemon, with one sentence; nothing
that was acknowledged is lost, and the next start goes on from the store.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from meshnode.config import ClockSection
from meshnode.control import notices as told
from meshnode.control.server import ControlServer
from meshnode.core.neighbours.epochs import EPOCH_FACT
from meshnode.core.node import Node
from meshnode.core.notices import Warned
from meshnode.core.records import Snapshot
from meshnode.daemon.adapters import LinkAdapter, Overlay, Sessions, Started
from meshnode.daemon.clock import PoweredClock
from meshnode.daemon.desk import Desk, Me
from meshnode.daemon.disk import Disk
from meshnode.daemon.gps import Gps, Gpsd, Receiver
from meshnode.daemon.handlers import answers, streams
from meshnode.daemon.health import Health
from meshnode.daemon.home import Home
from meshnode.daemon.host import Host
from meshnode.daemon.household import Household
from meshnode.daemon.journal import drop_unsealed
from meshnode.daemon.logs import set_up
from meshnode.daemon.loop import Loop, NodeLike
from meshnode.daemon.membership import Membership
from meshnode.daemon.nmea import Nmea
from meshnode.daemon.page import page_of
from meshnode.daemon.perform import Performer
from meshnode.daemon.radios import Radios
from meshnode.daemon.recording import Recording
from meshnode.daemon.renewal import renew, renewal_is_due, store_is_lost
from meshnode.daemon.restoring import Restoring
from meshnode.daemon.supervise import Once, Part, describe, supervised
from meshnode.daemon.systemd import Systemd
from meshnode.daemon.town import Town
from meshnode.daemon.walltime import WallTime
from meshnode.daemon.watching import ready
from meshnode.errors import MeshnodeError, StoreFullError
from meshnode.halow.radio import RadioWatch
from meshnode.peering.indoors import IndoorSessions, Ring, TheBox
from meshnode.peering.sessions import Sessions as TrueSessions
from meshnode.store.store import Store

LAST_NOTICE_S = 0.1  # for those who watch to be told before their connections end
LAST_WORDS_S = 1.0  # for sessions to write what they hold; the whole stop takes less than two

STORE_LOST = "The store of this home is gone, with its messages and contacts; a new one is begun, with new keys."

Listener = Callable[[told.Notice], None]
NodeMaker = Callable[[Home, Snapshot, int], NodeLike]
CarrierMaker = Callable[[Home], "Carriers"]

_log = structlog.get_logger("daemon")


@dataclass(frozen=True, slots=True)
class Carriers:
    """What carries a node's frames; a demo replaces the link alone."""

    links: Sequence[LinkAdapter]
    sessions: Sessions
    overlay: Overlay
    radio: RadioWatch | None = None
    radios: Radios | None = None  # where no interface is named: which one it should be


def real_node(home: Home, snapshot: Snapshot, epoch: int) -> NodeLike:
    """The core, with this home's keys and what its store held."""
    settings = home.config.settings(open_mesh=home.mesh.open)
    return Node(home.keys, home.mesh, settings, home.sealer, home.entropy, snapshot, epoch)


async def serve(
    home: Home,
    carriers: Carriers | CarrierMaker,
    *,
    listener: Listener | None = None,
    make_node: NodeMaker = real_node,
) -> None:
    """Run the node of a locked home until SIGTERM or SIGINT."""
    set_up(home.config.log)
    stop = trio.Event()
    with _one_sentence():
        async with trio.open_nursery() as nursery:
            await nursery.start(_stop_on_signal, stop)
            await run_daemon(home, carriers, listener=listener, stop=stop, make_node=make_node)
            nursery.cancel_scope.cancel()


async def run_daemon(
    home: Home,
    carriers: Carriers | CarrierMaker,
    *,
    listener: Listener | None = None,
    stop: trio.Event | None = None,
    make_node: NodeMaker = real_node,
    silent: bool = False,
    task_status: Started = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the node of a locked home until `stop` is set, a command says so, or it is cancelled.

    A home that has to go on with new keys (renewal.py), on another radio (radios.py), in another mesh or with other
    secrets of it (membership.py), or as what a backup held (restoring.py), does so at once; `carriers` as a function
    are then made anew.
    `silent`: it is a part of another node, and systemd does not hear of it.
    """
    ending = trio.Event() if stop is None else stop
    started = Once(task_status)
    with _one_sentence():
        while not ending.is_set():
            await trio.to_thread.run_sync(home.arrive)
            store = await trio.to_thread.run_sync(home.open_store)
            clock = PoweredClock(store.now)
            try:
                lost = await trio.to_thread.run_sync(store_is_lost, store)
                if await trio.to_thread.run_sync(renewal_is_due, store):
                    await trio.to_thread.run_sync(renew, home, store)
                made = carriers(home) if callable(carriers) else carriers
                daemon = _Daemon(home, made, store, clock, make_node, ending, Systemd(silent=silent))
                if listener is not None:
                    daemon.town.listen(listener)
                if lost:
                    daemon.town.tell(Warned("store_lost", STORE_LOST))
                await daemon.run(started)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(_put_away, store, clock.now())


def _household(home: Home, carriers: Carriers) -> Household | None:
    """The profiles of a box, where a page is served for them."""
    if not home.config.web.enabled or not isinstance(carriers.sessions, TrueSessions):
        return None
    return Household(home, carriers.sessions, _run_profile)


async def _run_profile(home: Home, ring: Ring, *, task_status: Started) -> None:
    """The node of a profile: it has no radio, and the box is its only neighbour."""

    def carriers(home: Home) -> Carriers:
        address = f"profile {home.path.name}"
        sessions = IndoorSessions(home.keys, home.mesh, home.sealer, home.entropy, address=address, ring=ring)
        return Carriers((), sessions, TheBox())

    await run_daemon(home, carriers, silent=True, task_status=task_status)


class _Daemon:
    """All parts of one running node."""

    def __init__(
        self,
        home: Home,
        carriers: Carriers,
        store: Store,
        clock: PoweredClock,
        make_node: NodeMaker,
        stop: trio.Event,
        systemd: Systemd,
    ) -> None:
        self._home = home
        self._carriers = carriers
        self._clock = clock
        self._make = make_node
        self._stop = stop
        self._ending = trio.Event()
        self._moved = trio.Event()
        self._control = ControlServer(home.control_socket, home.control_group, describe)
        self._disk = Disk(store)
        self._systemd = systemd
        self._recording = _recording(home)
        receiver = _receiver(home.config.clock)
        self._gps = Gps(receiver, clock.now) if receiver else None
        self._wall = WallTime(clock.now, receiver=self._gps.clock if self._gps else None)
        self._health = Health(self._wall.unix_now)
        self.town = Town(home, clock, self._wall, self._health)
        self.town.on_stopped = self._stay_off
        performer = Performer({link.name: link for link in carriers.links}, carriers.sessions, self.town.tell)
        self._loop = Loop(
            self._make_node,
            self._disk,
            performer,
            clock,
            recording=self._recording,
            systemd=self._systemd,
            on_link=self.town.link_changed,
        )
        host = Host(
            home,
            self._loop,
            self._disk,
            performer,
            clock,
            self._wall,
            self._health,
            carriers.links,
            carriers.sessions,
            carriers.overlay,
            stop,
            carriers.radio,
        )
        me = Me(home.path, home.name, home.keys, home.mesh, home.sealer, Membership(home, self._move))
        self._household = _household(home, carriers)
        self._page = page_of(home, self._wall.unix_now) if self._household else None
        pages = self._page.addresses if self._page else tuple
        restoring = Restoring(home, self._household, self._move) if self._household else None
        self._desk = Desk(
            host, me, self.town.book, self.town.progress, self.town.feed, self._household, pages, restoring
        )

    async def run(self, task_status: Started) -> None:
        """Start everything, wait for the end, stop everything."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._loop.run)
                await self._desk.load()
                for name, part in self._parts():
                    await nursery.start(supervised, name, part, self.town.tell, self._part_runs)
                self._say_ready()
                task_status.started()
                for end in self._reasons():
                    nursery.start_soon(self._wait_for, end)
                await self._ending.wait()
                await self._say_goodbye()
                nursery.cancel_scope.cancel()
        finally:
            self._systemd.close()
            if self._recording is not None:
                self._recording.close()

    def _part_runs(self) -> None:
        """A part runs (again); one that still fails will say so."""
        self._health.clear("part_failed")

    def _reasons(self) -> Iterator[trio.Event]:
        """What ends the parts: somebody said so, or the home goes on in another mesh, with other keys, or radio."""
        yield self._stop
        yield self._moved
        yield self._loop.renewal
        if self._carriers.radios is not None:
            yield self._carriers.radios.other

    def _move(self) -> None:
        """Other secrets, another mesh, a backup: who asked is still answered, who comes now finds the next life."""
        self._control.leave()
        self._moved.set()

    def _stay_off(self, interfaces: frozenset[str]) -> None:
        """What is not a datagram of the node leaves the air of these interfaces to those that are."""
        self._carriers.overlay.stay_off(interfaces)
        self._carriers.sessions.stay_off(interfaces)

    async def _wait_for(self, event: trio.Event) -> None:
        """One of the reasons to end."""
        await event.wait()
        self._ending.set()

    async def _make_node(self) -> NodeLike:
        """The epoch is on disk before the node can seal a datagram (protocol rule 2.4)."""
        epoch = await self._disk.raise_epoch(EPOCH_FACT, self._clock.now())
        snapshot, home = await self._disk.snapshot(), self._home
        if self._recording is not None:
            home = self._recording.begin(home, snapshot, epoch, self._clock.now())
        return self._make(home, snapshot, epoch)

    def _parts(self) -> Iterator[tuple[str, Part]]:
        inputs = self._loop.inputs
        if self._gps is not None:
            yield "gps", partial(self._gps.run, inputs)
        yield "clock", partial(self._wall.run, inputs)
        for link in self._carriers.links:
            yield f"link {link.name}", partial(link.run, inputs)
        if self._carriers.radio is not None:
            yield f"radio {self._carriers.radio.name}", partial(self._carriers.radio.run, inputs)
        if self._carriers.radios is not None:
            self._carriers.radios.on_change = self.town.radio_changed
            yield "radios", self._carriers.radios.run
        yield "sessions", partial(self._carriers.sessions.run, inputs)
        yield "overlay", partial(self._carriers.overlay.run, inputs)
        yield "control socket", partial(self._control.run, answers(self._desk), streams(self._desk))
        if self._household is not None and self._page is not None:
            yield "household", partial(self._household.run, inputs)
            yield "page", self._page.run

    def _say_ready(self) -> None:
        notice = ready(self._desk)
        self.town.publish(notice)
        self._systemd.ready(f"in mesh {self._home.mesh.name}, overlay {notice.overlay_address or 'none'}")
        _log.info("ready", mesh=self._home.mesh.name, overlay=notice.overlay_address, interface=notice.interface)
        for link in self._carriers.links:
            if (state := str(link.status().get("state"))) != "up":
                self.town.link_missing(link.name, state)
        if not self._carriers.links and self._carriers.radios is not None and self._home.config.radio.board:
            self.town.link_missing(f"of the board {self._home.config.radio.board}", "missing")

    async def _say_goodbye(self) -> None:
        self._systemd.stopping()
        _log.info("stopping")
        with trio.move_on_after(LAST_WORDS_S):
            await self._carriers.sessions.close_all()
        self.town.publish(told.StoppedNotice(at=self.town.at))
        if self.town.feed.watched:
            await trio.sleep(LAST_NOTICE_S)


async def _stop_on_signal(stop: trio.Event, *, task_status: Started) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()


def _recording(home: Home) -> Recording | None:
    """What writes the journal, if one is asked for."""
    if home.config.journal.keep:
        return Recording(home)
    drop_unsealed(home.path)
    return None


def _receiver(asked: ClockSection) -> Receiver | None:
    """The GPS receiver the configuration names."""
    if asked.gpsd:
        return Gpsd(asked.gpsd)
    return Nmea(asked.nmea, asked.nmea_speed) if asked.nmea else None


def _put_away(store: Store, now: float) -> None:
    """Keep the powered-on clock and let go of the file."""
    try:
        store.commit([], now, promise=True)
    except StoreFullError:
        _log.warning("store full", note="the last seconds of the powered-on clock are not kept")
    store.close()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Whatever ends the daemon ends it as one MeshnodeError."""
    try:
        yield
    except MeshnodeError:
        raise
    except Exception as error:
        raise _worded(error) from error


def _worded(error: Exception) -> MeshnodeError:
    while isinstance(error, ExceptionGroup):
        error = next((one for one in error.exceptions if isinstance(one, MeshnodeError)), error.exceptions[0])
    if isinstance(error, MeshnodeError):
        return error
    return MeshnodeError(
        f"The node stopped because of an error of its own ({describe(error)}); nothing acknowledged is lost: start it"
        " again, and report this with the log."
    )
