"""A fake Newracom AT modem (NRC7394 stand-alone firmware 1.3.6): lines, sockets and data modes as in its source.

    searching --"A" then "T"--> in a line --LF--> answered, searching | AT+SSEND: data mode
    data mode --all bytes came, or "AT" after SEND_IDLE--> searching

What its traps are stands in hardware/modems/newracom.toml; the names of the tests say which is meant where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshnode_sim.modem.air import Datagram, ModemAir, address_of, is_group

LINE_LIMIT = 128
MOST_BYTES = 4096
MOST_PARAMETERS = 10
IDLE_S = 1.0
SOCKETS, GROUPS = 8, 3
CR_SWITCH = 10
INVALID, FAILED, NO_MEMORY = 1, 3, 5
COUNTRIES = ("US", "JP", "K1", "K2", "T8", "T9", "EU", "CN", "NZ", "AU", "S8", "S9")


class RefusalError(Exception):
    """A command that fails with a code of the table; 0 is a bare ERROR."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Socket:
    port: int
    groups: set[str] = field(default_factory=set)
    waiting: list[Datagram] = field(default_factory=list)


@dataclass(slots=True)
class _Sending:
    """Data mode: bytes are payload until all are there; `length` 0 or less is pass-through."""

    socket: int
    host: str
    port: int
    length: int
    tell_done: bool
    buffer: bytearray = field(default_factory=bytearray)
    done: int = 0
    last_at: float = 0.0
    idle: bool = False
    leaving: bytearray = field(default_factory=bytearray)  # what came since the idle event


