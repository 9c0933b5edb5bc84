"""Layouts that only sessions use: reconciliation, heads, and the end of an exchange."""

from __future__ import annotations

from meshnode.core.chain.frontier import ELEMENT_SIZE, HANDLE_SIZE, Element, take_mark
from meshnode.core.chain.reconcile import ANSWERED, FINGERPRINT, FINGERPRINT_SIZE, LISTED, Range
from meshnode.core.chain.varint import put_varint, take_varint
from meshnode.core.ids import LOG_ID_SIZE, EnvelopeId, LogId
from meshnode.core.wire.fields import at_least, exactly, rows
from meshnode.core.wire.frames import Done, Elements, Heads, Ranges, SessionBeacon, Took
from meshnode.errors import WireError


def put_ranges(frame: Ranges) -> bytes:
    out = bytearray(b"\x20" + frame.nonce)
    for one in frame.ranges:
        out.append(one.mode << 4 | len(one.upper))
        out += one.upper
        if one.mode == FINGERPRINT:
            out += one.fingerprint
        elif one.mode in (LISTED, ANSWERED):
            put_varint(out, len(one.elements))
            out += b"".join(one.elements)
    return bytes(out)


def take_ranges(body: bytes) -> Ranges:
    at_least(body, 4)
    ranges: list[Range] = []
    at = 4
    while at < len(body):
        one, at = take_range(body, at)
        if at > len(body):
            raise WireError("a range ends too early")
        ranges.append(one)
    return Ranges(body[:4], tuple(ranges))


def take_range(body: bytes, at: int) -> tuple[Range, int]:
    mode, size = body[at] >> 4, body[at] & 0x0F
    if mode > ANSWERED or size > ELEMENT_SIZE:
        raise WireError("a range of unknown mode or bound")
    upper, at = body[at + 1 : at + 1 + size], at + 1 + size
    if mode == FINGERPRINT:
        return Range(upper, mode, body[at : at + FINGERPRINT_SIZE]), at + FINGERPRINT_SIZE
    if mode not in (LISTED, ANSWERED):
        return Range(upper, mode), at
    count, at = take_varint(body, at)
    end = at + ELEMENT_SIZE * count
    if end > len(body):
        raise WireError("a range ends too early")
    return Range(upper, mode, b"", tuple(body[one : one + 8] for one in range(at, end, 8))), end


def put_elements(frame: Elements) -> bytes:
    return b"\x21" + frame.nonce + b"".join(frame.handles)


def take_elements(body: bytes) -> Elements:
    at_least(body, 4)
    return Elements(body[:4], tuple(body[at : at + HANDLE_SIZE] for at in rows(body, HANDLE_SIZE, 4)))


def put_heads(frame: Heads) -> bytes:
    return b"\x22" + b"".join(element.encode() for element in frame.heads)


def take_heads(body: bytes) -> Heads:
    starts = rows(body, LOG_ID_SIZE + 3)
    return Heads(
        tuple(
            Element(LogId(body[at : at + LOG_ID_SIZE]), *take_mark(body[at + LOG_ID_SIZE : at + 55])) for at in starts
        )
    )


def put_done(frame: Done) -> bytes:
    return b"\x23" + frame.frontier


def take_done(body: bytes) -> Done:
    exactly(body, 8)
    return Done(body)


def put_took(frame: Took) -> bytes:
    return b"\x24" + b"".join(frame.envelopes)


def take_took(body: bytes) -> Took:
    return Took(tuple(EnvelopeId(body[at : at + 16]) for at in rows(body, 16)))


def put_session_beacon(frame: SessionBeacon) -> bytes:
    return b"\x25" + frame.frontier + frame.envelopes


def take_session_beacon(body: bytes) -> SessionBeacon:
    exactly(body, 12)
    return SessionBeacon(body[:8], body[8:])
