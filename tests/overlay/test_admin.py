"""The client of the admin socket: real replies, replies in pieces, and everything that kills or wedges the daemon."""

import json
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import OverlayError
from meshnode.overlay.admin import Admin, Objects, decode_reply_untrusted, encode_call, parse_endpoint
from meshnode.overlay.system import add_peer, remove_peer
from meshnode.overlay.uris import parse_peer_uri
from support.fake_yggdrasil import FakeYggdrasil, outbound, up

CAPTURES = json.loads((Path(__file__).parents[1] / "vectors/yggdrasil-addresses.json").read_text())["admin_api"]
TEXT = st.text('ab"\\{}[]\u00e9\n', max_size=6)
INNER = st.none() | st.integers() | TEXT
VALUE = INNER | st.lists(INNER, max_size=2) | st.dictionaries(TEXT, INNER, max_size=2)
OBJECT = st.dictionaries(TEXT, VALUE, max_size=3)


@pytest.fixture
async def daemon(tmp_path, nursery):
    fake = FakeYggdrasil(tmp_path / "y.sock")
    await nursery.start(fake.run)
    return fake


@pytest.fixture
async def admin(daemon):
    client = Admin(daemon.endpoint)
    yield client
    await client.aclose()


@pytest.mark.parametrize("call", CAPTURES, ids=lambda call: call["request"]["request"])
def test_real_replies_are_understood(call):
    text = json.dumps(call["reply"]).encode()
    if call["reply"]["status"] == "success":
        assert decode_reply_untrusted(text) == call["reply"]["response"]
    else:
        with pytest.raises(OverlayError, match=call["reply"]["error"][:10]):
            decode_reply_untrusted(text)


@given(st.binary(max_size=80))
def test_noise_raises_overlay_errors_only(data):
    try:
        decode_reply_untrusted(data)
    except OverlayError:
        pass


@given(st.lists(OBJECT, min_size=1, max_size=3), st.data())
def test_objects_come_whole_however_they_are_cut(objects, data):
    stream = b"\n".join(json.dumps(one, indent=2, ensure_ascii=data.draw(st.booleans())).encode() for one in objects)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    cutter, found = Objects(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        piece = stream[start:end]
        while (whole := cutter.feed_untrusted(piece)) is not None:
            found.append(json.loads(whole))
            piece = b""
    assert found == objects


@given(st.dictionaries(st.sampled_from(["uri", "interface"]), st.none() | st.text()))
def test_null_arguments_are_never_sent(arguments):
    said = json.loads(encode_call("addPeer", arguments))
    assert said["keepalive"] is True
    assert None not in said.get("arguments", {"": ""}).values()
    assert said.get("arguments", {"": ""}) is not None


async def test_one_connection_serves_many_calls(daemon, admin):
    for _ in range(3):
        assert (await admin.call("getSelf"))["build_version"] == "0.5.12"
    with pytest.raises(OverlayError, match="Unknown action"):
        await admin.call("nosuch")
    assert (await admin.call("getTun"))["name"] == "ygg0"
    assert admin.connections == 1


async def test_a_reply_byte_by_byte(daemon, admin):
    daemon.mood = "slow"
    assert (await admin.call("getSelf"))["build_version"] == "0.5.12"


async def test_a_daemon_that_does_not_answer_is_left_after_three_seconds_and_asked_anew(daemon, admin, autojump_clock):
    await admin.call("getSelf")
    daemon.mood = "mute"
    began = trio.current_time()
    with pytest.raises(OverlayError, match="does not answer getPeers in 3 s"):
        await admin.call("getPeers")
    assert 2.9 < trio.current_time() - began < 3.1
    daemon.mood = "well"
    assert "key" in await admin.call("getSelf")
    assert admin.connections == 2


async def test_remote_questions_have_eight_seconds(daemon, admin, autojump_clock):
    daemon.mood = "mute"
    began = trio.current_time()
    with pytest.raises(OverlayError, match="8 s"):
        await admin.call("getNodeInfo", key="ab" * 32)
    assert 7.9 < trio.current_time() - began < 8.1


@pytest.mark.parametrize("mood", ["noise", "endless"])
async def test_something_else_on_the_socket_is_one_sentence(daemon, admin, mood):
    daemon.mood = mood
    with pytest.raises(OverlayError):
        await admin.call("getSelf")


async def test_nobody_there(tmp_path):
    with pytest.raises(OverlayError, match="is it running"):
        await Admin(f"unix://{tmp_path}/none.sock").call("getSelf")
    with pytest.raises(OverlayError, match="is it running"):
        await Admin("tcp://127.0.0.1:1").call("getSelf")


async def test_a_peering_that_is_there_already_is_fine(daemon, admin):
    peer = parse_peer_uri("tls://[fe80::1%25wlan1]:4000?key=00")
    await add_peer(admin, peer)
    await add_peer(admin, peer)
    said = daemon.requests("addPeer")[0]["arguments"]
    assert said == {"uri": "tls://[fe80::1]:4000?key=00&maxbackoff=60s", "interface": "wlan1"}


async def test_an_inbound_link_is_never_removed(daemon, admin):
    daemon.peers = [up("tcp://10.0.0.9:4711", inbound=True)]
    assert not await remove_peer(admin, parse_peer_uri("tcp://10.0.0.9:4711"))
    daemon.peers.append(outbound("tcp://10.0.0.9:4711"))
    assert not await remove_peer(admin, parse_peer_uri("tcp://10.0.0.9:4711"))
    assert daemon.died == ""
    assert daemon.requests("removePeer") == []


async def test_removing_may_report_an_error_and_have_worked(daemon, admin):
    daemon.peers = [outbound("tls://h:1")]
    daemon.close_with_error = True
    assert await remove_peer(admin, parse_peer_uri("tls://h:1?key=aa"))
    assert daemon.peers == []


def test_the_fake_dies_of_what_kills_the_real_one(tmp_path):
    fake = FakeYggdrasil(tmp_path / "x")
    fake._answered({"request": "addPeer", "arguments": None})
    assert fake.died
    fake.died, fake.peers = "", [up("tcp://a:1", inbound=True)]
    fake._answered({"request": "removePeer", "arguments": {"uri": "tcp://a:1"}})
    assert fake.died


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("unix:///var/run/y.sock", "/var/run/y.sock"),
        ("tcp://127.0.0.1:9001", ("127.0.0.1", 9001)),
        ("[::1]:9001", ("::1", 9001)),
    ],
)
def test_endpoints(text, target):
    assert parse_endpoint(text) == target


@pytest.mark.parametrize("text", ["", "none", "unix://", "tcp://host", "tcp://:1", "tcp://host:0", "tcp://host:99999"])
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(OverlayError):
        parse_endpoint(text)