class FakeNewracom:
    """One modem. `feed` what the host writes; `take` what it would read."""

    def __init__(self, index: int, air: ModemAir, *, flow_control: bool = False, network: str = "halow") -> None:
        self.index = index
        self.network = network
        self.echo = False
        self.passive = False
        self.tell_sender = False
        self.country = "US"
        self.address = ("0.0.0.0", "0.0.0.0", "0.0.0.0")
        self.state = "disconnected"
        self._air = air
        self._flow = flow_control
        self._out = bytearray()
        self._line = bytearray()
        self._found = 0  # how much of "AT" was seen
        self._returns = 0
        self._cr_ends = False
        self._sockets: dict[int, _Socket] = {}
        self._sending: _Sending | None = None
        self._commands = self._table()
        air.join(index, self._receive)

    # ---------------------------------------------------------------- the serial line

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the host."""
        for byte in data:
            if self._sending is not None:
                self._data(byte, now)
                continue
            if self.echo:
                self._out.append(byte)
            self._character(byte, now)

    def take(self) -> bytes:
        """Everything said since the last call."""
        said = bytes(self._out)
        self._out.clear()
        return said

    def tick(self, now: float) -> None:
        """Time has passed: an unfinished transfer falls idle."""
        sending = self._sending
        if sending is not None and not sending.idle and now >= sending.last_at + IDLE_S:
            sending.idle = True
            waiting = len(sending.buffer)
            self._say(f'+SEVENT:"SEND_IDLE",{sending.socket},{sending.done},0,{waiting}')

    def next_at(self) -> float | None:
        """When `tick` has something to do."""
        sending = self._sending
        return None if sending is None or sending.idle else sending.last_at + IDLE_S

    def event(self, line: str) -> None:
        """Say an asynchronous line, as when a link is lost."""
        self._say(line)

    def _character(self, byte: int, now: float) -> None:
        self._count_returns(byte)
        if self._found < 2:
            # A wrong second byte resets the search and is lost itself, so "AAT" is never seen.
            self._found = self._found + 1 if byte == b"AT"[self._found] else 0
            self._line.clear()
        elif byte == 0x0A or (byte == 0x0D and self._cr_ends):
            self._found = 0
            self._command(self._line.decode("latin-1"), now)
        elif byte == 0x08:
            del self._line[-1:]
        elif byte != 0x0D:
            if len(self._line) + 2 >= LINE_LIMIT:
                del self._line[-1:]  # further bytes overwrite the last one
            self._line.append(byte)

    def _count_returns(self, byte: int) -> None:
        self._returns = self._returns + 1 if byte == 0x0D else 0
        if self._returns == CR_SWITCH and not self._cr_ends:
            self._cr_ends = True
            self._say("+LINEFEED:0")

    def _say(self, line: str) -> None:
        self._out += line.encode("latin-1") + b"\r\n"

    # ---------------------------------------------------------------- commands

    def _command(self, text: str, now: float) -> None:
        try:
            name = self._run(text, now)
        except RefusalError as refusal:
            if refusal.code:
                self._say(f"+{_verb(text)}:{refusal.code}")
            self._say("ERROR")
            return
        if name != "silent":
            self._say("OK")
        if name == "SRECV":
            self._flush_waiting(text)

    def _run(self, text: str, now: float) -> str:
        if text in ("", "E", "E0", "E1", "H", "H0", "H1"):
            if text.startswith("E"):
                self.echo = not self.echo if text == "E" else text == "E1"
            return ""
        if text == "Z":
            self._reset()
            return "silent"
        if not text.startswith("+"):
            raise RefusalError(0)
        verb, form, parameters = _parsed(text)
        handler = self._commands.get((verb, form))
        if handler is None:
            raise RefusalError(0)
        handler(parameters, now)
        return verb

    def _table(self) -> dict[tuple[str, str], Callable[[list[str], float], None]]:
        return {
            ("VER", "get"): lambda *_: self._say('+VER:"1.26.22","1.3.6"'),
            ("WMACADDR", "get"): lambda *_: self._say(f'+WMACADDR:"02:00:00:00:00:{self.index + 1:02x}"'),
            ("WCOUNTRY", "get"): lambda *_: self._say(f'+WCOUNTRY:"{self.country}"'),
            ("WCOUNTRY", "set"): self._set_country,
            ("WRXSIG", "get"): lambda *_: self._say("+WRXSIG:-61,28"),
            ("WMCS", "get"): lambda *_: self._say("+WMCS:2,2,2,2"),
            ("WSCAN", "run"): lambda *_: self._say(
                f'+WSCAN:"02:00:00:00:00:01",922.5@1,-39,"[WPA2-PSK-CCMP][ESS]","{self.network}"'
            ),
            ("WCONN", "set"): self._connect,
            ("WCONN", "get"): lambda *_: self._say(
                f'+WCONN:"{self.network}","02:00:00:00:00:01","wpa2-psk","*","{self.state}"'
            ),
            ("WDISCONN", "run"): self._disconnect,
            ("WDHCP", "run"): self._dhcp,
            ("WIPADDR", "get"): lambda *_: self._say("+WIPADDR:" + ",".join(f'"{part}"' for part in self.address)),
            ("WIPADDR", "set"): self._set_address,
            ("SOPEN", "set"): self._open,
            ("SCLOSE", "set"): self._close,
            ("SCLOSE", "run"): self._close_all,
            ("SLIST", "get"): self._list,
            ("SSEND", "set"): self._send,
            ("SRECVMODE", "set"): self._receive_mode,
            ("SRECVINFO", "set"): self._sender_info,
            ("SRECV", "set"): self._fetch,
            ("SMCAST", "set"): self._group,
        }

    def _set_country(self, parameters: list[str], now: float) -> None:
        if _text(parameters[0]) not in COUNTRIES:
            raise RefusalError(INVALID)
        self.country = _text(parameters[0])

    def _connect(self, parameters: list[str], now: float) -> None:
        if _text(parameters[0]) != self.network:
            raise RefusalError(FAILED)
        security = _text(parameters[1]) if len(parameters) > 1 else "open"
        if security not in ("open", "wpa2-psk", "wpa3-owe", "wpa3-sae"):
            raise RefusalError(INVALID)
        self.state = "connected"
        self._say(f'+WEVENT:"CONNECT_SUCCESS","02:00:00:00:00:01","{self.network}","{security}"')

    def _disconnect(self, parameters: list[str], now: float) -> None:
        self.state = "disconnected"

    def _dhcp(self, parameters: list[str], now: float) -> None:
        if self.state != "connected":
            raise RefusalError(FAILED)
        self.address = (address_of(self.index), "255.255.255.0", "192.168.50.1")
        self._say("+WDHCP:" + ",".join(f'"{part}"' for part in self.address) + ",86400")

    def _set_address(self, parameters: list[str], now: float) -> None:
        if len(parameters) != 3:
            raise RefusalError(INVALID)
        self.address = (_text(parameters[0]), _text(parameters[1]), _text(parameters[2]))

    # ---------------------------------------------------------------- sockets

    def _open(self, parameters: list[str], now: float) -> None:
        port = _integer(parameters[1]) if len(parameters) > 1 else 0
        if _text(parameters[0]) != "UDP" or any(one.port == port for one in self._sockets.values()):
            raise RefusalError(FAILED)
        free = next((number for number in range(SOCKETS) if number not in self._sockets), None)
        if free is None:
            raise RefusalError(NO_MEMORY)
        self._sockets[free] = _Socket(port)
        self._say(f"+SOPEN:{free}")

    def _close(self, parameters: list[str], now: float) -> None:
        self._socket(parameters[0])
        self._shut(_integer(parameters[0]))

    def _close_all(self, parameters: list[str], now: float) -> None:
        for number in list(self._sockets):
            self._shut(number)

    def _fetch(self, parameters: list[str], now: float) -> None:
        self._socket(parameters[0])  # OK comes first, then what waits

    def _shut(self, number: int) -> None:
        del self._sockets[number]
        self._say(f"+SCLOSE:{number}")

    def _list(self, parameters: list[str], now: float) -> None:
        for number, one in self._sockets.items():
            self._say(f'+SLIST:{number},"UDP","0.0.0.0",0,{one.port}')

    def _group(self, parameters: list[str], now: float) -> None:
        socket = self._socket(parameters[0])
        what, group = _text(parameters[1]), _text(parameters[2])
        if what == "add" and len(socket.groups) >= GROUPS:
            raise RefusalError(NO_MEMORY)
        (socket.groups.add if what == "add" else socket.groups.discard)(group)

    def _receive_mode(self, parameters: list[str], now: float) -> None:
        self.passive = _integer(parameters[0]) == 1

    def _sender_info(self, parameters: list[str], now: float) -> None:
        self.tell_sender = _integer(parameters[0]) == 1

    def _send(self, parameters: list[str], now: float) -> None:
        if len(parameters) < 3:
            raise RefusalError(INVALID)
        self._socket(parameters[0])
        length = int(parameters[3]) if len(parameters) > 3 else 0
        if length > MOST_BYTES:
            raise RefusalError(INVALID)
        if length <= 0 and not self._flow:
            raise RefusalError(0)  # pass-through needs flow control
        done = len(parameters) > 4 and parameters[4] == "1"
        self._sending = _Sending(
            _integer(parameters[0]), _text(parameters[1]), _integer(parameters[2]), length, done, last_at=now
        )

    def _socket(self, number: str) -> _Socket:
        found = self._sockets.get(_integer(number))
        if found is None:
            raise RefusalError(INVALID)
        return found

    # ---------------------------------------------------------------- data

    def _data(self, byte: int, now: float) -> None:
        sending = self._sending
        if sending is None:
            return
        sending.last_at = now
        if sending.idle and self._may_leave(sending, byte):
            return
        sending.buffer.append(byte)
        sending.idle = False
        if sending.length > 0 and len(sending.buffer) >= sending.length:
            self._sending = None
            self._transmit(sending, bytes(sending.buffer), now)
            if sending.tell_done:
                self._say(f'+SEVENT:"SEND_DONE",{sending.socket},{sending.length}')

    def _may_leave(self, sending: _Sending, byte: int) -> bool:
        """After the idle event AT CR LF means "leave"; any other byte goes on with the transfer."""
        sending.leaving.append(byte)
        so_far = bytes(sending.leaving).replace(b"\r", b"")
        if so_far == b"AT\n":
            self._leave(sending)
        elif not b"AT\n".startswith(so_far):
            sending.buffer += sending.leaving[:-1]
            sending.leaving.clear()
            return False
        return True

    def _leave(self, sending: _Sending) -> None:
        self._sending = None
        self._say("OK")
        self._say(f'+SEVENT:"SEND_EXIT",{sending.socket},{sending.done},0')

    def _transmit(self, sending: _Sending, payload: bytes, now: float) -> None:
        port = self._sockets[sending.socket].port
        datagram = Datagram(self.address[0], port, sending.host, sending.port, payload)
        if not self._air.send(self.index, datagram, now):
            self._say(f'+SEVENT:"SEND_DROP",{sending.socket},{len(payload)}')

    def _receive(self, datagram: Datagram, now: float) -> None:
        """A datagram from the air, to the socket of its port."""
        for number, socket in self._sockets.items():
            wanted = not is_group(datagram.host) or datagram.host in socket.groups or datagram.host.endswith(".255")
            if socket.port == datagram.port and wanted:
                if self.passive:
                    socket.waiting.append(datagram)
                    self._say(f'+SEVENT:"RECV_READY",{number},{len(datagram.payload)}')
                else:
                    self._deliver(number, datagram)

    def _deliver(self, number: int, datagram: Datagram) -> None:
        sender = f',"{datagram.source}",{datagram.source_port}' if self.tell_sender else ""
        self._out += f"+RXD:{number},{len(datagram.payload)}{sender}\r\n".encode() + datagram.payload

    def _flush_waiting(self, text: str) -> None:
        number = int(_parsed(text)[2][0])
        waiting = self._sockets[number].waiting
        for datagram in waiting:
            self._deliver(number, datagram)
        waiting.clear()

    def _reset(self) -> None:
        self._sockets.clear()
        self._line.clear()
        self._found, self._returns, self._cr_ends = 0, 0, False
        self.echo = self.passive = self.tell_sender = False
        self.state, self.address = "disconnected", ("0.0.0.0", "0.0.0.0", "0.0.0.0")


def _parsed(text: str) -> tuple[str, str, list[str]]:
    """Verb in upper case, form, and the parameters split at every comma: quotes do not protect it."""
    body = text[1:]
    verb, equals, rest = body.partition("=")
    if not equals:
        return (verb[:-1].upper(), "get", []) if verb.endswith("?") else (verb.upper(), "run", [])
    parameters = rest.split(",")
    if len(parameters) > MOST_PARAMETERS:
        raise RefusalError(INVALID)
    if verb.endswith("?"):
        return verb[:-1].upper(), "get", parameters
    return verb.upper(), "help" if "?" in parameters[0] else "set", parameters


def _verb(text: str) -> str:
    return text[1:].partition("=")[0].rstrip("?").upper()


def _text(parameter: str) -> str:
    """A string must begin and end with a double quote; there are no escapes."""
    if len(parameter) < 2 or parameter[0] != '"' or parameter[-1] != '"':
        raise RefusalError(INVALID)
    return parameter[1:-1]


def _integer(parameter: str) -> int:
    """Strict decimal: no sign, no leading zero, no blanks."""
    if not parameter.isascii() or not parameter.isdigit() or (len(parameter) > 1 and parameter[0] == "0"):
        raise RefusalError(INVALID)
    return int(parameter)
