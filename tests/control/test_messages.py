"""Requests, replies and notices: names on the wire are those of the commands, and come back as they went."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.control import notices, replies, requests
from meshnode.control.server import decode_request_untrusted
from meshnode.errors import WireError


@given(st.binary(max_size=200))
def test_noise_raises_wire_errors_only(data):
    try:
        decode_request_untrusted(data)
    except WireError:
        pass


@given(st.text(max_size=50), st.text(max_size=50), st.integers(1, 4))
def test_a_request_comes_back(contact, text, cls):
    request = requests.SendRequest(contact=contact, text=text, cls=cls)
    assert decode_request_untrusted(msgspec.json.encode(request)) == request


NEWER = {
    "about",
    "persona",
    "conversation",
    "outgoing",
    "urgent",
    "device",
    "cancels",
    "request",
}  # what the page needs


def test_a_message_has_the_field_names_of_the_inbox():
    common = {"id": "00", "text": "hi", "files": [], "sent_at": None, "received_at": None, "state": "kept", "hops": 2}
    direct = msgspec.to_builtins(replies.MessageInfo(cursor="7", sender="bo", to="me", **common))
    older = {"id", "cursor", "from", "to", "text", "files", "sent_at", "received_at", "state", "hops"}
    assert direct.keys() == older | NEWER
    post = msgspec.to_builtins(notices.MessageNotice(at="", cursor="7", sender="bo", channel="square", **common))
    assert post.keys() == {*direct, "event", "at", "channel"} - {"to"}
    assert post["event"] == "message"


def test_the_status_has_the_fields_that_are_promised():
    fields = {field.encode_name for field in msgspec.structs.fields(replies.StatusReply)}
    assert fields >= {
        "version",
        "persona",
        "uptime_s",
        "interface",
        "overlay",
        "neighbours",
        "counts",
        "airtime",
        "store",
        "clock",
    }


def test_the_notices_have_the_names_that_are_promised():
    names = {kind.__struct_config__.tag for kind in notices.Notice.__args__}
    assert names >= {"ready", "message", "state", "neighbour", "peer", "interface", "warning", "stopped"}


def test_times_are_rfc_3339_in_utc():
    assert replies.utc_text(1_767_225_600.25) == "2026-01-01T00:00:00.250Z"


@pytest.mark.parametrize("kind", requests.Request.__args__)
def test_each_request_has_a_name_of_its_own(kind):
    same = [other for other in requests.Request.__args__ if other.__struct_config__.tag == kind.__struct_config__.tag]
    assert same == [kind]


@pytest.mark.parametrize(
    "line",
    [
        b'{"request":"send","contact":"bo","text":"hi","timeout_s":-1}',
        b'{"request":"send","contact":"bo","text":"hi","timeout_s":null}',
        b'{"request":"send","contact":"bo","text":"hi","cls":9}',
        b'{"request":"inbox","limit":-1}',
        b'{"request":"inbox","limit":99999999999999999999}',
        b'{"request":"trace","contact":"bo","timeout_s":1e300}',
    ],
)
def test_numbers_that_nobody_means_are_refused(line):
    with pytest.raises(WireError):
        decode_request_untrusted(line)
