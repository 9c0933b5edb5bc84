"""The fake Newracom modem keeps the line rules of the firmware: exchanges as the fact sheet has them."""

from __future__ import annotations

import pytest

from meshnode_sim.modem.air import Datagram, ModemAir
from meshnode_sim.modem.newracom import FakeNewracom
from support.modems import air_of


@pytest.fixture
def air() -> ModemAir:
    return air_of(2)


@pytest.fixture
def modem(air: ModemAir) -> FakeNewracom:
    return FakeNewracom(0, air)


def says(modem: FakeNewracom, said: bytes, now: float = 0.0) -> bytes:
    modem.feed(said, now)
    return modem.take()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"AT\r\n", b"OK\r\n"),
        (b"AT\n", b"OK\r\n"),
        (b"AT\r", b""),  # a bare CR does not end a command
        (b"at\r\n", b""),  # lower case gets no answer at all
        (b"AAT\r\n", b""),  # the wrong second byte is lost
        (b"xxAT\r\n", b"OK\r\n"),
        (b"AT+wcountry?\r\n", b'+WCOUNTRY:"US"\r\nOK\r\n'),  # the verb is folded
        (b"AT+NOTHING\r\n", b"ERROR\r\n"),
        (b"AT+WCOUNTRY\r\n", b"ERROR\r\n"),  # an unsupported form
        (b'AT+WCOUNTRY="XX"\r\n', b"+WCOUNTRY:1\r\nERROR\r\n"),
        (b"AT+WCOUNTRY=JP\r\n", b"+WCOUNTRY:1\r\nERROR\r\n"),  # a string without quotes
        (b'AT+WCONN="ha,low"\r\n', b"+WCONN:1\r\nERROR\r\n"),  # commas split inside quotes
        (b'AT+WCONN="ha?low"\r\n', b"ERROR\r\n"),  # a ? makes it the help form
        (b'AT+SOPEN="UDP",007\r\n', b"+SOPEN:1\r\nERROR\r\n"),  # a leading zero
        (b"AT+WCX\x08\x08COUNTRY?\n", b'+WCOUNTRY:"US"\r\nOK\r\n'),  # backspace
        (b"AT" + b"x" * 300 + b"\n", b"ERROR\r\n"),  # cut, not refused for its length
        (b"\r" * 10 + b"AT\r", b"+LINEFEED:0\r\nOK\r\n"),
        (b"ATE1\nAT\n", b"OK\r\nAT\nOK\r\n"),
    ],
)
def test_line_rules(modem: FakeNewracom, sent: bytes, answer: bytes) -> None:
    assert says(modem, sent) == answer


def test_scan_and_join(modem: FakeNewracom) -> None:
    assert says(modem, b"AT+WSCAN\r\n") == (
        b'+WSCAN:"02:00:00:00:00:01",922.5@1,-39,"[WPA2-PSK-CCMP][ESS]","halow"\r\nOK\r\n'
    )
    assert says(modem, b'AT+WCONN="halow","wpa2-psk","secret"\r\n').endswith(b"OK\r\n")
    assert b'"*","connected"' in says(modem, b"AT+WCONN?\r\n")
    assert says(modem, b"AT+WDHCP\r\n").startswith(b'+WDHCP:"192.168.50.1","255.255.255.0","192.168.50.1",86400\r\n')
    assert says(modem, b"ATZ\n") == b""
    assert b'"disconnected"' in says(modem, b"AT+WCONN?\r\n")


def opened(air: ModemAir, index: int) -> FakeNewracom:
    modem = FakeNewracom(index, air)
    for line in (b'AT+WCONN="halow"\n', b"AT+WDHCP\n", b'AT+SOPEN="UDP",5000\n'):
        modem.feed(line, 0.0)
    assert modem.take().endswith(b"+SOPEN:0\r\nOK\r\n")
    return modem


