"""Layouts of what neighbours say of themselves: hello, beacon, fragments."""

from __future__ import annotations

from meshnode.core.ids import NodeKey
from meshnode.core.wire.fields import at_least, exactly, put_changes, take_changes
from meshnode.core.wire.frames import Beacon, BridgeNews, Date, Echo, Fragment, FragmentWant, Hello
from meshnode.core.wire.limits import MAX_CHANGES, MAX_ECHOES, MAX_FRAGMENTS
from meshnode.errors import WireError

BEACON = 0x02


def put_hello(frame: Hello) -> bytes:
    return b"\x01" + frame.node + frame.exchange + frame.epoch.to_bytes(3, "big") + frame.signature


def take_hello(body: bytes) -> Hello:
    exactly(body, 131)
    return Hello(NodeKey(body[:32]), body[32:64], int.from_bytes(body[64:67], "big"), body[67:])


def put_beacon(frame: Beacon) -> bytes:
    head = bytes((BEACON, frame.oldest << 4 | frame.newest, frame.flags))
    counts = bytes((len(frame.echoes) << 4 | len(frame.changes),))
    echoes = b"".join([echo.neighbour + echo.nonce for echo in frame.echoes])
    return head + frame.frontier + frame.envelopes + counts + echoes + put_changes(frame.changes)


def take_beacon(body: bytes) -> Beacon:
    echoes, changes = body[14] >> 4, body[14] & 0x0F
    middle = 15 + 4 * echoes
    end = middle + 7 * changes
    if echoes > MAX_ECHOES or changes > MAX_CHANGES:
        raise WireError("a beacon has too many echoes or changes")
    at_least(body, end)
    return Beacon(
        body[0] >> 4, body[0] & 0x0F, body[1], body[2:10], body[10:14],
        tuple([Echo(body[at : at + 2], body[at + 2 : at + 4]) for at in range(15, middle, 4)]),
        take_changes(body, range(middle, end, 7)),
    )  # fmt: skip


def put_fragment(frame: Fragment) -> bytes:
    return b"\x07" + frame.item + bytes((frame.index, frame.count)) + frame.data


def take_fragment(body: bytes) -> Fragment:
    index, count = body[8], body[9]
    if not 0 < count <= MAX_FRAGMENTS or index >= count or len(body) == 10:
        raise WireError("a fragment has an impossible number or no bytes")
    return Fragment(body[:8], index, count, body[10:])


def put_fragment_want(frame: FragmentWant) -> bytes:
    return b"\x08" + frame.item + frame.missing.to_bytes(2, "big")


def take_fragment_want(body: bytes) -> FragmentWant:
    exactly(body, 10)
    return FragmentWant(body[:8], int.from_bytes(body[8:], "big"))


def put_date(frame: Date) -> bytes:
    return b"\x0f" + frame.asked + frame.seconds.to_bytes(4, "big") + frame.error_s.to_bytes(2, "big")


def take_date(body: bytes) -> Date:
    exactly(body, 8)
    return Date(body[:2], int.from_bytes(body[2:6], "big"), int.from_bytes(body[6:], "big"))


def put_bridge_news(frame: BridgeNews) -> bytes:
    numbers = ((frame.number, 4), (frame.state, 1), (frame.minutes, 2))
    ends = ((frame.sent_left, 3), (frame.received_left, 3), (frame.hops, 1))
    return b"\x12" + frame.bridge + frame.uplink + b"".join(n.to_bytes(size, "big") for n, size in numbers + ends)


def take_bridge_news(body: bytes) -> BridgeNews:
    exactly(body, 26)
    fields = ((12, 16), (16, 17), (17, 19), (19, 22), (22, 25), (25, 26))
    return BridgeNews(body[:6], body[6:12], *(int.from_bytes(body[at:end], "big") for at, end in fields))
