"""Taixin TXW8301 in host mode: a plain Ethernet device; its radio is asked with the vendor's `hgpriv`. Blocks.

The keys are documented (FMAC driver development guide): `center_freq` in 0.1 MHz, `bss_bw` in MHz, `conn_state` 0 or 9,
`signal` in dBm at a station, `mode`. How the tool words its answer is not; so the one number in it is taken, and where
there is none, or more than one, the value stays unknown.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

from meshnode.board.region import country
from meshnode.halow.state import Channel, Neighbour, RadioState, Role

TOOL = "hgpriv"
PATIENCE_S = 3.0

Ask = Callable[[str, str], str]

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?![\w.])")
_ROLES: dict[str, Role] = {"ap": "ap", "sta": "sta", "apsta": "ap"}


def ask_tool(interface: str, key: str) -> str:
    """What `hgpriv IF get KEY` prints; empty where the tool is missing, fails or hangs."""
    try:
        done = subprocess.run([TOOL, interface, "get", key], capture_output=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout[:4096].decode(errors="replace") if done.returncode == 0 else ""


def read_taixin(interface: str, region: str = "", ask: Ask = ask_tool) -> RadioState:
    """The state of a Taixin radio; what the tool does not say is missing."""
    tenth_mhz, width = number(ask(interface, "center_freq")), number(ask(interface, "bss_bw"))
    role = _role(ask(interface, "mode"))
    signal = number(ask(interface, "signal")) if role == "sta" else None
    connected = number(ask(interface, "conn_state"))
    channel = Channel(tenth_mhz * 100, width) if tenth_mhz and width in (1, 2, 4, 8) else None
    missing = ["rate: the driver has no key for it"]
    if channel is None:
        missing.append(f"channel: `{TOOL} {interface} get center_freq` and `bss_bw` gave no number each")
    if connected == 0 and role == "sta":
        missing.append("neighbours: not connected")
    return RadioState(
        interface=interface,
        source="tool",
        family="taixin",
        role=role,
        region=country(region) if region else "",
        channel=channel,
        neighbours=(Neighbour(mac="", signal_dbm=signal),) if signal is not None and connected else (),
        missing=tuple(missing),
    )


def number(answer: str) -> int | None:
    """The one whole number in an answer, None if there is none or more than one."""
    found = _NUMBER.findall(answer)
    return int(found[0]) if len(found) == 1 else None


def _role(answer: str) -> Role | None:
    words = [word for word in re.findall(r"[a-z]+", answer.lower()) if word in _ROLES]
    return _ROLES[words[0]] if len(words) == 1 else None
