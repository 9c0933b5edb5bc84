"""Through a SOCKS5 proxy: a small one of our own leads to an engine, and others refuse in their ways."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair

from meshnode.errors import LinkError, UsageError
from meshnode.overlay.embedded.host.socks import Beyond, ask_proxy
from meshnode.overlay.embedded.host.streams import target_of
from meshnode.overlay.uris import parse_peer_uri


async def asked(beyond: Beyond, answers: bytes) -> tuple[bytes, bytes]:
    """What a proxy that answers so is told, and what is left for the far side."""
    here, there = memory_stream_pair()
    await there.send_all(answers)
    await there.send_eof()
    await ask_proxy(here, beyond)
    await here.send_eof()
    said = b"".join([part async for part in there])
    return said, b"".join([part async for part in here])


# RFC 1928: greeting, request, and replies with each kind of address; what follows is the far side's.
@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", b"\x01\xc0\0\x02\x01"), ("::1", b"\x04" + bytes(15) + b"\x01"), ("far.onion", b"\x03\x09far.onion")],
)
@pytest.mark.parametrize("bound", [b"\x01" + bytes(6), b"\x04" + bytes(18), b"\x03\x02hi\0\0"])
async def test_the_far_side_is_asked_for_and_nothing_of_it_is_taken(host: str, address: bytes, bound: bytes) -> None:
    said, left = await asked(Beyond(host, 9001), b"\x05\0\x05\0\0" + bound + b"meta")
    assert said == b"\x05\x01\0\x05\x01\0" + address + b"\x23\x29"
    assert left == b"meta"


async def test_a_name_and_a_password_are_given_where_the_uri_has_them() -> None:
    target = target_of(parse_peer_uri("socks://ada%40home:pass@127.0.0.1:1080/far:9001"))
    assert (target.host, target.port, target.scheme) == ("127.0.0.1", 1080, "socks")
    said, _ = await asked(target.beyond, b"\x05\x02\x01\0\x05\0\0\x01" + bytes(6))
    assert said.startswith(b"\x05\x01\x02\x01\x08ada@home\x04pass\x05\x01\0\x03\x03far")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (b"HTTP/1.1 400", "SOCKS5"),
        (b"\x05\xff", "name or password"),
        (b"\x05\x02", "name or password"),
        (b"\x05\0\x04\0\0\x01", "SOCKS5"),
        (b"\x05\0\x05\x05\0\x01", "connection refused"),
        (b"\x05\0\x05\x63\0\x01", "error 99"),
        (b"\x05\0\x05\0\0\x09", "SOCKS5"),
        (b"\x05\0\x05\0\0\x01\0", "hung up"),
        (b"", "hung up"),
    ],
)
async def test_a_proxy_that_refuses_says_why(answers: bytes, why: str) -> None:
    with pytest.raises(LinkError, match=why):
        await asked(Beyond("far", 1), answers)


async def test_a_wrong_password_is_said() -> None:
    with pytest.raises(LinkError, match="name or password"):
        await asked(Beyond("far", 1, "ada", "x"), b"\x05\x02\x01\x01")


def test_what_a_proxy_cannot_be_told_is_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        target_of(parse_peer_uri(f"socks://{'a' * 300}:b@h:1/far:1"))


@given(st.binary(max_size=40))
def test_noise_is_a_way_or_a_link_error(noise: bytes) -> None:
    try:
        trio.run(asked, Beyond("far", 1), noise)
    except LinkError:
        pass
