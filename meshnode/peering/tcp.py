"""Sessions over TCP: on the overlay address, and on the link-local address of the bound interface.

    carrier    listens on              takes callers from        dials
    overlay    our overlay address     200::/8 on its interface  another overlay address
    link       our link-local address  fe80::/10, this link      a neighbour's link-local address

Sockets are bound to the device. 300::/8 is refused on the overlay: there one key has a whole /64 of hosts. Where the
addresses are is asked every second; when one changes or goes, or its interface is to be left alone, its listener and
its sessions end with it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import trio

from meshnode.core.identity.keys import Keys
from meshnode.core.inputs import DialFailed
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.errors import LinkError, OverlayError
from meshnode.peering.places import LINK_PORT, OVERLAY_PORT
from meshnode.peering.session import STALL_S
from meshnode.peering.sessions import Inputs, Sessions, Way

Where = Callable[[], tuple[str, str]]  # interface and address, empty texts where there is none
MakeSocket = Callable[[int, int], socket.socket]  # of a family and a type; the overlay may be in a namespace

LOOK_EVERY_S = 1.0
CONNECT_WITHIN_S = 15.0  # three tries of a first packet on a lossy link
DIALS_AT_ONCE = 16
BUFFER = 128 * 1024  # a second at 1 Mbit/s; an endless peer of 64 sessions stays below 10 MB of kernel memory
# 1280 B of the overlay less headers, and the far end keeps to it too: what may go over a radio goes in short packets,
# also between two bridges, whose overlay takes longer ones. Only an uplink is known to be no radio.
SHORT_SEGMENT = 1220
KEEPALIVE_S = 120  # finds an overlay peer that is gone without a word; the link's sessions are short


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one carrier listens and dials from, now."""

    carrier: str
    interface: str
    index: int
    address: str
    port: int

    def way(self, far: str) -> Way:
        if self.carrier == "link":
            return Way("link", far)
        return Way("overlay", far, _packed(self.address), _packed(far))

    def admits(self, far: str, scope: int) -> bool:
        packed = _packed(far)
        if self.carrier == "link":
            return packed[0] == 0xFE and packed[1] & 0xC0 == 0x80 and scope == self.index
        return packed[0] == 0x02 and far != self.address


