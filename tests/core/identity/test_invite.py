"""Invites survive typing, shouting and QR codes, and a mistake in them is noticed."""

from __future__ import annotations

from base64 import b32encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshnode.core.identity.invite import (
    MAX_NAME,
    MAX_TEXT,
    ContactInvite,
    MeshInvite,
    check_name,
    contact_uri,
    invite_words,
    mesh_uri,
    read_invite_untrusted,
)
from meshnode.core.ids import PersonaKey, hashed
from meshnode.errors import UsageError, WireError

ADA = PersonaKey(hashed(b"test", b"ada"))
SECRET = hashed(b"test", b"secret")

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), min_size=1, max_size=16)
PERSONAS = st.binary(min_size=32, max_size=32).map(PersonaKey)


@given(PERSONAS, NAMES)
def test_a_contact_comes_back_from_uri_and_words(persona: PersonaKey, name: str) -> None:
    uri = contact_uri(persona, name)
    assert uri.startswith("mesh:c")
    for typed in (uri, uri.upper(), f"  {uri[:20]} \n {uri[20:]} ", invite_words(uri), invite_words(uri).upper()):
        assert read_invite_untrusted(typed) == ContactInvite(persona, name)


@given(NAMES, st.none() | st.binary(min_size=32, max_size=32), st.integers(0, 3))
def test_a_mesh_comes_back_from_uri_and_words(name: str, secret: bytes | None, number: int) -> None:
    uri = mesh_uri(name, secret, number)
    assert uri.startswith("mesh:m")
    for typed in (
        uri,
        uri.upper(),
        invite_words(uri),
        invite_words(uri).replace(" ", "-"),
        invite_words(uri).replace(" ", ""),
    ):
        assert read_invite_untrusted(typed) == MeshInvite(name, secret, number)


def test_a_contact_invite_holds_nothing_but_key_and_name() -> None:
    assert len(contact_uri(ADA, "Ada")) == len("mesh:c") + (8 * (1 + 32 + 1 + 3 + 4) + 4) // 5


def test_a_mesh_secret_is_not_shown() -> None:
    assert repr(SECRET) not in repr(MeshInvite("hill", SECRET))


@given(st.data())
def test_one_wrong_letter_is_noticed(data: st.DataObject) -> None:
    uri = contact_uri(ADA, "Ada")
    place = data.draw(st.integers(0, len(uri) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567:"))
    assume(letter != uri[place])
    try:
        read = read_invite_untrusted(uri[:place] + letter + uri[place + 1 :])
    except WireError:
        return
    assert read == ContactInvite(ADA, "Ada")  # the last letter carries spare bits
    assert place == len(uri) - 1


@given(st.integers(0, 20), st.integers(0, 20))
def test_swapped_words_are_noticed(a: int, b: int) -> None:
    words = invite_words(contact_uri(ADA, "Ada")).split()
    a, b = a % len(words), b % len(words)
    assume(words[a] != words[b])
    words[a], words[b] = words[b], words[a]
    with pytest.raises(WireError, match="compare it once more"):
        read_invite_untrusted(" ".join(words))


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("roots", [b"", bytes(range(40))])
def test_a_later_secret_comes_with_the_roots_of_the_first(roots: bytes, early: bool) -> None:
    invite = MeshInvite("valley", bytes(32), 2, roots, early)
    uri = mesh_uri("valley", bytes(32), 2, roots, early=early)
    assert read_invite_untrusted(uri) == read_invite_untrusted(invite_words(uri)) == invite


def test_a_misspelt_word_is_named() -> None:
    words = invite_words(contact_uri(ADA, "Ada")).split()
    words[4] = "house"
    with pytest.raises(WireError, match="word 5, 'house'"):
        read_invite_untrusted(" ".join(words))


@given(st.text(max_size=200) | st.text("mesh:cabcdefgh234567 ", max_size=200).map(lambda tail: "mesh:" + tail))
def test_noise_is_refused_with_a_sentence(noise: str) -> None:
    with pytest.raises(WireError):
        read_invite_untrusted(noise)


@pytest.mark.parametrize("text", ["", "mesh:", "mesh:c", "mesh:ü", "mesh:caaaaaaaä", "mesh:c1", "mesh:maaaaaaaaa"])
def test_fragments_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        read_invite_untrusted(text)


def test_something_too_long_is_refused_early() -> None:
    with pytest.raises(WireError, match="too long"):
        read_invite_untrusted("a" * (MAX_TEXT + 1))


def payload_uri(payload: bytes) -> str:
    payload += hashed(b"mn-invite-v1", payload, 4)
    return "mesh:" + chr(payload[0]) + b32encode(payload[1:]).decode().rstrip("=")


MESH_HEAD = b"m\x01\x01\x00"


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"c", "incomplete"),
        (b"c\x02" + ADA + b"\x03Ada", "newer meshnode"),
        (b"x\x01" + ADA + b"\x03Ada", "kind"),
        (b"c\x01" + ADA[:9], "cut short"),
        (b"c\x01" + ADA + b"\x00", "too long or missing"),
        (b"c\x01" + ADA + bytes((MAX_NAME + 1,)) + b"a" * (MAX_NAME + 1), "too long or missing"),
        (b"c\x01" + ADA + b"\x01\xff", "not text"),
        (b"c\x01" + ADA + b"\x03A\na", "not text"),
        (b"c\x01" + ADA + b"\x05a\xe2\x80\xaeb", "not text"),
        (b"m\x01\x03\x00\x03Ada", "newer meshnode"),
        (b"m\x01\x01\x04\x03Ada", "newer meshnode"),
    ],
)
def test_what_is_inside_is_checked_too(payload: bytes, sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        read_invite_untrusted(payload_uri(payload))


def test_fields_of_a_later_version_are_skipped() -> None:
    assert read_invite_untrusted(payload_uri(b"c\x01" + ADA + b"\x03Ada" + b"later")) == ContactInvite(ADA, "Ada")
    assert read_invite_untrusted(payload_uri(MESH_HEAD + b"\x04hill" + b"later")) == MeshInvite("hill", None, 0)


@pytest.mark.parametrize("name", ["", "a\nb", "a\tb", "a\u2028b", "x" * (MAX_NAME + 1), "a\u202eb", "\udcff"])
def test_names_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        contact_uri(ADA, name)


@pytest.mark.parametrize("name", ["Ada", "Zoë Ångström", "می\u200cخواهم", "👩\u200d🌾", "x" * MAX_NAME])
def test_names_of_all_the_world_fit(name: str) -> None:
    assert check_name(name) == name.encode()
    assert read_invite_untrusted(contact_uri(ADA, name)) == ContactInvite(ADA, name)
