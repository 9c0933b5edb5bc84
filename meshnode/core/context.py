"""What every part of one node shares: keys, settings, ports, the moment of this step, and the effects it gathers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from meshnode.core.clock import UNKNOWN_CLOCK, Instant, WallClock, better
from meshnode.core.effects import Effect, Forget, Notify, Persist
from meshnode.core.identity.keys import Keys
from meshnode.core.notices import Notice, Warned
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import Record, RecordKey
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import LinkSettings, Settings

NEVER_ASKED = float("-inf")


class Due:
    """When a part of a node may have something to do, at the earliest: it is not asked before.

    Whoever sets a timer of that part says so; what moves back or ends is found out in time.
    """

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: Instant = NEVER_ASKED

    def sooner(self, at: Instant) -> None:
        """A timer was set."""
        if at < self.at:
            self.at = at


class Context:
    """One per node. `now` and `out` are set anew by `Node.step`; parts append effects in the order they must happen."""

    def __init__(self, keys: Keys, mesh: MeshKeys, settings: Settings, sealer: Sealer, entropy: Entropy) -> None:
        self.keys = keys
        self.mesh = mesh
        self.settings = settings
        self.sealer = sealer
        self.entropy = entropy
        self.now: Instant = 0.0
        self.clock: WallClock = UNKNOWN_CLOCK  # our own: all that keys, certificates and expiry go by
        self.mesh_clock: WallClock = UNKNOWN_CLOCK  # what the neighbours agree on
        self.links: dict[str, LinkSettings] = {}
        self.store_refusing = False
        self.out: list[Effect] = []
        self.counters: Counter[str] = Counter()
        self.ease: Callable[[], float] = lambda: 1.0  # below 1 where the law leaves little of the hour, on every link
        self.neighbours_due, self.forwarding_due, self.chat_due = Due(), Due(), Due()

    @property
    def date(self) -> WallClock:
        """The best there is, for what people read and write: nothing is kept, dropped or trusted by it."""
        return better(self.clock, self.mesh_clock, self.now)

    def emit(self, effect: Effect) -> None:
        """Ask the host for something."""
        self.out.append(effect)

    def persist(self, *records: Record, promise: bool = False) -> None:
        """Have rows written; with `promise`, synced before anything of this step is sent."""
        self.out.append(Persist(records, promise))

    def forget(self, *keys: RecordKey, promise: bool = False) -> None:
        """Have rows deleted."""
        self.out.append(Forget(keys, promise))

    def notify(self, notice: Notice) -> None:
        """Tell whoever watches."""
        self.out.append(Notify(notice))

    def warn(self, code: str, text: str) -> None:
        """Tell a person, in one sentence."""
        self.notify(Warned(code, text))

    def count(self, name: str, by: int = 1) -> None:
        """Count what is dropped or refused; `status` shows it."""
        self.counters[name] += by
