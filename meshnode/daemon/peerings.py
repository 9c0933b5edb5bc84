"""A peering that was just added: does it work, and if not, why, in words a person can act on.

The overlay tells what it knows: the error of the last try, in the words of the Go daemon, of ours, or of the kernel.
A far side that refuses us says nothing, it closes: password, allowed keys and version cannot be told apart from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from meshnode.daemon.adapters import Overlay
from meshnode.overlay.uris import parse_peer_uri

PATIENCE_S = 7.0  # the connection 5 s, the greeting a moment; a greeting that is not answered takes 6 s more
LOOK_S = 0.25

_REMEDIES = (
    (("name or service", "no such host", "name resolution", "no address associated", "lookup"),
     "its name is not found: check the spelling, and that this box can resolve names"),
    (("websocket",), "it answers, but not as Yggdrasil does: check the path, and ws:// or wss://"),
    (("name or password",), "write them before the proxy: socks://name:password@proxy:port/host:port"),
    (("socks5", "proxy hung up"), "no SOCKS5 proxy listens there: check its host and port"),
    (("refused",), "nothing listens there: check the port, and that the far side runs"),
    (("unreachable", "no route"), "there is no way to it: has this box an uplink?"),
    (("no answer", "timeout", "timed out", "deadline"),
     "nobody answers: a firewall may drop it, or the address is wrong"),
    (("tls", "ssl", "certificate", "wrong version number", "record"),
     "it does not speak TLS there: try tcp:// in place of tls://, or the other way round"),
    (("not allowed", "pinned"), "it has another key than the one given with key="),
    (("another version", "incompatible", "remote version"), "it speaks another version of Yggdrasil; 0.5 is needed"),
    (("password", "signature", "introducing", "introduce", "eof", "closed"),
     "it hung up: it wants another password (?password=), or takes only keys it knows, or is no Yggdrasil 0.5"),
    (("suitable addresses",), "its address is on the overlay itself; peer with its address on the internet"),
    (("needs yggdrasil-go",), "install yggdrasil 0.5.12 and take --overlay system, or peer over tcp, tls or wss"),
)  # fmt: skip


async def tried(uri: str, overlay: Overlay) -> str:
    """How it goes with a peering that was added, once that is known, or after a few seconds."""
    shown = parse_peer_uri(uri).shown
    row: Mapping[str, Any] = {}
    with trio.move_on_after(PATIENCE_S):
        while not (row.get("up") or _failed(row)):
            await trio.sleep(LOOK_S)
            row = _row(overlay, shown)
    if row.get("up"):
        return f"peering with {shown} is up, and kept"
    return (
        f"peering with {shown} is kept and tried again, but it is not up: {explained(str(row.get('last_error', '')))}"
    )


def explained(error: str) -> str:
    """The error of a peering, and what to do about it."""
    known = next((words for signs, words in _REMEDIES if any(sign in error.lower() for sign in signs)), "")
    if not error:
        return "there is no answer yet; `meshnode peer list` shows what comes of it"
    return f"{known} ({error})" if known else error


def _failed(row: Mapping[str, Any]) -> bool:
    return bool(row.get("last_error")) and row["last_error"] != "not added yet"


def _row(overlay: Overlay, shown: str) -> Mapping[str, Any]:
    peers = overlay.status().get("peers")
    rows = peers if isinstance(peers, list) else []
    return next((row for row in rows if row["uri"] == shown and not row["inbound"]), {})
