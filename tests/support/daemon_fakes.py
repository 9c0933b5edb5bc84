"""A scripted node, carriers that remember, and a disk that notes when it was synced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from meshnode.core.effects import Effect, Forget, Persist
from meshnode.core.ids import MessageId
from meshnode.core.inputs import Input, LinkChanged
from meshnode.core.notices import Waiting
from meshnode.core.settings import LinkSettings
from meshnode.daemon.adapters import Inputs, Started
from meshnode.daemon.disk import Disk
from meshnode.errors import StoreFullError

Script = Callable[[Input, float], list[Effect]]
Order = list[tuple[Any, ...]]


class FakeNode:
    """Answers every input as its script says."""

    def __init__(self, script: Script = lambda given, now: [], wakeups: Sequence[float] = ()) -> None:
        self.counters: Counter[str] = Counter()
        self.given: list[tuple[Input, float]] = []
        self.wakeups = list(wakeups)
        self._script = script

    def step(self, given: Input, now: float) -> list[Effect]:
        self.given.append((given, now))
        self.wakeups = [at for at in self.wakeups if at > now]
        return self._script(given, now)

    def next_wakeup(self) -> float | None:
        return min(self.wakeups, default=None)

    def status(self) -> dict[str, object]:
        return {}

    def queue(self) -> list[Waiting]:
        return []

    def why(self, message: MessageId) -> None:
        return None

    def inputs(self, kind: type[Any]) -> list[Any]:
        return [given for given, _ in self.given if isinstance(given, kind)]


class FakeLink:
    """A link that notes what it is given to send."""

    def __init__(self, name: str = "halow0", order: Order | None = None) -> None:
        self._name = name
        self.order: Order = order if order is not None else []

    @property
    def name(self) -> str:
        return self._name

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        await inputs.send(LinkChanged(self._name, LinkSettings()))
        task_status.started()
        await trio.sleep_forever()

    def send(self, to: str | None, data: bytes) -> None:
        self.order.append(("send", to, data))

    def status(self) -> Mapping[str, object]:
        return {"name": self._name, "driver": "fake", "state": "up"}


class FakeSessions:
    """Sessions that note what is asked of them."""

    def __init__(self, order: Order | None = None) -> None:
        self.order: Order = order if order is not None else []
        self.counters: Counter[str] = Counter()

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    def dial(self, address: str, carrier: str, link: str) -> None:
        self.order.append(("dial", address, carrier, link))

    def send(self, session: int, data: bytes) -> None:
        self.order.append(("record", session, data))

    def hangup(self, session: int) -> None:
        self.order.append(("hangup", session))

    def stay_off(self, interfaces: frozenset[str]) -> None:
        self.off = interfaces

    async def close_all(self) -> None:
        self.order.append(("close all",))

    def status(self) -> Sequence[Mapping[str, object]]:
        return []


class FakeOverlay:
    """No overlay."""

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    def status(self) -> Mapping[str, object]:
        return {"backend": "none", "address": "", "public_key": "", "peers": []}

    async def add_peer(self, uri: str) -> None:
        return None

    async def remove_peer(self, uri: str) -> None:
        return None

    def stay_off(self, interfaces: frozenset[str]) -> None:
        self.off = interfaces


class InlineDisk(Disk):
    """Without worker threads, which a jumping clock would not wait for; notes each commit."""

    def __init__(self, store: Any, order: Order | None = None, takes_s: float = 0.0) -> None:
        super().__init__(store)
        self.order: Order = order if order is not None else []
        self.full = False
        self._takes_s = takes_s

    async def commit(self, effects: Sequence[Persist | Forget], now: float, promise: bool) -> None:
        if self.full:
            raise StoreFullError("The store cannot grow.")
        self.order.append(("commit", tuple(effects), promise, trio.current_time()))
        await super().commit(effects, now, promise)

    async def _call(self, work: Callable[[], Any]) -> Any:
        await trio.sleep(self._takes_s)
        return work()
