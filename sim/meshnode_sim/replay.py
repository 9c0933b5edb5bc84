"""A journal from the field goes through the core again: the same inputs and draws must come to the same effects.

A node's life begins where it was made. What stands in a journal before the first beginning (the older part is dropped
as it grows), and lives of other keys or settings than the home has now, cannot be played. The last step of a life may
have no end: the node fell over it, or the writing was cut off. It is played with fresh draws, and falls over again.

Like the lab this looks into the daemon; virtual time does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect
from meshnode.core.inputs import Input
from meshnode.core.node import Node
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import Home
from meshnode.daemon.journal import Begun, Came, Draw, Entry, read_journal
from meshnode.daemon.recording import decode_snapshot, digest, whose
from meshnode.errors import StoreError, UsageError


@dataclass(slots=True)
class Life:
    """One life of a node, played again. `differs`: where it went another way first, in a sentence; else empty."""

    epoch: int
    steps: int = 0
    effects: int = 0
    differs: str = ""


def replay(home: Home, folder: Path) -> list[Life]:
    """Every life in the journal of a folder that this home can play. StoreError when there is none."""
    key = home.store_key()
    lives = [_play(home, life) for life in _lives(read_journal(folder, key)) if life.begun.whose == whose(home)]
    if not lives:
        raise StoreError(
            f"No beginning of a node with the keys and settings of this home is in the journal in {folder}: "
            "record from a fresh start, with a larger journal.limit_mb if the older part was dropped."
        )
    return lives


@dataclass(slots=True)
class _Recorded:
    """One life as it was written down: what the node was made of, and each input with what came of it."""

    begun: Begun
    steps: list[tuple[Instant, Input, Came | None]] = field(default_factory=list)


def _lives(entries: Iterator[tuple[Instant, Entry]]) -> Iterator[_Recorded]:
    life: _Recorded | None = None
    for now, entry in entries:
        if isinstance(entry, Begun):
            if life is not None:
                yield life
            life = _Recorded(entry)
        elif life is None:
            continue
        elif isinstance(entry, Came):
            at, given, _ = life.steps[-1]
            life.steps[-1] = (at, given, entry)
        else:
            life.steps.append((now, entry, None))
    if life is not None:
        yield life


def _play(home: Home, recorded: _Recorded) -> Life:
    begun, life, draws = recorded.begun, Life(recorded.begun.epoch), _Draws()
    draws.come(recorded.steps[0][2] if recorded.steps else None)  # what the making drew stands with the first step
    settings = home.config.settings(open_mesh=home.mesh.open)
    sealer = DrawnSealer(draws)
    node = Node(
        home.keys, home.mesh, settings, sealer, DrawnEntropy(draws), decode_snapshot(begun.snapshot), begun.epoch
    )
    for number, (now, given, came) in enumerate(recorded.steps):
        if number:
            draws.come(came)
        effects = _step(node, given, now)
        life.steps += 1
        life.effects += len(effects)
        life.differs = _difference(effects, came, draws)
        if life.differs:
            life.differs = f"input {life.steps} ({type(given).__name__} at {now:.3f} s): {life.differs}"
            break
    return life


def _step(node: Node, given: Input, now: Instant) -> list[Effect]:
    try:
        return node.step(given, now)
    except UsageError:  # a person was told so, and the daemon went on
        return []


def _difference(effects: list[Effect], came: Came | None, draws: _Draws) -> str:
    if came is None:
        return ""
    if draws.missed or draws.left:
        return "it drew other randomness than when it was recorded"
    for number, (effect, then) in enumerate(zip(effects, came.effects, strict=False), 1):
        if digest(effect) != then:
            return f"effect {number}, now {type(effect).__name__}, is not what it was"
    return "" if len(effects) == len(came.effects) else f"{len(effects)} effects, not {len(came.effects)} as before"


class _Draws:
    """The randomness of one step as it was recorded; fresh where nothing was."""

    def __init__(self) -> None:
        self.left: deque[Draw] = deque()
        self.missed = False
        self._recorded = False

    def come(self, came: Came | None) -> None:
        """The next step took these."""
        self._recorded, self.missed = came is not None, False
        self.left = deque(came.draws if came is not None else ())

    def next(self) -> Draw | None:
        """The next one; None where there is none, which is a difference unless the step was not recorded whole."""
        if self.left:
            return self.left.popleft()
        self.missed = self._recorded
        return None

    def octets(self, size: int) -> bytes | None:
        """The next one, if it has that size."""
        drawn = self.next()
        if isinstance(drawn, bytes) and len(drawn) == size:
            return drawn
        self.missed = self.missed or drawn is not None
        return None


class DrawnEntropy(SystemEntropy):
    """`ports.Entropy` that gives what was drawn before."""

    def __init__(self, draws: _Draws) -> None:
        self._draws = draws

    def take(self, purpose: str, size: int) -> bytes:
        """As recorded."""
        return self._draws.octets(size) or super().take(purpose, size)

    def between(self, purpose: str, low: float, high: float) -> float:
        """As recorded."""
        drawn = self._draws.next()
        return drawn if isinstance(drawn, float) else super().between(purpose, low, high)


class DrawnSealer(RealSealer):
    """`ports.Sealer` that gives again what was made of randomness of its own."""

    def __init__(self, draws: _Draws) -> None:
        self._draws = draws

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As recorded."""
        sealed = super().hpke_seal(public, info, plaintext)  # refuses the same keys
        return self._draws.octets(len(sealed)) or sealed

    def new_prekey(self) -> tuple[bytes, bytes]:
        """As recorded."""
        secret, public = super().new_prekey()
        return self._draws.octets(len(secret)) or secret, self._draws.octets(len(public)) or public
