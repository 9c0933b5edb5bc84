"""Newracom AT modem: bring-up, join, state, and UDP sockets through which datagrams go.

The modem has IPv4 sockets only (Yggdrasil cannot run on it); each datagram is one UDP payload. Two sockets tell how a
datagram was sent: one in the multicast group, one on the next port for those sent to this modem alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from meshnode.errors import LinkError, UsageError, WireError
from meshnode.halow.modem.conversation import Conversation
from meshnode.halow.modem.reader import Packet
from meshnode.halow.state import Neighbour, RadioState

JOIN_S = 70.0  # AT+WCONN takes up to 60 s
GROUP = "239.255.77.78"  # of the range that stays on site (RFC 2365)
LARGEST = 1472  # one UDP datagram without IPv4 fragments in 1500 bytes

_HEARD = re.compile(r'\+RXD[:=](\d+),(\d+),"([0-9.]+)",(\d+)$')


@dataclass(frozen=True, slots=True)
class Network:
    """What to join. `address` is "ip/mask/gateway"; empty asks by DHCP."""

    ssid: str
    security: str = "open"
    password: str = ""
    country: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A datagram that arrived: on which socket, from where."""

    socket: int
    source: str
    port: int
    payload: bytes


class Newracom:
    """The commands meshnode uses."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    async def bring_up(self) -> str:
        """From any state to a known one: no echo, no sockets, senders told. Gives the version line."""
        await self._talk.settle()
        await self._talk.command("ATE0")
        version = await self._talk.command("AT+VER?")
        await self._talk.command("AT+SCLOSE")
        await self._talk.command("AT+SRECVMODE=0")
        await self._talk.command("AT+SRECVINFO=1")
        return version[0] if version else ""

    async def join(self, network: Network) -> str:
        """Join, and have an address; gives it. Raises LinkError, and UsageError for what cannot be sent."""
        command = join_command(network)
        if network.country:
            await self._talk.command(f"AT+WCOUNTRY={quoted(network.country.upper(), 'country')}")
        await self._talk.command(command, patience_s=JOIN_S)
        if network.address:
            parts = network.address.split("/")
            await self._talk.command("AT+WIPADDR=" + ",".join(quoted(part, "address") for part in parts))
        else:
            await self._talk.command("AT+WDHCP", patience_s=JOIN_S)
        return await self.address()

    async def address(self) -> str:
        """The modem's own address. Raises LinkError while it has none."""
        for line in await self._talk.command("AT+WIPADDR?"):
            fields = values(line, "WIPADDR")
            if fields and fields[0] not in ("", "0.0.0.0"):
                return str(IPv4Address(fields[0]))
        raise LinkError("the modem has no address: DHCP gave none")

    async def open_sockets(self, port: int) -> tuple[int, int]:
        """Sockets for the group and for this modem alone."""
        group, alone = await self._open(port), await self._open(port + 1)
        await self._talk.command(f'AT+SMCAST={group},"add","{GROUP}"')
        return group, alone

    async def send(self, socket: int, to: str | None, port: int, payload: bytes) -> None:
        """One datagram; None is the group. Raises LinkError."""
        host, target = (GROUP, port) if to is None else (str(IPv4Address(to)), port + 1)
        await self._talk.transfer(f'AT+SSEND={socket},"{host}",{target},{len(payload)}', payload)

    async def state(self, interface: str) -> RadioState:
        """What the modem says of its radio. It does not tell channel or width; its rates need the width."""
        joined = [values(line, "WCONN") for line in await self._talk.command("AT+WCONN?")]
        signal = [values(line, "WRXSIG") for line in await self._talk.command("AT+WRXSIG?")]
        network = joined[0] if joined and joined[0] else []
        connected = len(network) >= 5 and network[4] == "connected"
        strength = int(signal[0][0]) if signal and signal[0] and _is_integer(signal[0][0]) else None
        return RadioState(
            interface=interface,
            source="tool",
            family="newracom",
            role="sta",
            network=network[0] if connected else "",
            neighbours=(Neighbour(network[1], signal_dbm=strength),) if connected else (),
            missing=("channel: the modem does not tell it to a station", "rate: it gives an MCS without the width"),
        )

    async def _open(self, port: int) -> int:
        for line in await self._talk.command(f'AT+SOPEN="UDP",{port}'):
            fields = values(line, "SOPEN")
            if fields and _is_integer(fields[0]):
                return int(fields[0])
        raise LinkError("the modem opened a socket without telling its number")


def heard_untrusted(packet: Packet) -> Heard:
    """A received datagram. Raises WireError where its line is none of `+RXD:id,len,"ip",port`."""
    found = _HEARD.match(packet.text)
    if found is None or int(found[4]) > 65_535:
        raise WireError("a received packet without its sender")
    try:
        source = str(IPv4Address(found[3]))
    except ValueError as error:
        raise WireError("a received packet from no address") from error
    return Heard(int(found[1]), source, int(found[4]), packet.payload)


def join_command(network: Network) -> str:
    """AT+WCONN with its strings. Raises UsageError for a name or password that the dialect cannot express."""
    if "?" in network.ssid:
        raise UsageError(
            "the modem takes a ? in the network's name for a request for help; such a network cannot be joined"
        )
    parts = [quoted(network.ssid, "network's name")]
    if network.security != "open":
        parts += [
            quoted(network.security, "security"),
            *([quoted(network.password, "password")] if network.password else []),
        ]
    command = "AT+WCONN=" + ",".join(parts)
    if len(command) > 127:
        raise UsageError("name and password together are longer than the modem's line of 128 bytes, which it would cut")
    return command


def quoted(text: str, what: str) -> str:
    """A string of the dialect: it has no escapes, and commas split even inside quotes. Raises UsageError."""
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in ',"'):
        raise UsageError(f"the modem cannot be given this {what}: no comma, no quote, only plain ASCII")
    return f'"{text}"'


def values(line: str, key: str) -> list[str]:
    """The values of `+KEY:a,"b"` (some guides print `=`), without quotes; empty for another line."""
    head, rest = line[: len(key) + 1], line[len(key) + 1 :]
    if head != f"+{key}" or rest[:1] not in (":", "="):
        return []
    return [value.strip().strip('"') for value in rest[1:].split(",")]


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
