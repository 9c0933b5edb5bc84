"""HELLO: a node names its keys and signs them, once per acquaintance (protocol rule 3.1).

Sent when a link comes up, when somebody unknown is heard, and to whoever says HELLO without echoing us yet; at most
six a minute. What was heard is stored, so nothing is repeated after a reboot.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import MeshId, NeighbourId, NodeKey, neighbour_id
from meshnode.core.wire.frames import Hello
from meshnode.errors import SignatureError, WireError

LABEL: Final = b"mn-hello-v1"
PER_MINUTE: Final = 6
GAP_S: Final = 2.0  # where many start at once, one HELLO of each reaches all
JITTER: Final = (0.02, 0.2)  # several may have heard the newcomer at once
START_WITHIN_S: Final = 0.5


def make_hello(ctx: Context, epoch: int) -> Hello:
    """Our own HELLO, signed."""
    keys = ctx.keys
    me = neighbour_id(keys.node, ctx.mesh.id)
    signature = ctx.sealer.sign(keys.node_secret, _signed(ctx.mesh.id, me, keys.node, keys.exchange, epoch))
    return Hello(keys.node, keys.exchange, epoch, signature)


def check_hello_untrusted(ctx: Context, hello: Hello, sender: NeighbourId) -> None:
    """Raise unless the sender signed exactly these keys for this mesh and this link id."""
    if neighbour_id(hello.node, ctx.mesh.id) != sender:
        raise WireError("a HELLO names a node other than its sender")
    message = _signed(ctx.mesh.id, sender, hello.node, hello.exchange, hello.epoch)
    if not ctx.sealer.verify(hello.node, message, hello.signature):
        raise SignatureError("a HELLO is not signed by the node it names")


def _signed(mesh: MeshId, sender: NeighbourId, node: NodeKey, exchange: bytes, epoch: int) -> bytes:
    return LABEL + mesh + sender + node + exchange + epoch.to_bytes(3, "big")


class HelloPacing:
    """When the next HELLO of a link is due, and that there are not too many."""

    def __init__(self) -> None:
        self._due: dict[str, Instant] = {}
        self._sent: dict[str, deque[Instant]] = {}

    def ask(self, link: str, at: Instant) -> None:
        """Somebody should hear our HELLO from `at` on; later asks before that join it."""
        self._due.setdefault(link, at)

    def forget(self, link: str) -> None:
        """The link is gone."""
        self._due.pop(link, None)

    def wakeup(self) -> Instant | None:
        """When a HELLO may leave next."""
        return min((max(at, self._allowed_from(link)) for link, at in self._due.items()), default=None)

    def due(self, now: Instant) -> list[str]:
        """Links on which a HELLO is to be sent now; asking again is needed for another one."""
        ready = [link for link, at in self._due.items() if max(at, self._allowed_from(link)) <= now]
        for link in ready:
            del self._due[link]
            self._sent.setdefault(link, deque(maxlen=PER_MINUTE)).append(now)
        return ready

    def _allowed_from(self, link: str) -> Instant:
        sent = self._sent.get(link)
        if not sent:
            return float("-inf")
        return max(sent[-1] + GAP_S, sent[0] + 60.0 if len(sent) == PER_MINUTE else 0.0)
