"""A peering that was added: it is tried at once, and what is wrong is said in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import trio

from meshnode.daemon.peerings import PATIENCE_S, explained, tried
from support.daemon_fakes import FakeOverlay

URI = "tls://far.example:9001"


class Slow(FakeOverlay):
    """An overlay that tells one row after the other."""

    def __init__(self, *rows: Mapping[str, object]) -> None:
        self.rows = list(rows)

    def status(self) -> Mapping[str, object]:
        row = self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]
        return {"peers": [{"uri": URI, "inbound": False, "up": False, "last_error": "", **row}]}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"last_error": "not added yet"}, {}, {"up": True}], "is up, and kept"),
        ([{}, {"last_error": "Connection refused"}], "nothing listens there"),
        ([{}], "there is no answer yet"),
        ([{"inbound": True, "up": True}], "there is no answer yet"),
    ],
)
async def test_it_is_looked_at_until_something_is_known(
    rows: Sequence[Mapping[str, object]], said: str, autojump_clock: trio.testing.MockClock
) -> None:
    began = trio.current_time()
    assert said in await tried(f"{URI}?password=secret", Slow(*rows))
    assert trio.current_time() - began <= PATIENCE_S


async def test_a_password_is_not_said_aloud(autojump_clock: trio.testing.MockClock) -> None:
    assert "secret" not in await tried(f"{URI}?password=secret", Slow({"up": True}))


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ("[Errno -2] Name or service not known", "name is not found"),
        ("dial tcp: lookup nowhere.invalid: no such host", "name is not found"),
        ("Connection refused", "nothing listens"),
        ("dial tcp 192.0.2.1:1: connect: network is unreachable", "has this box an uplink"),
        ("no answer", "firewall"),
        ("dial tcp 192.0.2.1:1: i/o timeout", "firewall"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "does not speak TLS"),
        ("the other side has a key that is not allowed", "another key"),
        ("the other side speaks another version of the protocol", "another version"),
        ("the other side closed the connection instead of introducing itself", "password"),
        ("handshake failed: EOF", "password"),
        ("peer has no suitable addresses", "on the overlay itself"),
        ("no WebSocket there (HTTP 404)", "check the path"),
        ("the proxy wants another name or password", "socks://name:password@proxy"),
        ("the proxy does not speak SOCKS5", "no SOCKS5 proxy"),
        ("the proxy hung up", "no SOCKS5 proxy"),
        ("the proxy says: connection refused", "nothing listens there"),
        ("peering over quic needs yggdrasil-go", "install yggdrasil"),
    ],
)
def test_each_kind_of_error_is_explained_and_quoted(error: str, part: str) -> None:
    said = explained(error)
    assert part in said
    assert error in said


def test_an_error_nobody_foresaw_is_quoted() -> None:
    assert explained("the moon is full") == "the moon is full"
