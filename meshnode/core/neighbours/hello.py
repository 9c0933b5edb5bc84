"""HELLO: a node names its keys and signs them, once per acquaintance (protocol rule 3.1).

Sent when a link comes up, when somebody unknown is heard, and to whoever says HELLO without echoing us yet; at most
six a minute. What was heard is stored, so nothing is repeated after a reboot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from meshnode.core.clock import Instant
from meshnode.core.context import Context
from meshnode.core.ids import MeshId, NeighbourId, NodeKey, neighbour_id
from meshnode.core.wire.frames import Hello
from meshnode.errors import SignatureError, WireError

LABEL: Final = b"mn-hello-v1"
PER_MINUTE: Final = 6
GAP_S: Final = 0.3  # doubling with each of a minute to 2 s: where many start at once, one HELLO of each reaches all
GAP_MAX_S: Final = 2.0
FEW: Final = 3  # so many unicasts cost no more air than one multicast, and each is repeated until it is heard
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

    def __init__(self, sooner: Callable[[Instant], None] | None = None) -> None:
        self._sooner = sooner
        self._due: dict[str, Instant] = {}
        self._sent: dict[str, deque[Instant]] = {}
        self._few: dict[str, set[str] | None] = {}  # addresses of who should hear it; None: all

    def ask(self, link: str, at: Instant, address: str | None = None) -> None:
        """Somebody should hear our HELLO from `at` on, at that address or wherever; later asks before that join it."""
        self._due.setdefault(link, at)
        if self._sooner is not None:
            self._sooner(at)
        few = self._few.setdefault(link, set())
        if few is not None and address is not None and len(few | {address}) <= FEW:
            few.add(address)
        else:
            self._few[link] = None

    def addressees(self, link: str) -> list[str] | None:
        """Who should hear the HELLO that is due now; None: all."""
        few = self._few.pop(link, None)
        return sorted(few) if few is not None else None

    def met(self, link: str, address: str) -> None:
        """It is bound there, so it knows us: it needs no HELLO any more."""
        few = self._few.get(link)
        if few is not None:
            few.discard(address)
            if not few:
                self.forget(link)

    def forget(self, link: str) -> None:
        """The link is gone."""
        self._due.pop(link, None)
        self._few.pop(link, None)

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
        lately = sum(at > sent[-1] - 60.0 for at in sent)
        gap = min(GAP_MAX_S, GAP_S * 2.0 ** (lately - 1))
        return max(sent[-1] + gap, sent[0] + 60.0 if len(sent) == PER_MINUTE else 0.0)
