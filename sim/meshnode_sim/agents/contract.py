"""What a simulated node runs: anything with the core's contract of steps, by name or by import path."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol, cast

from meshnode.core.clock import Instant
from meshnode.core.effects import Effect
from meshnode.core.identity.keys import Keys
from meshnode.core.inputs import Input
from meshnode.core.node import Node
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.settings import Settings
from meshnode.errors import UsageError


class Agent(Protocol):
    """A calculator like the core."""

    def step(self, given: Input, now: Instant) -> list[Effect]:
        """What the host shall do about one input, in order."""
        ...

    def next_wakeup(self) -> Instant | None:
        """When it wants a Tick."""
        ...


class Maker(Protocol):
    """Makes an agent at each start of a node; the class itself, as a rule."""

    def __call__(
        self,
        keys: Keys,
        mesh: MeshKeys,
        settings: Settings,
        sealer: Sealer,
        entropy: Entropy,
        snapshot: Snapshot,
        epoch: int,
        /,
    ) -> Agent:
        """The same seven things that the core is made of; most agents need the first and the third."""
        ...


CORE: Final[Maker] = Node
KNOWN: Final = {
    "epidemic": "meshnode_sim.agents.reference:Epidemic",
    "direct": "meshnode_sim.agents.reference:Direct",
    "spray": "meshnode_sim.agents.reference:SprayAndWait",
    "flooder": "meshnode_sim.agents.liars:Flooder",
    "dropper": "meshnode_sim.agents.liars:Dropper",
    "replayer": "meshnode_sim.agents.liars:Replayer",
    "beacon-liar": "meshnode_sim.agents.liars:BeaconLiar",
    "forker": "meshnode_sim.agents.liars:Forker",
}


def maker(name: str, folder: Path = Path()) -> Maker:
    """The class behind `core`, a name of KNOWN, or `module:Class`; a module may be a file in the scenario's folder."""
    if name == "core":
        return CORE
    module, _, attribute = KNOWN.get(name, name).partition(":")
    if not attribute or not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"{name} is no agent: write module:Class, or one of core, {', '.join(KNOWN)}")
    found = getattr(_module(module, folder), attribute, None)
    if not isinstance(found, type):
        raise UsageError(f"the agent {name} is not there: {module} has no class {attribute}")
    if not (hasattr(found, "step") and hasattr(found, "next_wakeup")):
        raise UsageError(f"{name} is no agent: it needs `step` and `next_wakeup`, as agents/contract.py has them")
    return cast(Maker, found)


def _module(name: str, folder: Path) -> ModuleType:
    beside = (folder / name.replace(".", "/")).with_suffix(".py")
    try:
        return _from_file(f"_agents.{name}", beside) if beside.is_file() else importlib.import_module(name)
    except SyntaxError as error:
        raise UsageError(
            f"{error.filename}:{error.lineno}: {error.msg}: the agent's module is no Python yet"
        ) from error
    except ImportError as error:
        raise UsageError(f"the agent's module {name} cannot be imported ({error}), nor is there a {beside}") from error


def _from_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up the module they stand in
    spec.loader.exec_module(module)
    return module
