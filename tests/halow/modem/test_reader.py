"""Lines, binary packets and noise, however the bytes arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshnode.board.dialect import dialect
from meshnode.halow.modem.reader import Line, Noise, Packet, Piece, Reader

NEWRACOM = dialect("newracom")


def pieces(*chunks: bytes) -> list[Piece]:
    reader = Reader(NEWRACOM)
    return [piece for chunk in chunks for piece in reader.feed_untrusted(chunk)]


def test_a_block_may_hold_line_ends_and_ok() -> None:
    said = b'OK\r\n+RXD:0,6,"192.168.50.2",5000\r\nOK\r\nAT+WEVENT:"X"\r\n'
    wanted = [Line("OK"), Packet('+RXD:0,6,"192.168.50.2",5000', b"OK\r\nAT"), Line('+WEVENT:"X"')]
    assert pieces(said) == wanted
    assert pieces(*(bytes([byte]) for byte in said)) == wanted


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
def test_every_payload_comes_back_in_any_cutting(payloads: list[bytes], step: int) -> None:
    said = b"".join(b'+RXD:1,%d,"10.0.0.1",9\r\n%s' % (len(each), each) for each in payloads)
    found = pieces(*(said[at : at + step] for at in range(0, len(said), step)))
    assert [piece.payload for piece in found if isinstance(piece, Packet)] == payloads
    assert len(found) == len(payloads)


def test_what_is_no_text_is_noise() -> None:
    assert pieces(b"\xd2\xd6\x9d\x97\n") == [Noise(4)]
    assert pieces(b"x" * 2000) == [Noise(2000)]
    assert pieces('+WCONN:"Hütte"\r\n'.encode()) == [Line('+WCONN:"Hütte"')]


def test_a_length_that_cannot_be_is_a_line() -> None:
    assert pieces(b"+RXD:0,99999\r\n", b"+RXD:0\r\n", b"+RXD:0,-1\r\n") == [
        Line("+RXD:0,99999"), Line("+RXD:0"), Line("+RXD:0,-1"),
    ]  # fmt: skip


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_noise_never_raises(chunks: list[bytes]) -> None:
    pieces(*chunks)
