"""`meshnode peer`: the Yggdrasil peerings of this node. One with an uplink and one of these is a bridge."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests

URI = Parameter(help="Yggdrasil address of the peer, for example tls://host:port.")


def add(uri: Annotated[str, URI], /, *, common: Common = COMMON) -> None:
    """Peer with an Yggdrasil node from now on, over restarts too.

    Example: meshnode peer add tls://192.0.2.7:443
    """
    _show(common, requests.PeerAddRequest(uri=uri))


def remove(uri: Annotated[str, URI], /, *, common: Common = COMMON) -> None:
    """Stop peering with an Yggdrasil node.

    Example: meshnode peer remove tls://192.0.2.7:443
    """
    _show(common, requests.PeerRemoveRequest(uri=uri))


def list_(*, common: Common = COMMON) -> None:
    """List the Yggdrasil peerings that are kept.

    Example: meshnode peer list --json
    """
    _show(common, requests.PeerListRequest())


def _show(common: Common, request: requests.Request) -> None:
    reply = ask(common, request, replies.PeeringsReply)
    say.answer(common, reply, [*peerings(reply.peers), *([reply.text] if reply.text else [])])


def peerings(peers: list[replies.OverlayPeerInfo]) -> list[str]:
    """A table of Yggdrasil peerings."""
    rows = [(p.uri, "up" if p.up else "down", f"{p.latency_ms:.0f} ms" if p.up else p.last_error) for p in peers]
    return say.table(("PEERING", "STATE", "LATENCY OR ERROR"), rows, "no Yggdrasil peerings")
