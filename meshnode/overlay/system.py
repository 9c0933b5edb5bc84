"""A yggdrasil-go that runs: attach to its admin socket, keep our peerings in it, and tell the core who is near.

    apart --getSelf answers--> attached --a call fails--> apart

Nothing is pushed to us, so the daemon is asked every few seconds. Each new connection to the socket is taken for a new
daemon, which has forgotten the peerings of the one before: they are added again.

Where an interface has to be left alone, the peerings over it are removed at every look, also those the daemon found by
itself, and added again afterwards. What others opened to us no call removes; `EmbeddedOverlay` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from meshnode.core.inputs import Input, PeerSeen
from meshnode.errors import OverlayError
from meshnode.overlay.addresses import address_of, is_node_address
from meshnode.overlay.admin import Admin
from meshnode.overlay.peers import PeerBook
from meshnode.overlay.routes import interface_to
from meshnode.overlay.uris import PeerUri, is_on_link, parse_peer_uri

LOOK_EVERY_S = 3.0
OLDEST = (0, 5, 12)
DEFAULT_ENDPOINTS = ("unix:///var/run/yggdrasil/yggdrasil.sock", "unix:///var/run/yggdrasil.sock")

_log = structlog.get_logger("overlay")

Inputs = trio.MemorySendChannel[Input]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the daemon now."""

    address: str = ""
    public_key: str = ""
    interface: str = ""
    version: str = ""
    detail: str = ""
    peers: tuple[Mapping[str, object], ...] = field(default=())


