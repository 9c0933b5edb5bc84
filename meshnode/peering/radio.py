"""What a radio says about itself: rates for pacing, and the payload that fits a frame at them.

Whoever knows the radio (its own part of the daemon, or a lab) writes a small JSON file and may rewrite it at any time:

    {"unicast_bps": 1000000, "multicast_bps": 300000, "multicast": true,
     "unicast_payload": 1200, "multicast_payload": 384, "retries": 0}

Each field may be missing. `retries` counts the frames the radio sent again since it started. Payloads that are not
given follow from the rates: below 400 kbit/s (1 MHz at MCS 0 or 10) a frame of 1,200 bytes would hold the channel for
30 ms and more, and group frames cannot be fragmented there.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import msgspec

from meshnode.core.settings import LinkSettings

VARIABLE = "MESHNODE_RADIO_STATE"
LARGEST_FILE = 65536

NARROW_PAYLOAD, WIDE_PAYLOAD = 384, 1200
NARROW_BELOW_BPS = 400_000


class RadioState(msgspec.Struct, frozen=True):
    """The file; unknown fields are for others."""

    unicast_bps: int | None = None
    multicast_bps: int | None = None
    multicast: bool | None = None
    unicast_payload: int | None = None
    multicast_payload: int | None = None
    retries: int = 0


def radio_state_path() -> Path | None:
    """Where the environment says the file is."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


class RadioSource(Protocol):
    """Somebody who knows the radio: what a link over it carries, and how often it had to send again."""

    def settings(self, base: LinkSettings) -> LinkSettings:
        """`base`, with what the radio knows better."""
        ...

    @property
    def retries(self) -> int:
        """Frames sent again since it was first asked; never falls."""
        ...


class RadioFile:
    """Reads the file again when it has changed; one that is missing or makes no sense says nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._state = RadioState()

    def settings(self, base: LinkSettings) -> LinkSettings:
        """`base`, with what the radio knows better."""
        self._refresh()
        return merged(base, self._state)

    @property
    def retries(self) -> int:
        """Frames sent again, as last read."""
        return self._state.retries

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp != self._stamp and found.st_size <= LARGEST_FILE:
                self._state = decode_radio_state(self._path.read_bytes(), self._state)
                self._stamp = stamp
        except OSError:
            self._stamp, self._state = None, RadioState()


def decode_radio_state(data: bytes, before: RadioState) -> RadioState:
    """The state in `data`; the one before while the file is half written."""
    try:
        return msgspec.json.decode(data, type=RadioState)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return before


def merged(base: LinkSettings, state: RadioState) -> LinkSettings:
    """`base` with the fields of `state` that are given and possible."""
    unicast_bps = state.unicast_bps if _possible(state.unicast_bps) else None
    multicast_bps = state.multicast_bps if _possible(state.multicast_bps) else None
    return replace(
        base,
        unicast_payload=_payload(state.unicast_payload, unicast_bps, base.unicast_payload),
        multicast_payload=_payload(state.multicast_payload, multicast_bps, base.multicast_payload),
        unicast_bps=unicast_bps or base.unicast_bps,
        multicast_bps=multicast_bps or base.multicast_bps,
        multicast=base.multicast if state.multicast is None else state.multicast,
    )


def _possible(bps: int | None) -> bool:
    return bps is not None and 1000 <= bps <= 10**11


def _payload(given: int | None, bps: int | None, base: int) -> int:
    if given is not None and 256 <= given <= WIDE_PAYLOAD:
        return given
    if bps is None:
        return base
    return min(base, NARROW_PAYLOAD if bps < NARROW_BELOW_BPS else WIDE_PAYLOAD)
