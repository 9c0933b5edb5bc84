"""What the admin socket answers: the requests of yggdrasil-go 0.5.12, in its words, so that its tools work here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv6Address

import trio

from meshnode.errors import OverlayError, UsageError, WireError
from meshnode.overlay.addresses import address_of, subnet_of
from meshnode.overlay.embedded.ends.requests import Question, decode_keys_untrusted, decode_object_untrusted
from meshnode.overlay.embedded.host.connection import Connection
from meshnode.overlay.embedded.host.engine import Engine
from meshnode.overlay.embedded.host.peerings import Peering
from meshnode.overlay.uris import PeerUri, parse_peer_uri

SPEAKS = "0.5.12"  # the version whose protocol and answers these are
Arguments = Mapping[str, object]
Reply = dict[str, object]

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_NS = 1_000_000_000


class Answers:
    """One method for each request, by its name in lower case."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._node = engine.node
        key, peer = ("key",), ("uri", "interface")
        about = partial(self._remote, Question.INFO)
        debug = "Debug use only"
        self._all: dict[str, tuple[str, tuple[str, ...], Callable[[Arguments], Awaitable[Reply]]]] = {
            "addpeer": ("Add a peer to the peer list", peer, self._add_peer),
            "debug_remotegetpeers": (debug, key, partial(self._remote, Question.PEERS)),
            "debug_remotegetself": (debug, key, partial(self._remote, Question.SELF)),
            "debug_remotegettree": (debug, key, partial(self._remote, Question.TREE)),
            "getmulticastinterfaces": ("Show which interfaces multicast is enabled on", (), self._multicast),
            "getnodeinfo": ("Request nodeinfo from a remote node by its public key", key, about),
            "getpaths": ("Show established paths through this node", (), self._paths),
            "getpeers": ("Show directly connected peers", (), self._peers),
            "getself": ("Show details about this node", (), self._self),
            "getsessions": ("Show established traffic sessions with remote nodes", (), self._sessions),
            "gettree": ("Show known Tree entries", (), self._tree),
            "gettun": ("Show information about the node's TUN interface", (), self._tun),
            "list": ("List available commands", (), self._list),
            "removepeer": ("Remove a peer from the peer list", peer, self._remove_peer),
        }

    async def answer(self, request: str, arguments: Arguments) -> Reply:
        """The response; OverlayError or UsageError with what the daemon would say."""
        found = self._all.get(request.lower())
        if found is None:
            raise OverlayError(f"Unknown action '{request}', try 'list' for help")
        return await found[2](arguments)

    # ---- this node

    async def _list(self, _: Arguments) -> Reply:
        rows = []
        for command, (description, fields, _answer) in self._all.items():
            row: Reply = {"command": command, "description": description}
            rows.append({**row, "fields": list(fields)} if fields else row)
        return {"list": rows}

    async def _self(self, _: Arguments) -> Reply:
        key = self._node.own
        return {
            "build_name": "meshnode",
            "build_version": SPEAKS,
            "key": key.hex(),
            "address": address_of(key),
            "routing_entries": len(self._node.router.places),
            "subnet": subnet_of(key),
        }

    async def _tun(self, _: Arguments) -> Reply:
        tun = self._engine.tun
        if tun is None:
            return {"enabled": False}
        return {"enabled": True, "name": tun.name, "mtu": self._node.settings.mtu}

    async def _multicast(self, _: Arguments) -> Reply:
        rows = [
            {
                "name": one.group.interface,
                "address": one.listening or "-",
                "beacon": True,
                "listen": True,
                "password": bool(one.group.password),
            }
            for one in self._engine.multicasts
        ]
        return {"multicast_interfaces": rows}

    async def _tree(self, _: Arguments) -> Reply:
        rows = [
            {"address": address_of(p.key), "key": p.key.hex(), "parent": p.parent.hex(), "sequence": p.seq}
            for p in self._node.router.places.all()
        ]
        return {"tree": rows}

    async def _paths(self, _: Arguments) -> Reply:
        rows = [
            {"address": address_of(key), "key": key.hex(), "path": list(path.coords), "sequence": path.seq}
            for key, path in sorted(self._node.router.paths.all().items())
        ]
        return {"paths": rows}

    async def _sessions(self, _: Arguments) -> Reply:
        now = trio.current_time()
        rows = [
            {
                "address": address_of(key),
                "key": key.hex(),
                "bytes_recvd": session.bytes_received,
                "bytes_sent": session.bytes_sent,
                "uptime": now - session.began,
            }
            for key, session in sorted(self._node.sessions.all().items())
        ]
        return {"sessions": rows}

    # ---- peers

    async def _peers(self, _: Arguments) -> Reply:
        rows = [_down(one) for one in self._engine.peerings.all() if one.connection is None]
        rows += [self._up(connection) for connection in self._engine.connections]
        return {"peers": sorted(rows, key=lambda row: (bool(row["inbound"]), str(row["key"])))}

    def _up(self, connection: Connection) -> Reply:
        """Only what is known is told, as the daemon does."""
        link, now = connection.link, trio.current_time()
        row: Reply = {
            "remote": connection.remote,
            "up": True,
            "inbound": connection.inbound,
            "key": connection.key.hex(),
            "port": link.neighbour.port if link else 0,
            "priority": link.priority if link else 0,
            "cost": link.cost if link else 0,
            "uptime": now - connection.began,
        }
        more = {
            "address": address_of(connection.key) if connection.key else "",
            "bytes_recvd": connection.bytes_received,
            "bytes_sent": connection.bytes_sent,
            "rate_recvd": connection.rate_received,
            "rate_sent": connection.rate_sent,
            "latency": int(link.rtt_s * _NS) if link else 0,
        }
        return row | {name: value for name, value in more.items() if value}

    async def _add_peer(self, arguments: Arguments) -> Reply:
        self._engine.add_peer(_peer_of(arguments))
        return {}

    async def _remove_peer(self, arguments: Arguments) -> Reply:
        self._engine.peerings.remove(_peer_of(arguments))
        return {}

    # ---- other nodes

    async def _remote(self, question: Question, arguments: Arguments) -> Reply:
        key = _key_of(arguments)
        inlet, outlet = trio.open_memory_channel[bytes | None](1)
        self._node.ask(question, key, inlet.send_nowait, trio.current_time())
        self._engine.flush()
        body = await outlet.receive()
        if body is None:
            raise OverlayError("Timed out waiting for response" if question is Question.INFO else "timeout")
        try:
            return _worded(question, key, body)
        except WireError as error:
            raise OverlayError(str(error)) from error


