"""Which radio the node is bound to where no interface is named: the one that is there, also when it is another one.

    bound to one that is there    stays, whatever else is plugged in
    bound to one that is gone     waits for it (the link does); if another one comes that can only be meant, takes that
    bound to none                 takes the first that can only be meant

Another interface is another link, another overlay peering and other rates: the daemon starts its parts anew on it, as
it does for new keys. An interface that goes and returns under its name needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import structlog
import trio

from meshnode.daemon.adapters import Started
from meshnode.errors import LinkError
from meshnode.halow.finding import Radio, choose
from meshnode.halow.hotplug import came_and_went, watch_radios
from meshnode.peering.interface import interface_names, interface_news

_log = structlog.get_logger("radio")

Look = Callable[[], Sequence[Radio]]


class Radios:
    """Watches the radios of the machine. `other` is set when the node should be bound to another one."""

    def __init__(self, bound: str, profile: str, look: Look) -> None:
        self.bound = bound
        self.other = trio.Event()
        self.on_change: Callable[[str, str], None] = _unheard
        self._profile = profile
        self._look = look
        self._known: Sequence[Radio] | None = None

    async def run(self, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled."""
        with interface_news() as news:
            await watch_radios(self._changed, self._look, interface_names, news.wait, task_status=task_status)

    def _changed(self, found: Sequence[Radio]) -> None:
        if self._known is not None:
            for what, radio in came_and_went(self._known, found):
                _log.info("radio", what=what, interface=radio.interface, family=radio.family.name)
                self.on_change(radio.interface, "plugged" if what == "came" else "unplugged")
        self._known = found
        if wanted(self.bound, [radio.interface for radio in found], self._choose(found)) != self.bound:
            self.other.set()

    def _choose(self, found: Sequence[Radio]) -> str:
        """The one that can only be meant, empty if there is none or several."""
        try:
            chosen = choose(found, self._profile)
        except LinkError:
            return ""
        return chosen.interface if chosen else ""


def wanted(bound: str, there: Collection[str], chosen: str) -> str:
    """The interface the node should be on."""
    return bound if bound in there or not chosen else chosen


def _unheard(interface: str, state: str) -> None:
    return None
