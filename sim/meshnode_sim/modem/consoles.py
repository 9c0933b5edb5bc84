"""Fake consoles of Taixin and Warthog modems: state and settings, free text between; they carry no datagrams."""

from __future__ import annotations

from collections.abc import Callable

STATISTICS_S = 5.0
WARTHOG_LIMIT = 191


class FakeTaixin:
    """TXW8301 on its UART: case-insensitive, CR LF, statistics as free text until told to be quiet."""

    def __init__(self) -> None:
        self.values = {
            "MODE": "sta", "SSID": "halow", "PSK": "0" * 64, "KEYMGMT": "WPA-PSK", "BSS_BW": "8MHz", "RSSI": "-30",
            "CHAN_LIST": "9080,9240", "FREQ_RANGE": "9080-9240", "TXPOWER": "20dbm", "ACKTMO": "0", "TX_MCS": "255",
            "VERSION": "2.2.1", "MAC_ADDR": "02:00:00:00:00:01",
        }  # fmt: skip
        self.connected = True
        self.quiet = False
        self._line = bytearray()
        self._out = bytearray()
        self._next = STATISTICS_S

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the host."""
        for byte in data:
            if byte == 0x0A:
                self._command(self._line.decode("latin-1").strip())
                self._line.clear()
            elif byte != 0x0D:
                self._line.append(byte)

    def take(self) -> bytes:
        """Everything said since the last call."""
        said = bytes(self._out)
        self._out.clear()
        return said

    def tick(self, now: float) -> None:
        """Statistics come every few seconds, whatever is going on."""
        if now >= self._next:
            self._next = now + STATISTICS_S
            if not self.quiet:
                self._say("LMAC: tx 120 rx 98 evm -28")

    def next_at(self) -> float | None:
        """When the next statistics are due."""
        return None if self.quiet else self._next

    def event(self, line: str) -> None:
        """Say free text, as "PAIR SUCCESS"."""
        self._say(line)

    def _say(self, line: str) -> None:
        self._out += line.encode("latin-1") + b"\r\n"

    def _command(self, line: str) -> None:
        upper = line.upper()
        if upper in ("", "AT"):
            self._out += b"OK\r\n" if upper else b""
        elif upper == "AT+CONN_STATE":
            self._say("+CONNECTED" if self.connected else "+DISCONNECT")
            self._say("OK")
        elif upper == "AT+SYSDBG=LMAC,0":
            self.quiet = True
            self._say("OK")
        elif upper.startswith("AT+") and upper.endswith("?") and upper[3:-1] in self.values:
            self._say(f"+{upper[3:-1]}:{self.values[upper[3:-1]]}")
            self._say("OK")
        elif upper.startswith("AT+") and "=" in upper and upper[3:].partition("=")[0] in self.values:
            self.values[upper[3:].partition("=")[0]] = line.partition("=")[2]
            self._say(f"set new {upper[3:].partition('=')[0].lower()}")
            self._say("OK")
        else:
            self._say("ERROR")


class FakeWarthog:
    """The console of a Warthog: echo on, a greeting, lines of at most 191 characters."""

    def __init__(self, later_build: bool = False) -> None:
        self._line = bytearray()
        self._too_long = False
        self._out = bytearray(b"\r\n+READY: warthog AT interface\r\nOK\r\n")
        self.settings: dict[str, str] = {}
        self._answers: dict[str, Callable[[], list[str]]] = {
            "AT+VERSION?": lambda: ["+VERSION: warthog 2026-08"],
            "AT+STATUS?": lambda: [
                "+HALOW: ip=10.77.0.1 gw=10.77.0.254", "+USB: ip=192.168.7.1 mounted=1", "+AP: ip=192.168.4.1",
                "+DNS: 10.77.0.254",
            ],
            "AT+MTU?": lambda: ["+MTU: 1500"],
            "AT+DATASTAT?": lambda: ["+DATASTAT: tx=12 rx=9", "drop=0"],
        }  # fmt: skip
        self._settable = {"AT+HALOW", "AT+WIFIAP", "AT+DNS"} | ({"AT+MESHID"} if later_build else set())

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the host, and echo them."""
        for byte in data:
            self._out.append(byte)
            if byte in (0x0A, 0x0D):
                self._end()
            elif byte == 0x08:
                del self._line[-1:]
            elif len(self._line) >= WARTHOG_LIMIT:
                self._too_long = True
            else:
                self._line.append(byte)

    def take(self) -> bytes:
        """Everything said since the last call."""
        said = bytes(self._out)
        self._out.clear()
        return said

    def tick(self, now: float) -> None:
        """Nothing happens by itself."""

    def next_at(self) -> float | None:
        """Nothing happens by itself."""
        return None

    def event(self, line: str) -> None:
        """Say a line by itself."""
        self._say(line)

    def _end(self) -> None:
        line, self._line = self._line.decode("latin-1"), bytearray()
        too_long, self._too_long = self._too_long, False
        if too_long:
            self._fail("line too long")
        elif line:
            self._command(line)

    def _command(self, line: str) -> None:
        verb, equals, value = line.partition("=")
        verb = verb.upper()
        if verb == "AT":
            self._say("OK")
        elif verb in self._answers and not equals:
            for answer in self._answers[verb]():
                self._say(answer)
            self._say("OK")
        elif verb in self._settable and equals:
            self.settings[verb] = value
            self._say("OK")
        else:
            self._fail("unknown command")

    def _fail(self, reason: str) -> None:
        self._say(f"+ERR: {reason}")
        self._say("ERROR")

    def _say(self, line: str) -> None:
        self._out += line.encode("latin-1") + b"\r\n"