def test_datagrams_are_binary_and_raw(air: ModemAir) -> None:
    left, right = opened(air, 0), opened(air, 1)
    assert says(left, b'AT+SSEND=0,"192.168.50.2",5000,8,1\r\n') == b"OK\r\n"
    assert says(left, b"OK\r\n\xff\x00AT") == b'+SEVENT:"SEND_DONE",0,8\r\n'
    air.advance(5.0)
    assert right.take() == b"+RXD:0,8\r\nOK\r\n\xff\x00AT"
    says(right, b"AT+SRECVINFO=1\n")
    says(left, b'AT+SSEND=0,"192.168.50.2",5000,2\nhi', 6.0)
    air.advance(9.0)
    assert right.take() == b'+RXD:0,2,"192.168.50.1",5000\r\nhi'


def test_passive_mode_says_ok_before_the_block(air: ModemAir) -> None:
    left, right = opened(air, 0), opened(air, 1)
    says(right, b"AT+SRECVMODE=1,1\n")
    says(left, b'AT+SSEND=0,"192.168.50.2",5000,2\nhi')
    air.advance(5.0)
    assert right.take() == b'+SEVENT:"RECV_READY",0,2\r\n'
    assert says(right, b"AT+SRECV=0\r\n") == b"OK\r\n+RXD:0,2\r\nhi"


def test_an_unfinished_transfer_is_left_only_after_the_idle_event(air: ModemAir) -> None:
    modem = opened(air, 0)
    says(modem, b'AT+SSEND=0,"192.168.50.2",5000,100\n', 1.0)
    assert says(modem, b"abcAT\r\n", 1.2) == b"", "before the event it is payload"
    modem.tick(2.0)
    assert modem.take() == b""
    modem.tick(2.3)
    assert modem.take() == b'+SEVENT:"SEND_IDLE",0,0,0,7\r\n'
    assert says(modem, b"AT\r\n", 2.4) == b'OK\r\n+SEVENT:"SEND_EXIT",0,0,0\r\n'
    assert says(modem, b"AT\r\n", 2.5) == b"OK\r\n"


def test_any_other_byte_resumes_the_transfer(air: ModemAir) -> None:
    modem = opened(air, 0)
    says(modem, b'AT+SSEND=0,"192.168.50.2",5000,4,1\nab', 0.0)
    modem.tick(1.5)
    assert b"SEND_IDLE" in modem.take()
    assert says(modem, b"cd", 1.6) == b'+SEVENT:"SEND_DONE",0,4\r\n'


def test_what_a_socket_refuses(air: ModemAir) -> None:
    modem = opened(air, 0)
    assert says(modem, b'AT+SOPEN="UDP",5000\n') == b"+SOPEN:3\r\nERROR\r\n", "one port twice"
    assert says(modem, b'AT+SSEND=0,"192.168.50.2",5000\n') == b"ERROR\r\n", "pass-through without flow control"
    assert says(modem, b'AT+SSEND=5,"192.168.50.2",5000,3\n') == b"+SSEND:1\r\nERROR\r\n"
    for group in range(3):
        assert says(modem, f'AT+SMCAST=0,"add","239.0.0.{group}"\n'.encode()) == b"OK\r\n"
    assert says(modem, b'AT+SMCAST=0,"add","239.0.0.9"\n') == b"+SMCAST:5\r\nERROR\r\n"
    assert says(modem, b'AT+SSEND=0,"10.0.0.1",5000,2\nhi') == b'OK\r\n+SEVENT:"SEND_DROP",0,2\r\n'


def test_a_group_reaches_only_members(air: ModemAir) -> None:
    left, right = opened(air, 0), opened(air, 1)
    air.send(0, Datagram("192.168.50.1", 5000, "239.0.0.1", 5000, b"x"), 0.0)
    air.advance(5.0)
    assert right.take() == b""
    says(right, b'AT+SMCAST=0,"add","239.0.0.1"\n')
    air.send(0, Datagram("192.168.50.1", 5000, "239.0.0.1", 5000, b"x"), 6.0)
    air.advance(9.0)
    assert right.take() == b"+RXD:0,1\r\nx"
    assert left.take() == b""