class TcpSessions(Sessions):
    """Listeners and diallers."""

    def __init__(
        self,
        keys: Keys,
        mesh: MeshKeys,
        sealer: Sealer,
        entropy: Entropy,
        *,
        link: Where | None = None,
        overlay: Where | None = None,
        overlay_socket: MakeSocket = socket.socket,
        is_uplink: Callable[[str], bool] = lambda address: False,
        link_port: int = LINK_PORT,
        overlay_port: int = OVERLAY_PORT,
    ) -> None:
        super().__init__(keys, mesh, sealer, entropy)
        self._makers: dict[str, MakeSocket] = {"link": socket.socket, "overlay": overlay_socket}
        self._is_uplink = is_uplink
        self._wheres = {"link": (link, link_port), "overlay": (overlay, overlay_port)}
        self._asked, self._to_dial = trio.open_memory_channel[tuple[str, str]](DIALS_AT_ONCE)
        self._refused: list[str] = []

    async def run(self, inputs: Inputs, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, and serve what was dialled, until cancelled."""
        await self._tell_leftovers(inputs)
        async with trio.open_nursery() as nursery:
            for carrier in self._wheres:
                nursery.start_soon(self._listen, carrier, inputs, nursery)
            nursery.start_soon(self._dial_all, inputs, nursery)
            task_status.started()

    def dial(self, address: str, carrier: str, link: str) -> None:
        """Open a session; `EncounterBegan` or `DialFailed` follows."""
        try:
            self._asked.send_nowait((address, carrier))
        except trio.WouldBlock:
            self._refused.append(address)

    # ---- listening

    def _place(self, carrier: str) -> _Place | None:
        where, port = self._wheres[carrier]
        interface, address = where() if where else ("", "")
        if not address or interface in self._off:
            return None
        try:
            index = socket.if_nametoindex(interface) if interface else 0
        except OSError:
            return None
        return _Place(carrier, interface, index, address, port)

    async def _listen(self, carrier: str, inputs: Inputs, nursery: trio.Nursery) -> None:
        while True:
            place = self._place(carrier)
            listener = self._opened(place) if place else None
            if place is None or listener is None:
                await trio.sleep(LOOK_EVERY_S)
                continue
            async with trio.open_nursery() as listening:
                answer = partial(self._answer, place, inputs)
                listening.start_soon(partial(trio.serve_listeners, answer, [listener], handler_nursery=nursery))
                while self._place(carrier) == place:  # noqa: ASYNC110 - others know, and are asked
                    await trio.sleep(LOOK_EVERY_S)
                listening.cancel_scope.cancel()
            self._end_all(carrier)

    def _opened(self, place: _Place) -> trio.SocketListener | None:
        """A listener, or None while the address cannot be bound."""
        listener = _socket(place, self._makers[place.carrier])
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(_sockaddr(place, place.address, place.port))
            listener.listen(16)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise LinkError(
                    f"TCP port {place.port} of {place.address} is taken; is another node running here?"
                ) from error
            self.counters["listen_failed"] += 1
            return None
        return trio.SocketListener(trio.socket.from_stdlib_socket(listener))

    async def _answer(self, place: _Place, inputs: Inputs, stream: trio.SocketStream) -> None:
        try:
            far, _, _, scope = stream.socket.getpeername()
        except OSError:
            await stream.aclose()  # gone already
            return
        far = far.partition("%")[0]
        if not place.admits(far, scope):
            self.counters["sessions_from_elsewhere"] += 1
            await stream.aclose()
            return
        await self.accept(_unhurried(stream, place), place.way(far), inputs)

    def _end_all(self, carrier: str) -> None:
        for session in self._numbered.values():
            if session.carrier == carrier:
                session.abort("its interface or address is gone")

    # ---- dialling

    async def _dial_all(self, inputs: Inputs, nursery: trio.Nursery) -> None:
        limit = trio.CapacityLimiter(DIALS_AT_ONCE)
        while True:
            address, carrier = await self._to_dial.receive()
            for refused in self._refused:
                await inputs.send(DialFailed(refused, "too many sessions are being opened"))
            self._refused.clear()
            await limit.acquire_on_behalf_of(task := object())
            nursery.start_soon(self._dial, address, carrier, inputs, partial(limit.release_on_behalf_of, task))

    async def _dial(self, address: str, carrier: str, inputs: Inputs, release: Callable[[], None]) -> None:
        try:
            place = self._place(carrier)
            if place is None:
                raise LinkError("there is no address to dial from now")
            short = carrier == "overlay" and not self._is_uplink(address)
            stream = await _connected(place, address, self._makers[place.carrier], short=short)
        except LinkError as error:
            await inputs.send(DialFailed(address, str(error)))
            return
        finally:
            release()
        await self.call(_unhurried(stream, place), place.way(address), inputs)


async def _connected(place: _Place, address: str, make: MakeSocket, *, short: bool) -> trio.SocketStream:
    with ExitStack() as unless_connected:
        link = trio.socket.from_stdlib_socket(_socket(place, make))
        unless_connected.callback(link.close)
        try:
            if short:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SHORT_SEGMENT)
            with trio.fail_after(CONNECT_WITHIN_S):
                await link.bind(_sockaddr(place, place.address, 0))
                await link.connect(_sockaddr(place, address, place.port))
        except (OSError, trio.TooSlowError) as error:
            raise LinkError(f"{address} does not answer ({getattr(error, 'strerror', None) or 'too slow'})") from error
        unless_connected.pop_all()
        return trio.SocketStream(link)


def _unhurried(stream: trio.SocketStream, place: _Place) -> trio.SocketStream:
    """Over the overlay a segment costs 200 B and its acknowledgement 300: what is short waits for the one before."""
    if place.carrier == "overlay":
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    return stream


def _socket(place: _Place, make: MakeSocket) -> socket.socket:
    try:
        made = make(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OverlayError as error:
        raise LinkError(str(error)) from error
    try:
        if place.interface:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, place.interface.encode())
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, int(STALL_S))  # not 75 s until it is given up
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALL_S * 1000))
    except OSError as error:
        made.close()
        raise LinkError(f"A socket cannot be bound to {place.interface} ({error.strerror}).") from error
    return made


def _sockaddr(place: _Place, address: str, port: int) -> tuple[str, int, int, int]:
    return socket.inet_ntop(socket.AF_INET6, _packed(address)), port, 0, place.index if place.carrier == "link" else 0


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)
