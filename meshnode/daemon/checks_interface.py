"""What `meshnode doctor` checks around the bound interface: MTU, what it is part of, who speaks to groups there.

Everything is read from a tree that tests lay out: /sys, /lib/firmware, /proc.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meshnode.config import Config
from meshnode.control.replies import CheckInfo
from meshnode.halow.finding import Radio
from meshnode.peering.places import LINK_GROUP

LEAST_MTU = 1280  # of IPv6, and of the overlay
MORSE_MTU = 1518  # above it frames are lost in the chip's pages (OpenMANET/firmware#19, #43, #53)
_CHATTER = {  # groups of services that announce themselves on every interface (jaume27/IEEE802.11ah)
    "ff02::fb": "mDNS (avahi)",
    "ff02::1:3": "LLMNR (systemd-resolved)",
    "ff02::c": "SSDP",
    "224.0.0.251": "mDNS (avahi)",
    "224.0.0.252": "LLMNR (systemd-resolved)",
    "239.255.255.250": "SSDP",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this machine shows itself."""

    sys: Path = Path("/sys")
    firmware: Path = Path("/lib/firmware")
    net: Path = Path("/proc/self/net")


HERE = Machine()


def check_around(name: str, radio: Radio | None, config: Config, machine: Machine) -> Iterator[CheckInfo]:
    """Everything about an interface that is no matter of its radio."""
    yield from _master(name, machine)
    yield from _mtu(name, radio, machine)
    joined = _joined(name, machine)
    yield from _multicast(name, config, joined)
    if radio is not None:
        yield from _chatter(name, joined)


def _master(name: str, machine: Machine) -> Iterator[CheckInfo]:
    """An interface that is part of another one carries no address of its own (thebentern/warthog, OpenMANET)."""
    place = machine.sys / "class" / "net" / name / "master"
    if not place.exists():
        return
    master = place.resolve().name
    if (machine.sys / "class" / "net" / master / "mesh").exists():
        remedy = f"use {master} as the interface; clients behind it want an MTU of 1492, or TLS fails where HTTP works"
    else:
        remedy = f"use {master} as the interface, or take {name} out of it: `ip link set {name} nomaster`"
    yield CheckInfo("bridge", "warn", f"{name} is part of {master}, which has the addresses", remedy)


def _mtu(name: str, radio: Radio | None, machine: Machine) -> Iterator[CheckInfo]:
    try:
        mtu = int((machine.sys / "class" / "net" / name / "mtu").read_text())
    except (OSError, ValueError):
        return
    remedy = f"ip link set {name} mtu 1500"
    if mtu < LEAST_MTU:
        yield CheckInfo("mtu", "fail", f"{mtu}: IPv6 needs {LEAST_MTU}", remedy)
    elif mtu > MORSE_MTU and radio is not None and radio.family.name == "morse":
        yield CheckInfo("mtu", "warn", f"{mtu}: the chip loses frames of more than {MORSE_MTU} bytes", remedy)
    else:
        yield CheckInfo("mtu", "ok", str(mtu), "")


def _joined(name: str, machine: Machine) -> frozenset[str]:
    """The groups of an interface, of both families; /proc says "index name group users" and "group users"."""
    found = set[str]()
    for words in _words(machine.net / "igmp6"):
        if len(words) > 2 and words[1] == name and len(words[2]) == 32:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[2])))
    of = ""
    for words in _words(machine.net / "igmp"):
        if words[0].isdecimal() and len(words) > 1:
            of = words[1].rstrip(":")
        elif of == name and len(words[0]) == 8:
            found.add(socket.inet_ntoa(bytes.fromhex(words[0])[::-1]))  # as a little-endian machine prints it
    return frozenset(found)


def _words(table: Path) -> Iterator[list[str]]:
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return
    yield from (words for line in lines if (words := line.split()))


def _multicast(name: str, config: Config, joined: frozenset[str]) -> Iterator[CheckInfo]:
    """Drivers pass on only the groups the kernel has joined (Morse `enable_mcast_whitelist`)."""
    if not config.link.multicast:
        yield CheckInfo("multicast", "ok", "not used, as configured: neighbours are named by hand", "")
    elif LINK_GROUP in joined:
        yield CheckInfo("multicast", "ok", f"the group {LINK_GROUP} is joined on {name}", "")
    elif joined:
        yield CheckInfo("multicast", "warn", f"the group {LINK_GROUP} is not joined on {name}: nobody is found there",
                        "start the node; if it runs, look at the check of the interface")  # fmt: skip


def _chatter(name: str, joined: frozenset[str]) -> Iterator[CheckInfo]:
    """Groups go at the slowest rate: on an NRC7292 bursts of them stopped all else for 7 s of every minute."""
    services = sorted({service for group, service in _CHATTER.items() if group in joined})
    if services:
        detail = f"{', '.join(services)} announce themselves on {name}, to all, at the lowest rate"
        yield CheckInfo("chatter", "warn", detail,
                        f"deny-interfaces={name} in avahi-daemon.conf; `resolvectl mdns {name} no`, `resolvectl llmnr"
                        f" {name} no`")  # fmt: skip