def _worded(question: Question, key: bytes, body: bytes) -> Reply:
    address = str(IPv6Address(address_of(key)))
    if question is Question.INFO:
        return {key.hex(): decode_object_untrusted(body)}
    if question is Question.SELF:
        return {address: decode_object_untrusted(body)}
    keys = [one.hex() for one in decode_keys_untrusted(body)]
    return {address: {"keys": keys} if keys else {}}


def _down(peering: Peering) -> Reply:
    row: Reply = {
        "remote": peering.target.uri.plain,
        "up": False,
        "inbound": False,
        "key": "",
        "port": 0,
        "priority": 0,
        "cost": 0,
    }
    if peering.error:
        row["last_error_time"] = int((trio.current_time() - peering.failed_at) * _NS)
        row["last_error"] = peering.error
    return row


def _peer_of(arguments: Arguments) -> PeerUri:
    """The peer of a request; the interface may stand beside the URI or in it."""
    uri, interface = str(arguments.get("uri") or ""), str(arguments.get("interface") or "")
    head, bracket, rest = uri.partition("]")
    if interface and bracket and "%" not in head:
        uri = f"{head}%25{interface}]{rest}"
    try:
        peer = parse_peer_uri(uri)
    except UsageError as error:
        raise UsageError(f"unable to parse peering URI: {error}") from error
    return replace(peer, interface=interface or peer.interface)


def _key_of(arguments: Arguments) -> bytes:
    text = arguments.get("key")
    if not text:
        raise OverlayError("No remote public key supplied")
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        raise OverlayError("invalid public key length")
    return bytes.fromhex(text)
