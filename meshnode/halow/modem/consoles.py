"""Taixin and Warthog modems: state and settings over their consoles. No datagrams go through these.

A Taixin modem mixes free text into its answers, without request numbers: an answer is found by its key. A Warthog
carries data on its USB network card, and its console tells addresses and counters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from meshnode.errors import UsageError
from meshnode.halow.modem.conversation import Conversation
from meshnode.halow.state import Channel, Neighbour, RadioState, Role

_ROLES: dict[str, Role] = {"ap": "ap", "sta": "sta", "apsta": "ap"}
_HEX_KEY = re.compile("^[0-9a-fA-F]{64}$")


class Taixin:
    """TXW8301 on its UART."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    async def bring_up(self) -> None:
        """Find the beginning of an answer, and end the statistics."""
        await self._talk.settle()
        await self._talk.command("AT+SYSDBG=LMAC,0")

    async def get(self, key: str) -> str:
        """The value of `AT+KEY?`, empty where the answer has none. Raises LinkError."""
        return answer_of(key, await self._talk.command(f"AT+{key}?"))

    async def join(self, ssid: str, key: str) -> None:
        """Set network and key, as a station. The key is 64 hex digits: the firmware does not hash a passphrase."""
        if not ssid or not ssid.isascii() or not ssid.isprintable():
            raise UsageError("the network's name must be plain ASCII")
        if key and not _HEX_KEY.match(key):
            raise UsageError("the key must be 64 hex digits: this modem does not hash a passphrase")
        await self._talk.command("AT+MODE=sta")
        await self._talk.command(f"AT+SSID={ssid}")
        await self._talk.command(f"AT+KEYMGMT={'WPA-PSK' if key else 'NONE'}")
        if key:
            await self._talk.command(f"AT+PSK={key}")

    async def state(self, interface: str) -> RadioState:
        """What it says of its radio."""
        connected = "+CONNECTED" in await self._talk.command("AT+CONN_STATE")
        signal, width = number(await self.get("RSSI")), number(await self.get("BSS_BW"))
        channels = (await self.get("CHAN_LIST")).split(",")
        only = number(channels[0]) if len(channels) == 1 else None
        missing = [] if only else ["channel: its list has several, and it does not tell which it uses"]
        return RadioState(
            interface=interface,
            source="tool",
            family="taixin",
            role=_ROLES.get(await self.get("MODE")),
            network=await self.get("SSID") if connected else "",
            channel=Channel(only * 100, width) if only and width else None,
            neighbours=(Neighbour("", signal_dbm=signal),) if connected and signal is not None else (),
            missing=(*missing, "rate: the modem does not tell it"),
        )


class Warthog:
    """The console of a Warthog."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk

    async def bring_up(self) -> str:
        """Find the beginning of an answer; gives the version."""
        await self._talk.settle()
        return answer_of("VERSION", await self._talk.command("AT+VERSION?"))

    async def status(self) -> dict[str, str]:
        """The lines of AT+STATUS? by their key: HALOW, USB, AP, DNS."""
        lines = await self._talk.command("AT+STATUS?")
        split = (line[1:].partition(":") for line in lines if line.startswith("+"))
        return {key: value.strip() for key, _, value in split}

    async def counters(self, name: str) -> dict[str, int]:
        """Counters of AT+NAME?, whose values may wrap to several lines."""
        return pairs(await self._talk.command(f"AT+{name}?"))

    async def join(self, ssid: str, password: str) -> None:
        """Set network and password; they hold after a reset. Raises UsageError for what a line cannot hold."""
        command = f"AT+HALOW={ssid},{password}"
        if "," in ssid or not command.isascii() or not command.isprintable():
            raise UsageError("the modem cannot be given this name or password: plain ASCII, no comma in the name")
        if len(command) > (self._talk.dialect.line_limit or len(command)):
            raise UsageError("name and password together are longer than the modem's line")
        await self._talk.command(command)

    async def state(self, interface: str) -> RadioState:
        """It tells no channel, signal or rate in a form that is documented."""
        return RadioState(
            interface=interface,
            source="tool",
            family="warthog",
            missing=("channel: the form in which the console tells it is not documented",),
        )


def answer_of(key: str, lines: Iterable[str]) -> str:
    """The value of `+KEY:value` among other lines."""
    for line in lines:
        if line.upper().startswith(f"+{key.upper()}:"):
            return line.partition(":")[2].strip()
    return ""


def number(text: str) -> int | None:
    """The whole number a value begins with ("8MHz", "-30"), None if there is none."""
    found = re.match(r"-?\d+", text)
    return int(found[0]) if found else None


def pairs(lines: Iterable[str]) -> dict[str, int]:
    """All `key=number` in some lines."""
    return {key: int(value) for line in lines for key, value in re.findall(r"(\w+)=(-?\d+)\b(?!\.)", line)}
