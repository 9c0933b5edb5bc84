"""The session: lost, late, doubled and forged envelopes, and what is left on a device that is taken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.ids import Tag
from meshnode.core.sealing.chainkey import first_key, message_key, next_key, root_hash, root_id
from meshnode.core.sealing.envelope import KIND_PROBE, LONGEST_S, Sealed, Terms, opens, read_envelope_untrusted
from meshnode.core.sealing.inner import NO_PREVIOUS, PROBE, Inner
from meshnode.core.sealing.ratchet import (
    MAX_MESSAGES,
    MAX_SKIPPED,
    MAX_UNPROVED,
    REPLACE_AFTER_S,
    WINDOW,
    Opened,
    Ratchet,
)
from meshnode.errors import SignatureError, UsageError, WireError
from support.sealed import flip, pair, text

PEOPLE = pair()
SEALER = PEOPLE.sealer
TERMS = Terms()


def seal(session: Ratchet, words: str = "soup") -> Sealed:
    return session.seal_next(SEALER, text(words), TERMS)


def open_(session: Ratchet, sealed: Sealed, now: float = 0.0) -> Opened:
    return session.open_untrusted(SEALER, sealed.data, now)


def seal_many(session: Ratchet, count: int) -> list[Sealed]:
    """As many as asked, with every one proved, so that the sender does not stop."""
    sealed = []
    for number in range(count):
        sealed.append(seal(session, f"message {number}"))
        session.proved(sealed[-1].index)
    return sealed


def again(session: Ratchet) -> Ratchet:
    """The session after a restart."""
    return Ratchet.decode_state_untrusted(session.encode_state())


def test_both_directions_open_in_order() -> None:
    ada, bo = PEOPLE.sessions()
    for words in ("one", "two", "three"):
        assert open_(bo, seal(ada, words)).inner == text(words)
        assert open_(ada, seal(bo, words)).inner == text(words)


def test_the_first_of_the_initiator_belongs_to_the_first_message() -> None:
    ada, bo = PEOPLE.sessions()
    first = PEOPLE.first(text())
    assert (first.index, ada.sent_index(first.tag)) == (0, 0)
    assert first.tag not in bo.expected
    assert (seal(ada).index, seal(bo).index) == (1, 0)


def test_a_receipt_fits_its_tag_alone() -> None:
    ada, bo = PEOPLE.sessions()
    one, two = seal(ada), seal(ada)
    assert opens(one.tag, one.receipt)
    assert not opens(two.tag, one.receipt)
    assert open_(bo, one).receipt == one.receipt


@given(st.permutations(range(40)), st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
@settings(max_examples=40)
def test_any_order_any_loss_any_restart(order: list[int], lost: set[int], restarts: set[int]) -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal_many(ada, 40)
    for step, number in enumerate(order):
        if number not in lost:
            assert open_(bo, sealed[number]).inner == text(f"message {number}")
        bo = again(bo) if step in restarts else bo
    for number in order:
        if number not in lost:
            with pytest.raises(WireError):
                open_(bo, sealed[number])
        else:
            assert open_(bo, sealed[number]).inner == text(f"message {number}")


@pytest.mark.parametrize("lost", [60, WINDOW - 1])
def test_many_lost_in_a_row_do_not_end_a_session(lost: int) -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal_many(ada, lost + 1)
    assert open_(bo, sealed[-1]).index == lost + 1
    assert open_(bo, sealed[0]).index == 1  # the late ones still open
    assert len(bo.expected) == WINDOW + lost - 1


def test_a_sender_stops_before_the_window_ends() -> None:
    """140 in a row, all lost: the sender opens a new session after 96, it does not run past the window in silence."""
    ada, bo = PEOPLE.sessions()
    sent = 0
    while ada.can_seal:
        last = seal(ada)
        sent += 1
    assert sent == MAX_UNPROVED - 1  # the first message is one of the 96
    assert ada.outstanding == MAX_UNPROVED < WINDOW
    assert ada.worn(0)
    with pytest.raises(UsageError, match="new one"):
        seal(ada)
    assert last.tag in bo.expected


def test_140_lost_under_proofs_are_more_than_a_window_holds() -> None:
    ada, bo = PEOPLE.sessions()
    with pytest.raises(WireError, match="not expected"):
        open_(bo, seal_many(ada, 141)[-1])


def test_a_receipt_makes_room_again() -> None:
    ada, _ = PEOPLE.sessions()
    sealed = [seal(ada) for _ in range(50)]
    ada.proved(sealed[30].index)
    assert ada.outstanding == 19
    assert ada.sent_index(sealed[30].tag) is None
    assert ada.sent_index(sealed[31].tag) == sealed[31].index
    ada.proved(3)  # a late receipt of an early one takes nothing back
    ada.proved(10_000)  # nor does one that was never sent give anything
    assert ada.outstanding == 19


def test_a_reply_proves_the_first_message() -> None:
    ada, bo = PEOPLE.sessions()
    before = ada.confirmed, bo.confirmed
    open_(ada, seal(bo))
    assert (before, ada.confirmed) == ((False, True), True)
    assert ada.outstanding == 0


def test_relays_see_that_a_probe_is_one() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = ada.seal_next(SEALER, Inner(PROBE, 1, NO_PREVIOUS), TERMS, KIND_PROBE)
    assert read_envelope_untrusted(sealed.data).kind == KIND_PROBE
    assert open_(bo, sealed).inner.kind == PROBE


def test_a_session_is_worn_by_age_and_by_number() -> None:
    ada, _ = PEOPLE.sessions()
    assert not ada.worn(REPLACE_AFTER_S - 1)
    assert ada.worn(REPLACE_AFTER_S)
    seal_many(ada, MAX_MESSAGES - 1)
    assert ada.send_index == MAX_MESSAGES
    assert ada.outstanding == 0
    assert not ada.can_seal


def test_a_wrong_seal_under_a_right_tag_keeps_everything() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal_many(ada, 20)
    before = bo.encode_state(), dict(bo.expected)
    for bit in range(8 * 16, 8 * len(sealed[9].data), 37):
        with pytest.raises(SignatureError):
            bo.open_untrusted(SEALER, flip(sealed[9].data, bit), 0)
    with pytest.raises(SignatureError):
        bo.open_untrusted(SEALER, sealed[9].data[:16] + sealed[8].data[16:], 0)
    assert (bo.encode_state(), dict(bo.expected)) == before
    assert open_(bo, sealed[9]).index == 10


@given(st.integers(0, 8 * 96 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    ada, bo = PEOPLE.sessions()
    data = seal(ada, "x" * 50).data
    state = bo.encode_state()
    with pytest.raises(WireError):
        bo.open_untrusted(SEALER, flip(data, bit), 0)
    assert bo.encode_state() == state


def test_what_was_opened_does_not_open_again() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal(ada)
    open_(bo, sealed)
    with pytest.raises(WireError, match="not expected"):
        open_(bo, sealed)


def test_a_first_message_is_not_opened_here() -> None:
    ada, bo = PEOPLE.sessions()
    data = seal(ada).data
    with pytest.raises(WireError, match="not expected"):
        bo.open_untrusted(SEALER, bytes((data[0] | 1 << 3,)) + data[1:], 0)


def test_a_message_that_opens_but_makes_no_sense_uses_its_key_up() -> None:
    ada, bo = PEOPLE.sessions()
    tag = next(iter(bo.expected))
    header = TERMS.header(0, tag).encode()
    key = message_key(next_key(first_key(PEOPLE.root, from_initiator=True)))
    nonsense = header + SEALER.aead_seal(key, bytes(12), bytes(16), header)
    with pytest.raises(WireError, match="padding"):
        bo.open_untrusted(SEALER, nonsense, 0)
    assert tag not in bo.expected
    seal(ada)
    assert open_(bo, seal(ada)).index == 2


def test_the_window_holds_128_tags_and_moves_with_what_opens() -> None:
    ada, bo = PEOPLE.sessions()
    assert len(bo.expected) == len(ada.expected) == WINDOW
    assert (bo.horizon, ada.horizon) == (WINDOW + 1, WINDOW)
    before, horizon = set(bo.expected), bo.horizon
    sealed = seal_many(ada, 10)
    open_(bo, sealed[9])
    new = bo.new_tags_since(horizon)
    assert len(new) == 10
    assert set(new) == set(bo.expected) - before
    assert [bo.expected[tag] for tag in new] == list(range(horizon, horizon + 10))
    assert set(bo.new_tags_since(0)) == set(bo.expected)


def test_an_envelope_carried_before_the_window_came_is_found() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal_many(ada, WINDOW + 5)
    carried, horizon = sealed[WINDOW + 2], bo.horizon
    assert carried.tag not in bo.expected
    open_(bo, sealed[20])
    assert carried.tag in bo.new_tags_since(horizon)
    assert open_(bo, carried).index == WINDOW + 3


def test_skipped_keys_live_one_lifetime() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = seal_many(ada, 6)
    open_(bo, sealed[2], now=1000.5)
    open_(bo, sealed[5], now=2000.0)
    assert not bo.expire(LONGEST_S + 999)
    assert bo.expire(LONGEST_S + 1001)
    with pytest.raises(WireError):
        open_(bo, sealed[0])
    bo = again(bo)
    assert open_(bo, sealed[3]).index == 4
    assert bo.expire(LONGEST_S + 2001)
    assert sealed[4].tag not in bo.expected


def test_a_thousand_skipped_keys_at_most() -> None:
    ada, bo = PEOPLE.sessions()
    for step in range(9):
        sealed = [seal_one_far(ada) for _ in range(WINDOW)]
        open_(bo, sealed[-1], now=step)
    assert len(bo.expected) == MAX_SKIPPED + WINDOW
    assert len(again(bo).expected) == MAX_SKIPPED + WINDOW
    dropped = 9 * (WINDOW - 1) - MAX_SKIPPED
    assert min(bo.expected.values()) == dropped + 2  # counted from 1, and one of them was opened


def seal_one_far(session: Ratchet) -> Sealed:
    """Beyond the limit of a thousand messages that an honest sender keeps."""
    session.proved(session.send_index - 1)
    honest, session._send_index = session._send_index, 1
    sealed = seal(session)
    session._send_index = honest + 1
    session._sent = {sealed.tag: honest}
    return sealed


# state


def test_state_comes_back_whole() -> None:
    ada, bo = PEOPLE.sessions()
    sealed = [seal(ada) for _ in range(9)]
    for number in (6, 2, 3):
        open_(bo, sealed[number], now=5.9)
    for session in (ada, bo):
        restored = again(session)
        assert restored.encode_state() == session.encode_state()
        assert dict(restored.expected) == dict(session.expected)
        assert (restored.root_id, restored.initiator, restored.horizon) == (
            session.root_id,
            session.initiator,
            session.horizon,
        )
    assert again(ada).outstanding == 10
    ada.proved(4)
    assert again(ada).outstanding == ada.outstanding == 5
    assert seal(again(ada)).data == seal(ada).data  # and the same bytes again, if a crash forgot them


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda noise: b"\1" + noise))
def test_noise_is_no_state(noise: bytes) -> None:
    with pytest.raises(WireError):
        Ratchet.decode_state_untrusted(noise)


def test_truncated_surplus_and_newer_states_are_refused() -> None:
    ada, bo = PEOPLE.sessions()
    open_(bo, [seal(ada) for _ in range(3)][-1])
    for session in (ada, bo):
        state = session.encode_state()
        for size in range(len(state)):
            with pytest.raises(WireError):
                Ratchet.decode_state_untrusted(state[:size])
        with pytest.raises(WireError, match="left over"):
            Ratchet.decode_state_untrusted(state + b"\0")
        with pytest.raises(WireError, match="newer"):
            Ratchet.decode_state_untrusted(b"\2" + state[1:])


def test_a_taken_device_holds_no_key_of_what_was_sealed_or_opened() -> None:
    """Forward secrecy: no state after the fact holds a used chain key or message key, nor opens the old envelopes."""
    ada, bo = PEOPLE.sessions()
    chain, used = first_key(PEOPLE.root, from_initiator=True), []
    for _ in range(6):
        used += [chain, message_key(chain)]
        chain = next_key(chain)
    sealed = [seal(ada) for _ in range(5)]
    for one in sealed:
        open_(bo, one)
    states = ada.encode_state() + bo.encode_state()
    assert not any(key in states for key in (*used, PEOPLE.root))
    assert chain in states


def test_a_session_is_named_by_its_root() -> None:
    ada, bo = PEOPLE.sessions()
    assert ada.root_id == bo.root_id == root_id(PEOPLE.root) == root_hash(PEOPLE.root)[:16]
    assert PEOPLE.root[:8] not in ada.root_id


def test_another_session_expects_other_tags() -> None:
    one, other = PEOPLE.sessions()[1], Ratchet.begin(bytes(32), initiator=False)
    assert not set(one.expected) & set(other.expected)
    assert Tag(bytes(10)) not in one.expected