class SystemOverlay:
    """Attached to the first endpoint that answers."""

    backend = "system"

    def __init__(self, endpoints: Sequence[str], book: PeerBook) -> None:
        self._admins = [Admin(endpoint) for endpoint in endpoints]
        self._admin: Admin | None = None
        self._book = book
        self._applied_to: tuple[Admin, int] | None = None
        self._known = Known(detail="Yggdrasil has not answered yet.")
        self._seen: dict[str, bool] = {}  # address, and whether it is over an uplink
        self._off: frozenset[str] = frozenset()

    async def run(self, inputs: Inputs, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay attached until cancelled; `started` after the first try."""
        try:
            await self.look(inputs)
            task_status.started()
            while True:
                await trio.sleep(LOOK_EVERY_S)
                await self.look(inputs)
        finally:
            for admin in self._admins:
                await admin.aclose()

    async def look(self, inputs: Inputs) -> bool:
        """Ask once, and once more over a new connection; True when the daemon answered."""
        try:
            self._known = await self._ask()
        except OverlayError as error:
            await self._look_again(error)
        await self._tell(inputs)
        return bool(self._known.public_key)

    async def _look_again(self, error: OverlayError) -> None:
        """A daemon that was there may have been started anew: sessions need not end for that."""
        attached = bool(self._known.public_key)
        try:
            if not attached:
                raise error
            self._known = await self._ask()
        except OverlayError as gone:
            if attached:
                _log.warning("yggdrasil is gone", why=str(gone))
            self._known = Known(detail=str(gone))

    def where(self) -> tuple[str, str]:
        """Interface and address for sessions; empty while there are none."""
        return (self._known.interface, self._known.address) if self._known.interface else ("", "")

    def status(self) -> Mapping[str, object]:
        """For `status`; peers as `peer list` shows them, those that are not up included."""
        known = self._known
        return {
            "backend": self.backend,
            "state": "attached" if known.public_key else "apart",
            "address": known.address,
            "public_key": known.public_key,
            "interface": known.interface,
            "version": known.version,
            "detail": known.detail,
            "peers": self._peerings(),
        }

    async def add_peer(self, uri: str) -> None:
        """Peer with it from now on; one the daemon refuses is not kept."""
        peer = parse_peer_uri(uri)
        if self._admin is not None and self._known.public_key:
            await add_peer(self._admin, peer)
        self._book.add(peer)
        if self._admin is not None and self._known.public_key:
            await self._look_now()

    async def remove_peer(self, uri: str) -> None:
        """Stop peering with it."""
        peer = parse_peer_uri(uri)
        was_kept = self._book.remove(peer)
        connected = self._admin is not None and bool(self._known.public_key)
        removed = connected and await remove_peer(self._attached(), peer)
        if not was_kept and not removed:
            raise OverlayError(f"{uri} is not a peering of this node; see `meshnode peer list`.")
        if connected:
            await self._look_now()

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Drop the peerings over these interfaces from the next look on, and make none there until told otherwise."""
        if interfaces != self._off:
            self._off, self._applied_to = interfaces, None

    def _attached(self) -> Admin:
        if self._admin is None:
            raise OverlayError("Yggdrasil has not answered yet.")
        return self._admin

    async def _ask(self) -> Known:
        own = await self._own()
        admin = self._attached()
        if self._applied_to != (admin, admin.connections):
            await self._apply(admin)
            self._applied_to = (admin, admin.connections)
        tun = await admin.call("getTun")
        peers = await self._peers(admin)
        key, version = _hex(own.get("key")), str(own.get("build_version", ""))
        return Known(
            address=address_of(key),
            public_key=key.hex(),
            interface=str(tun.get("name", "")) if tun.get("enabled") else "",
            version=version,
            detail=_remark(version, bool(tun.get("enabled"))),
            peers=tuple(_peer(row) for row in peers),
        )

    async def _peers(self, admin: Admin) -> list[dict[str, Any]]:
        """What getPeers tells, once whatever has to go is gone."""
        rows = await _rows(admin)
        found = [(row, interface) for row in rows if self._off and (interface := await self._on(row)) in self._off]
        for row, interface in found:
            await self._drop(admin, row, interface)
        return await _rows(admin) if found else rows

    async def _on(self, row: Mapping[str, Any]) -> str:
        """The interface of a peering. A name that is up was found a moment ago, others are not waited for."""
        uri = str(row.get("remote", ""))
        mine = next((peer for peer in self._book if peer.plain == uri and peer.interface), None)
        return mine.interface if mine else await trio.to_thread.run_sync(interface_to, uri, bool(row.get("up")))

    async def _drop(self, admin: Admin, row: Mapping[str, Any], interface: str) -> None:
        """Remove a peering that we, a person, or the daemon itself made; the daemon dies of an inbound one."""
        if row.get("inbound"):
            return
        for named in (interface, ""):
            with suppress(OverlayError):  # made with that interface, or without one, or gone already
                await admin.call("removePeer", uri=str(row["remote"]), interface=named)

    async def _own(self) -> dict[str, Any]:
        """getSelf of the endpoint in use, else of the first that answers; OverlayError with the first reason."""
        reasons = []
        for admin in [self._admin] if self._admin and self._known.public_key else self._admins:
            try:
                own = await admin.call("getSelf")
            except OverlayError as error:
                reasons.append(error)
            else:
                self._admin = admin
                return own
        raise reasons[0] if reasons else OverlayError("No admin socket of Yggdrasil is known.")

    async def _apply(self, admin: Admin) -> None:
        for peer in self._book:
            if self._off and await self._on({"remote": peer.plain}) in self._off:
                continue
            try:
                await add_peer(admin, peer)
            except OverlayError as error:
                _log.warning("peering not taken", peer=peer.plain, why=str(error))

    def _peerings(self) -> list[Mapping[str, object]]:
        """Those of the daemon, ours by the name they were given; then those of ours that it does not know yet."""
        ours, rows = list(self._book), []
        for row in self._known.peers:
            mine = next((peer for peer in ours if peer.plain == row["uri"] and not row["inbound"]), None)
            if mine is not None:
                ours.remove(mine)
            rows.append({**row, "uri": mine.shown if mine else row["uri"]})
        waiting = ({"uri": p.shown, "up": False, "inbound": False, "last_error": "not added yet"} for p in ours)
        return [*rows, *waiting]

    def is_uplink(self, address: str) -> bool:
        """True for one beyond a peering that a person made."""
        return self._seen.get(address, False)

    async def _look_now(self) -> None:
        """What changed is to be seen at once; a daemon that fails now is found out by the next look."""
        with suppress(OverlayError):
            self._known = await self._ask()

    async def _tell(self, inputs: Inputs) -> None:
        up = self._within_reach()
        for address, uplink in sorted(self._seen.items() - up.items()):
            await inputs.send(PeerSeen(address, "overlay", present=False, uplink=uplink))
        for address, uplink in sorted(up.items() - self._seen.items()):
            await inputs.send(PeerSeen(address, "overlay", uplink=uplink))
        self._seen = up

    def _within_reach(self) -> dict[str, bool]:
        """Whom the core may call: peers that are up, and while any is, the far bridges beyond them."""
        up = [row for row in self._known.peers if row["up"]]
        found = dict.fromkeys(self._book.far if up else (), True)
        found |= {str(row["address"]): True for row in up}
        found |= {str(row["address"]): False for row in up if is_on_link(str(row["uri"]))}
        return {address: uplink for address, uplink in found.items() if address not in ("", self._known.address)}


async def add_peer(admin: Admin, peer: PeerUri) -> None:
    """Have the daemon peer; one it has already is fine."""
    try:
        await admin.call("addPeer", uri=peer.dialled, interface=peer.interface)
    except OverlayError as error:
        if "already configured" not in str(error):
            raise


async def remove_peer(admin: Admin, peer: PeerUri) -> bool:
    """Have the daemon stop peering; False if it does not. The daemon dies when told to remove an inbound link."""
    if not await _is_outbound(admin, peer):
        return False
    try:
        await admin.call("removePeer", uri=peer.plain, interface=peer.interface)
    except OverlayError:
        # It may report an error of closing the socket although the peering is gone.
        if await _is_outbound(admin, peer):
            raise
    return True


async def _is_outbound(admin: Admin, peer: PeerUri) -> bool:
    found = [row for row in await _rows(admin) if row.get("remote") == peer.plain]
    return bool(found) and not any(row.get("inbound") for row in found)


async def _rows(admin: Admin) -> list[dict[str, Any]]:
    peers = (await admin.call("getPeers")).get("peers")
    return [row for row in peers if isinstance(row, dict)] if isinstance(peers, list) else []


def _peer(row: Mapping[str, Any]) -> Mapping[str, object]:
    """One row of getPeers in our words. `up` comes before the key is proved, and an old error outlives it."""
    key = _hex(row.get("key"))
    address = row.get("address") or (address_of(key) if key else "")
    up = bool(row.get("up")) and bool(key)
    return {
        "uri": str(row.get("remote", "")),
        "up": up,
        "inbound": bool(row.get("inbound")),
        "address": address if isinstance(address, str) and is_node_address(address) else "",
        "key": key.hex(),
        "cost": _number(row.get("cost")),
        "latency_ms": round(_number(row.get("latency")) / 1e6, 3),
        "uptime_s": round(_number(row.get("uptime")), 1),
        "last_error": "" if up else str(row.get("last_error", "")),
    }


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def _hex(value: object) -> bytes:
    """A key of 32 bytes, or none."""
    text = value if isinstance(value, str) else ""
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-f]{64}", text) else b""


def version_of(text: str) -> tuple[int, ...]:
    """The numbers of a version, empty where there are none."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()


def _remark(version: str, tun: bool) -> str:
    if (0,) <= version_of(version) < OLDEST:
        return f"Yggdrasil {version} is too old; meshnode needs 0.5.12 or newer."
    if not tun:
        return "Yggdrasil runs without a TUN (IfName none): sessions cannot reach this node, set IfName to auto."
    return ""
