"""Peering URIs, and the book that keeps them."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import OverlayError, UsageError
from meshnode.overlay.peers import PeerBook
from meshnode.overlay.uris import PeerUri, parse_peer_uri


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("tls://192.0.2.7:443", PeerUri("tls://192.0.2.7:443", "", "")),
        ("tcp://[2001:db8::1]:9/?key=ab", PeerUri("tcp://[2001:db8::1]:9", "key=ab", "")),
        ("quic://h.example:1?priority=3&password=x", PeerUri("quic://h.example:1", "priority=3&password=x", "")),
        ("tls://[fe80::1%25wlan1]:9", PeerUri("tls://[fe80::1]:9", "", "wlan1")),
        ("tls://[fe80::1%wlan1]:9", PeerUri("tls://[fe80::1]:9", "", "wlan1")),
        ("wss://h.example/path", PeerUri("wss://h.example/path", "", "")),
        ("socks://proxy:1080/host:9", PeerUri("socks://proxy:1080/host:9", "", "")),
        (
            "sockstls://a%40b:c@proxy:1080/[2001:db8::1]:9",
            PeerUri("sockstls://a%40b:c@proxy:1080/[2001:db8::1]:9", "", ""),
        ),
        ("unix:///run/y.sock", PeerUri("unix:///run/y.sock", "", "")),
    ],
)
def test_peering_uris(text, peer):
    assert parse_peer_uri(text) == peer


@pytest.mark.parametrize(
    "text", ["", "host:1", "tls://host", "tls://:1", "tls://h:x", "tls://h:99999", "http://h:1", "tls://h:1 x", "tls://h:1?x",
             "tls://[fe80::1:9", "t" * 2000, "tls://h:1\n", "tls://[fe80::1]:9", "tls://[fe80::1%]:9", "wss://[FE80::1]",
             "socks://proxy:1080", "socks://proxy:1080/host", "socks://proxy:1080/host:0", "socks://proxy:1080/[x:1"],
)  # fmt: skip
def test_what_the_daemon_would_swallow_and_fail_on_is_refused(text):
    with pytest.raises(UsageError):
        parse_peer_uri(text)


@pytest.mark.parametrize("text", ["tls://[fe80::1%25wlan1]:9", "tls://[fe80::1%wlan1]:9", "tls://h:1", "wss://h/path"])
def test_what_is_shown_is_the_same_peering(text):
    assert parse_peer_uri(parse_peer_uri(text).shown) == parse_peer_uri(text)


@given(st.text(max_size=60))
def test_any_text_is_a_peering_or_a_usage_error(text):
    try:
        assert parse_peer_uri(text).plain
    except UsageError:
        pass


def test_the_mesh_finds_a_lost_peer_within_a_minute_unless_told_otherwise():
    assert parse_peer_uri("tls://h:1").dialled == "tls://h:1?maxbackoff=60s"
    assert parse_peer_uri("tls://h:1?maxbackoff=5m&key=aa").dialled == "tls://h:1?maxbackoff=5m&key=aa"


def test_peerings_are_kept_privately_and_come_back(tmp_path):
    path = tmp_path / "peers.json"
    book = PeerBook(path, ("tcp://fixed:1",))
    for uri in ("tls://a:1?password=secret", "tls://a:1", "tls://[fe80::1%25wlan1]:9", "tcp://fixed:1"):
        book.add(parse_peer_uri(uri))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = list(PeerBook(path))
    assert again == [parse_peer_uri("tls://a:1?password=secret"), parse_peer_uri("tls://[fe80::1%25wlan1]:9")]
    assert book.remove(parse_peer_uri("tls://a:1?key=aa"))
    assert not book.remove(parse_peer_uri("tls://a:1"))
    assert [peer.interface for peer in PeerBook(path)] == ["wlan1"]
    assert [peer.plain for peer in book] == ["tcp://fixed:1", "tls://[fe80::1]:9"]
    with pytest.raises(OverlayError, match="configuration"):
        book.remove(parse_peer_uri("tcp://fixed:1"))


@pytest.mark.parametrize("text", ["{", "[1]", "{}", "\xff"])
def test_a_damaged_book_is_one_sentence(tmp_path, text):
    path = tmp_path / "peers.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(OverlayError, match=r"peers\.json"):
        PeerBook(path)


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(OverlayError, match="cannot be written"):
        PeerBook(tmp_path / "gone" / "peers.json").add(parse_peer_uri("tls://a:1"))


def test_the_book_has_an_end(tmp_path):
    book = PeerBook(None)
    for number in range(100):
        book.add(parse_peer_uri(f"tls://h:{number + 1}"))
    with pytest.raises(OverlayError, match="100"):
        book.add(parse_peer_uri("tls://one:1"))


def test_a_kept_peering_that_cannot_be_used_is_left_out(tmp_path):
    (tmp_path / "peers.json").write_text('["nonsense", "tls://[fe80::1]:9", "tls://good:1"]')
    assert [peer.plain for peer in PeerBook(tmp_path / "peers.json")] == ["tls://good:1"]
