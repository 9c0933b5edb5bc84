"""The radio under a link: its state, read again every few seconds, by whichever way this one can be asked.

a file is named       what a lab or a simulator writes there (JSON, state.py)
nl80211 knows it      Morse, mm81x, Newracom
a Taixin radio        its vendor's tool
anything else         nothing is known, and the configuration holds
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_fields
from pathlib import Path
from socket import if_nametoindex

import msgspec
import trio

from meshnode.board.profile import Driver
from meshnode.core.inputs import Input, StationSeen
from meshnode.core.settings import LinkSettings
from meshnode.errors import LinkError, WireError
from meshnode.halow.finding import SYS, Radio, as_radio, country, read_device
from meshnode.halow.state import RadioState, decode_state_untrusted, link_settings
from meshnode.halow.taixin import read_taixin
from meshnode.halow.understanding import Setting

LOOK_EVERY_S = 2.0
LARGEST_FILE = 65_536

Reader = Callable[[], RadioState]


class RadioWatch:
    """Keeps the state of one interface's radio. `state` is what was read last; `retries` never falls."""

    def __init__(self, interface: str, read: Reader) -> None:
        self.name = interface
        self.state = RadioState(interface)
        self.retries = 0
        self._read = read
        self._again: dict[str, int] = {}  # what each neighbour's counter said last

    async def run(
        self, inputs: trio.MemorySendChannel[Input], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Read until cancelled, and tell the node of new stations; a radio that cannot be read is tried again."""
        await self.look()
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            before = {one.mac for one in self.state.neighbours}
            await self.look()
            if not before.issuperset(one.mac for one in self.state.neighbours):
                await inputs.send(StationSeen(self.name))

    async def look(self) -> None:
        """Read now."""
        try:
            self.state = await trio.to_thread.run_sync(self._read)
            self._count_again()
        except (LinkError, WireError) as error:
            self.state = RadioState(self.name, family=self.state.family, missing=(str(error),))

    def _count_again(self) -> None:
        """A neighbour that comes back begins at zero; what was sent again before stays counted."""
        now = {one.mac: one.tx_retries for one in self.state.neighbours if one.tx_retries is not None}
        self.retries += sum(
            count - before for mac, count in now.items() if count >= (before := self._again.get(mac, 0))
        )
        self._again = now

    def settings(self, base: LinkSettings) -> LinkSettings:
        """`base`, bettered by what is known of the radio."""
        return link_settings(self.state, base)


def watch(interface: str, setting: Setting, *, file: Path | None = None, sys: Path = SYS) -> RadioWatch:
    """A watch over the radio of that interface."""
    if file is not None:
        return RadioWatch(interface, lambda: from_file(interface, file))
    return RadioWatch(interface, lambda: from_system(interface, setting, sys))


def from_file(interface: str, file: Path) -> RadioState:
    """The state that somebody writes into a file; nothing while there is none. Raises WireError."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE)
    except OSError:
        return RadioState(interface)
    known = {"interface": interface, "source": "file"}
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"{file.name} holds no JSON: {error}") from error
    return decode_state_untrusted(msgspec.json.encode({**told, **known} if isinstance(told, dict) else told))


def from_system(interface: str, setting: Setting, sys: Path = SYS) -> RadioState:
    """The state of a real radio; looked up anew each time, as another may have been plugged in. Raises LinkError."""
    radio = as_radio(read_device(sys, interface))
    if radio is None:
        return RadioState(interface)
    known = setting if setting.region else with_fields(setting, region=country(radio, sys))
    if radio.family.nl80211 != "none":
        # Imported here: pyroute2 takes 11 MB, and most nodes of a lab or on plain Wi-Fi never ask.
        from meshnode.halow.nl80211 import read_radio

        return read_radio(_index(interface), radio.family, known)
    return _by_tool(radio, radio.family, known)


def _by_tool(radio: Radio, family: Driver, setting: Setting) -> RadioState:
    if family.name == "taixin":
        return read_taixin(radio.interface, setting.region)
    return RadioState(radio.interface, family=family.name, missing=(f"{family.title} says nothing of its radio",))


def _index(interface: str) -> int:
    try:
        return if_nametoindex(interface)
    except OSError as error:
        raise LinkError(f"there is no interface {interface}") from error
