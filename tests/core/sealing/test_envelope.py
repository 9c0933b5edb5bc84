"""What relays see of an envelope, and what stands inside: sizes, padding, ids, the hidden chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import DeviceKey, Incarnation, PersonaKey, Receipt, Tag
from meshnode.core.sealing.envelope import (
    HEADER_SIZE,
    KIND_FIRST,
    KIND_MESSAGE,
    KIND_PROBE,
    LIFETIMES_S,
    LONGEST_S,
    MAX_ENVELOPE,
    MAX_TEXT,
    EnvelopeHeader,
    Terms,
    envelope_id,
    lifetime_code,
    max_copies,
    opens,
    read_envelope_untrusted,
    receipt_tag,
)
from meshnode.core.sealing.inner import (
    PROMPT,
    READ,
    Inner,
    chain_hash,
    decode_inner_untrusted,
    message_id,
    pad,
    unpad_untrusted,
)
from meshnode.errors import UsageError, WireError
from support.sealed import pair, text

BYTE = st.integers(0, 255)
HEADERS = st.builds(
    EnvelopeHeader,
    kind=st.integers(0, 7),
    cls=st.integers(0, 7),
    lifetime=BYTE,
    created=st.integers(0, 0xFFFFFF),
    hint=BYTE,
    tag=st.binary(min_size=10, max_size=10).map(Tag),
    version=st.integers(0, 3),
)
INNERS = st.builds(
    Inner,
    kind=st.integers(0, 15),
    seq=st.integers(0, 0x0FFFFFFF),
    previous=st.binary(min_size=8, max_size=8),
    text=st.binary(max_size=400),
    flags=st.integers(0, 15),
)
DAY = 86400


@given(HEADERS, st.binary(min_size=1, max_size=200))
def test_a_header_comes_back(header: EnvelopeHeader, sealed: bytes) -> None:
    assert len(header.encode()) == HEADER_SIZE
    assert read_envelope_untrusted(header.encode() + sealed) == header


@given(st.binary(max_size=60))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    if len(data) > HEADER_SIZE:
        assert read_envelope_untrusted(data).encode() == data[:HEADER_SIZE]
    else:
        with pytest.raises(WireError):
            read_envelope_untrusted(data)


def test_an_envelope_too_large_is_refused() -> None:
    assert read_envelope_untrusted(bytes(MAX_ENVELOPE))
    with pytest.raises(WireError, match="too long"):
        read_envelope_untrusted(bytes(MAX_ENVELOPE + 1))


@pytest.mark.parametrize(
    ("version", "kind", "understood"),
    [
        (1, KIND_MESSAGE, True),
        (1, KIND_FIRST, True),
        (1, KIND_PROBE, True),
        (1, 3, False),
        (2, KIND_MESSAGE, False),
        (0, KIND_FIRST, False),
    ],
)
def test_only_known_kinds_are_acted_upon(version: int, kind: int, understood: bool) -> None:
    assert replace(Terms().header(kind, Tag(bytes(10))), version=version).understood is understood


def test_lifetimes_go_there_and_back() -> None:
    assert [lifetime_code(seconds) for seconds in LIFETIMES_S] == list(range(len(LIFETIMES_S)))
    assert sorted(set(LIFETIMES_S)) == list(LIFETIMES_S)
    assert LONGEST_S == 28 * DAY
    assert Terms().header(0, Tag(bytes(10))).lifetime_s == 14 * DAY


def test_a_lifetime_between_two_is_the_shorter() -> None:
    assert LIFETIMES_S[lifetime_code(14 * DAY - 1)] == 10 * DAY
    assert LIFETIMES_S[lifetime_code(400 * DAY)] == LONGEST_S
    with pytest.raises(UsageError):
        lifetime_code(599)


def test_a_lifetime_of_a_later_version_counts_as_the_longest() -> None:
    assert replace(Terms().header(0, Tag(bytes(10))), lifetime=200).lifetime_s == LONGEST_S


def test_copies_are_bounded_by_class() -> None:
    assert [max_copies(cls) for cls in range(5)] == [4, 16, 8, 4, 4]


def test_the_id_covers_header_and_seal() -> None:
    data = bytes(range(60))
    assert pair().first(text()).id == envelope_id(pair().first(text()).data)
    assert len(envelope_id(data)) == 16
    assert len({envelope_id(data), envelope_id(b"\1" + data[1:]), envelope_id(data[:-1] + b"\1")}) == 3


def test_anyone_can_check_a_receipt_and_none_other_fits() -> None:
    receipt = Receipt(bytes(range(16)))
    assert opens(receipt_tag(receipt), receipt)
    assert not opens(receipt_tag(receipt), Receipt(bytes(16)))
    assert not opens(receipt_tag(Receipt(receipt[:15])), Receipt(receipt[:15]))
    assert not opens(receipt_tag(receipt), Receipt(receipt + b"\0"))


# inside


@given(INNERS)
def test_what_is_inside_comes_back(inner: Inner) -> None:
    assert decode_inner_untrusted(inner.encode()) == inner


@given(st.binary(max_size=300))
def test_padding_comes_off(data: bytes) -> None:
    padded = pad(data)
    assert unpad_untrusted(padded) == data
    assert len(padded) % (16 if len(padded) <= 128 else 64) == 0
    assert 0 < len(padded) - len(data) <= (16 if len(padded) <= 128 else 64)


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda data: data + b"\x80" + bytes(16)))
def test_only_the_shortest_padding_is_taken(data: bytes) -> None:
    try:
        plain = unpad_untrusted(data)
    except WireError:
        return
    assert pad(plain) == data


@given(st.binary(max_size=200).map(pad))
def test_inner_noise_is_read_or_refused(data: bytes) -> None:
    try:
        inner = decode_inner_untrusted(data)
    except WireError:
        return
    assert inner.encode() == data


@pytest.mark.parametrize(
    "plain", [b"", b"\1\1", b"\1\1" + bytes(7), b"\1\x81\x01" + bytes(7), b"\1\x81\x00" + bytes(8)]
)
def test_what_is_cut_short_inside_is_refused(plain: bytes) -> None:
    with pytest.raises(WireError):
        decode_inner_untrusted(pad(plain))


def test_the_chain_sees_every_change_but_the_flags() -> None:
    inner = text("soup")
    others = [
        replace(inner, seq=2),
        replace(inner, previous=b"\1" * 8),
        replace(inner, text=b"salt"),
        replace(inner, kind=READ),
    ]
    assert len({chain_hash(one) for one in (inner, *others)}) == 5
    assert chain_hash(replace(inner, flags=PROMPT)) == chain_hash(inner)
    assert len(chain_hash(inner)) == 8


def test_a_message_id_hangs_on_sender_recipient_and_seq() -> None:
    device, bo = DeviceKey(bytes(32)), PersonaKey(b"\1" * 32)
    one = message_id(device, Incarnation(b"abcd"), bo, 1)
    others = {
        message_id(device, Incarnation(b"abcd"), bo, 2),
        message_id(device, Incarnation(b"abce"), bo, 1),
        message_id(device, Incarnation(b"abcd"), PersonaKey(bytes(32)), 1),
        message_id(DeviceKey(b"\1" * 32), Incarnation(b"abcd"), bo, 1),
    }
    assert len(one) == 16
    assert len(others | {one}) == 5


# sizes on air


def test_a_text_of_100_bytes_is_an_envelope_of_147() -> None:
    ada, _ = pair().sessions()
    mutable = 3  # age 2, copies 1
    assert len(ada.seal_next(pair().sealer, text("x" * 100, seq=99), Terms()).data) + mutable == 147


@pytest.mark.parametrize(("size", "data"), [(0, 48), (5, 48), (6, 64), (117, 160), (118, 224), (300, 352)])
def test_lengths_hide_in_steps(size: int, data: int) -> None:
    ada, _ = pair().sessions()
    assert len(ada.seal_next(pair().sealer, text("x" * size), Terms()).data) == data


def test_a_first_message_is_about_one_and_a_half_kilobytes() -> None:
    people = pair()
    assert len(people.first(text("x" * 100)).data) == 1503
    assert len(people.first(text("x" * 100), whole=False).data) == 1437


def test_the_longest_text_fits_even_a_first_message() -> None:
    assert len(pair().first(text("x" * MAX_TEXT, seq=0x0FFFFFFF)).data) <= MAX_ENVELOPE


def test_two_envelopes_of_a_pair_have_nothing_in_common() -> None:
    """Beyond version, kind, class, lifetime, date and hint, which thousands of others share."""
    people = pair()
    ada, bo = people.sessions()
    inner, terms = text("the very same words"), Terms(created=7)
    datas = [ada.seal_next(people.sealer, inner, terms).data for _ in range(3)]
    datas += [bo.seal_next(people.sealer, inner, terms).data for _ in range(3)]
    datas.append(people.first(inner, terms).data)
    pieces = [data[i : i + 4] for data in datas for i in range(6, len(data) - 3)]
    assert len(set(pieces)) == len(pieces)
    assert {data[1:6] for data in datas} == {bytes((terms.lifetime, 0, 0, 7, 0))}
