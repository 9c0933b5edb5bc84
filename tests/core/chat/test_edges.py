"""Bounds and corners of chat: what is kept how long, what is believed, parts on their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.chain.block import Block
from meshnode.core.chain.fork import Adoption
from meshnode.core.chain.kinds import ADOPTION, CERTIFICATE, POST
from meshnode.core.chat import chains as chains_module
from meshnode.core.chat import chat, outgoing, sessions, states
from meshnode.core.chat.adoptions import Adoptions
from meshnode.core.chat.chains import MAX_GAPS, Chains
from meshnode.core.chat.channels import Channels
from meshnode.core.chat.incoming import Incoming
from meshnode.core.chat.ownlogs import OwnLogs
from meshnode.core.chat.people import People
from meshnode.core.chat.prekeys import HINT_FROM_NODES, decode_prekey_untrusted
from meshnode.core.effects import Forget
from meshnode.core.ids import (
    PERSON_CHANNEL,
    DeviceKey,
    Incarnation,
    MessageId,
    NeighbourId,
    NodeKey,
    PersonaKey,
    channel_id,
    hashed,
)
from meshnode.core.inputs import SetContact, Stored
from meshnode.core.records import (
    BODY_DROPPED,
    STATES,
    BlockRecord,
    ContactRecord,
    EnvelopeRecord,
    FactRecord,
    MessageRecord,
    RatchetRecord,
    Snapshot,
    StateRecord,
)
from meshnode.core.sealing import ratchet
from meshnode.core.sealing.envelope import Terms
from meshnode.core.sealing.first import Prekey, seal_first
from meshnode.core.sealing.inner import NO_PREVIOUS, TEXT, Inner, chain_hash
from meshnode.core.wire.frames import EnvelopeFrame
from support.valley import Box, Valley

DAY_S = 86400.0
PERSONA, DEVICE = PersonaKey(bytes(32)), DeviceKey(b"\1" * 32)
OLD, NEW = Incarnation(b"old."), Incarnation(b"new.")


def two(**more: float) -> tuple[Valley, Box, Box]:
    valley = Valley(**more)  # type: ignore[arg-type]
    a, b = valley.line("ab")
    return valley, a, b


def talked(**more: float) -> tuple[Valley, Box, Box]:
    """They hold one confirmed session."""
    valley, a, b = two(**more)
    a.write(b, "hello")
    valley.run(10.0)
    return valley, a, b


def inner(seq: int, before: Inner | None = None) -> Inner:
    return Inner(TEXT, seq, chain_hash(before) if before else NO_PREVIOUS, str(seq).encode())


# Chains


def test_a_chain_knows_what_is_new_and_what_is_missing() -> None:
    _, a, _ = two()
    chains = Chains(a.ctx)
    seen = [chains.get(PERSONA, DEVICE, OLD, inner(seq)) for seq in (1, 4, 2, 4, 3, 3)]
    assert [got.new for got in seen] == [True, True, True, False, True, False]
    assert [got.missing for got in seen if got.new] == [0, 2, 0, 0]
    assert a.ctx.counters["conversation_hash_differs"] == 0
    chains.get(PERSONA, DEVICE, OLD, inner(5))
    assert a.ctx.counters["conversation_hash_differs"] == 1


def test_gaps_are_bounded() -> None:
    _, a, _ = two()
    chains = Chains(a.ctx)
    assert chains.get(PERSONA, DEVICE, OLD, inner(10_000_000)).missing == MAX_GAPS


def test_old_incarnations_are_set_aside_and_survive_a_restart() -> None:
    _, a, _ = two()
    chains = Chains(a.ctx)
    rows, new = [], []
    for incarnation, seq in ((OLD, 1), (OLD, 3), (NEW, 1), (OLD, 2), (OLD, 2), (NEW, 1), (NEW, 2)):
        got = chains.get(PERSONA, DEVICE, incarnation, inner(seq))
        rows += got.rows
        new.append(got.new)
    assert new == [True, True, True, True, False, False, True]
    table = {(type(row), getattr(row, "name", "")): row for row in rows}
    again = Chains(a.ctx)
    again.restore(Snapshot(records=tuple(table.values())))
    assert not again.get(PERSONA, DEVICE, OLD, inner(2)).new
    assert not again.get(PERSONA, DEVICE, NEW, inner(2)).new
    assert again.get(PERSONA, DEVICE, OLD, inner(4)).new


# States


def test_chains_set_aside_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains_module, "MAX_ASIDE", 2)
    _, a, _ = two()
    chains = Chains(a.ctx)
    for number in range(6):
        chains.get(PERSONA, DEVICE, Incarnation(bytes([number]) * 4), inner(1))
        chains.get(PERSONA, DeviceKey(b"\2" * 32), OLD, inner(number + 1))
    assert [incarnation for _, incarnation in chains._aside] == [b"\3" * 4, b"\4" * 4]
    forgotten = [key.key for effect in a.ctx.out if isinstance(effect, Forget) for key in effect.keys]
    assert len(forgotten) == 3


def test_states_of_long_ago_leave_memory_not_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_REMEMBERED", 3)
    _, a, b = talked()
    message = a.write(b, "waiting")
    for number in range(5):
        a.write(a, str(number))
    assert a.chat.states.get(message) is not None
    assert len(a.chat.states._states) == 3
    assert len(a.rows.every(StateRecord)) == 7


def test_unfinished_states_all_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_REMEMBERED", 3)
    valley, a, b = talked()
    valley.part(a, b)
    waiting = [a.write(b, str(number)) for number in range(6)]
    assert all(a.chat.states.get(message) for message in waiting)


def test_states_of_nothing_known_are_nothing() -> None:
    _, a, _ = two()
    known = a.chat.states
    unknown = MessageId(bytes(16))
    known.tell(unknown)
    assert not known.advance(unknown, "read")
    assert known.resealed(unknown) is None
    known.read_here(unknown)
    known.read_here(unknown)
    assert known.get(unknown).state == "read"
    assert states.rank("expired") == len(STATES)


def test_a_witness_counts_once() -> None:
    valley, a, b = talked()
    valley.part(a, b)
    message = a.write(b, "hello again")
    for witness in ("x", "y", "x"):
        a.step(lambda witness=witness: a.chat._out.carried(message, witness))
    assert a.chat.why(message).witnesses == ("x", "y")
    a.step(lambda: a.chat._out.on_air(message))
    assert a.state(message) == "carried"


# Sessions


def test_sessions_are_over_when_nothing_can_be_on_its_way() -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.part(a, b)
    valley.run(sessions._OVER_S + chat._SWEEP_S)
    assert not a.rows.every(RatchetRecord)


def test_skipped_keys_go_when_their_envelopes_must_be_gone() -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame) and sender is a
    a.write(b, "lost")
    valley.dropped = lambda sender, receiver, frame: False
    a.write(b, "two")
    valley.run(0.5)
    (session,) = b.chat.sessions.of(a.keys.device)
    assert session.ratchet._skipped
    b.forwarding.look_again()
    valley.part(a, b)
    valley.run(29 * DAY_S)
    assert not session.ratchet._skipped


def test_sessions_with_one_device_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_PER_DEVICE", 3)
    valley, a, b = talked()
    for number in range(5):
        a.chat.sessions.retire(b.keys.device)
        a.write(b, str(number))
        valley.run(10.0)
    assert len(a.rows.every(RatchetRecord)) == 3
    assert len(b.rows.every(RatchetRecord)) == 3
    assert len(b.inbox()) == 6


def test_a_week_makes_a_new_session() -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.run(7 * DAY_S + 1)
    a.write(b, "a week later")
    valley.run(10.0)
    assert b.inbox()[-1] == "a week later"
    assert len(b.rows.every(RatchetRecord)) == 2


def test_a_hundred_in_a_burst_wait_for_receipts_and_take_one_session() -> None:
    valley, a, b = talked()
    written = [a.write(b, str(number)) for number in range(100)]
    assert a.state(written[95]) == "kept"
    assert a.chat.why(written[96]).waiting_for == "receipts of earlier messages"
    valley.run(60.0)
    assert b.inbox()[1:] == [str(number) for number in range(100)]
    assert len(b.rows.every(RatchetRecord)) == 1


def test_a_burst_whose_receipts_stay_out_goes_on_in_a_new_session() -> None:
    valley, a, b = talked()
    valley.dropped = lambda sender, receiver, frame: sender is b
    written = [a.write(b, str(number)) for number in range(100)]
    valley.run(29.0)
    assert a.chat.why(written[99]).waiting_for == "receipts of earlier messages"
    valley.run(2.0)
    assert len(a.rows.every(RatchetRecord)) == 2
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(600.0)
    assert sorted(b.inbox()[1:], key=int) == [str(number) for number in range(100)]


def test_what_was_held_for_receipts_survives_a_restart() -> None:
    valley, a, b = talked()
    valley.dropped = lambda sender, receiver, frame: sender is b
    for number in range(100):
        a.write(b, str(number))
    a.boot()
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(600.0)
    assert sorted(b.inbox()[1:], key=int) == [str(number) for number in range(100)]


# First messages


def sealed_first(a: Box, b: Box, **changed: object) -> bytes:
    """A first message from A's device to B's newest prekey."""
    prekey = b.chat.people.prekeys.live()[0]
    to = Prekey(b.keys.persona, b.keys.device, prekey.block, prekey.public)
    keys = replace(a.keys, **changed)  # type: ignore[arg-type]
    whole = "certificate" not in changed
    return seal_first(a.sealer, keys, to, hashed(b"root", b"x"), Terms(), inner(1), whole_certificate=whole).data


def test_a_first_message_with_a_wrong_signature_is_refused() -> None:
    valley, a, b = two()
    data = sealed_first(a, b, device_secret=bytes(32))
    valley.deliver(a, b, EnvelopeFrame(data, 0, 0))
    assert b.ctx.counters["first_message_refused"] == 1
    assert b.inbox() == []


def test_one_whose_certificate_is_not_known_waits() -> None:
    valley, _, b = two()
    stranger = valley.box("s")
    valley.join(stranger, b)
    certificate = stranger.keys.certificate
    data = sealed_first(stranger, b, certificate=certificate)
    valley.deliver(stranger, b, EnvelopeFrame(data, 0, 0))
    assert b.inbox() == []
    valley.share()
    b.knows(stranger)
    b.forwarding.shelf.forget_passed()
    for carried in list(b.forwarding.shelf):
        b.step(lambda carried=carried: b.chat._in.envelope_arrived(carried.header, carried.record.data, None))
    assert b.inbox() == ["1"]


def test_a_device_certified_by_two_persons_stays_with_the_first() -> None:
    valley, a, b = two()
    thief = valley.box("t")
    certificate = b.chat.people.device(a.keys.device)
    assert certificate is not None
    b.chat.people._devices[a.keys.device] = replace(certificate, persona=thief.keys.persona)
    valley.deliver(a, b, EnvelopeFrame(sealed_first(a, b), 0, 0))
    assert b.ctx.counters["first_message_refused"] == 1


def test_what_is_not_understood_is_carried() -> None:
    valley, a, b = two()
    data = bytes((1 << 6 | 5 << 3 | 2, 11, 0, 0, 0, 0)) + bytes(10) + bytes(64)
    valley.deliver(a, b, EnvelopeFrame(data, 0, 0))
    assert len(b.forwarding.shelf) == 1


# Posts


def test_stored_blocks_that_are_no_posts_or_have_no_body_are_not_filed() -> None:
    valley, a, b = two()
    square = channel_id("square")
    a.post(square, "here")
    valley.share()
    b.joins(square)
    (row,) = [row for row in b.rows.every(BlockRecord) if row.kind == POST]
    later = [
        replace(row, kind=99),
        replace(row, body_state=BODY_DROPPED),
        replace(row, content=b"\2" + row.content[1:]),
    ]
    token = next(iter(b.chat._channels._histories._asked))
    b.step(lambda: b.chat.stored(Stored(token, tuple(later))))
    assert b.inbox() == []


def carried_post() -> tuple[Valley, Box, Block]:
    """B joins, and the first page of what it carried is asked for and not answered yet."""
    valley, a, b = two()
    square = channel_id("square")
    a.post(square, "here")
    valley.share()
    b.joins(square)
    (post,) = [block for block in valley.blocks if block.kind == POST]
    return valley, b, post


def test_a_post_that_comes_while_its_page_is_read_is_filed_once() -> None:
    valley, b, post = carried_post()
    b.step(lambda: b.chat.block_arrived(post))
    valley.run(1.0)
    assert [message.text for message in b.filed()] == ["here"]


def test_a_header_that_comes_while_its_page_is_read_leaves_the_post_to_the_page() -> None:
    valley, b, post = carried_post()
    b.step(lambda: b.chat.block_arrived(post._replace(body=None)))
    valley.run(1.0)
    assert [message.text for message in b.filed()] == ["here"]


def test_a_header_of_a_person_log_says_nothing_of_the_person() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    own = OwnLogs(b.ctx).write(PERSON_CHANNEL, CERTIFICATE, b.keys.certificate)
    a.step(lambda: a.chat.block_arrived(own._replace(body=None)))
    assert a.rings.persona_of(b.keys.device) is None
    a.step(lambda: a.chat.block_arrived(own))
    assert a.rings.persona_of(b.keys.device) == b.keys.persona


def test_of_a_log_that_goes_while_its_page_is_read_nothing_stays_to_be_read() -> None:
    valley, b, post = carried_post()
    b.step(lambda: b.chat.log_gone(post.log))
    assert [fact.name for fact in b.rows.every(FactRecord) if fact.name.startswith("history/")] == []
    valley.run(1.0)
    assert b.filed() == []


def test_posts_of_nameless_devices_are_remembered_within_bounds() -> None:
    valley = Valley()
    a, b, c = valley.box("a"), valley.box("b"), valley.box("c")
    persons = list(valley.blocks)
    square = channel_id("square")
    b.joins(square)
    c.post(square, "the first of all")
    b.hears_of(valley.blocks[-1])
    for number in range(300):
        a.post(square, str(number))
        b.hears_of(valley.blocks[-1])
    assert len(b.inbox()) == 301
    assert len(b.chat._channels._nameless) == 256
    for block in persons:
        b.hears_of(block)
    assert not b.chat._channels._nameless
    peers = [row.peer for row in sorted(b.rows.every(MessageRecord), key=lambda row: row.cursor)]
    assert peers == [c.keys.device, *[a.keys.device] * 44, *[a.keys.persona] * 256]


def test_a_log_that_is_gone_has_no_history() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    square = channel_id("square")
    for box in (a, b):
        box.post(square, "hello")
    channels = b.chat._channels
    b.hears_of(valley.blocks[-2])
    assert len(channels._heads[square]) == 1
    b.chat.log_gone(valley.blocks[-2].log)
    assert not channels._heads
    b.chat.log_gone(valley.blocks[-2].log)
    b.joins(square)
    assert b.inbox() == []


def test_only_what_is_covered_is_carried() -> None:
    valley, a, b = two()
    square = channel_id("square")
    first, second = a.post(square, "one"), a.post(square, "two")
    block = valley.blocks[-2]
    a.step(lambda: a.chat.covered(block.log, block.seq, a.neighbours.of(b)))
    assert (a.state(first), a.state(second)) == ("carried", "kept")


# Prekeys and people


def test_a_hint_is_given_where_many_nodes_are_known() -> None:
    valley, a, b = two(imax_s=1e9)
    for number in range(HINT_FROM_NODES):
        a.forwarding.strategy.met(NodeKey(bytes([number]) * 32), NeighbourId(bytes([number]) * 6), ())
    valley.run(7 * DAY_S + 10)
    mine = [block for block in valley.blocks if block.log[:32] == a.keys.device]
    said, _ = decode_prekey_untrusted(mine[-1].body or b"", a.sealer)
    assert said.hint != 0
    valley.share()
    a.chat.sessions.drop_device(b.keys.device)
    b.write(a, "with a hint")
    assert {frame.data[5] for name, frame in valley.envelopes_on_air() if name == "b"} == {said.hint}


def test_without_a_clock_prekeys_carry_no_dates() -> None:
    valley = Valley()
    a = valley.box("a")
    said, _ = decode_prekey_untrusted(valley.blocks[-1].body or b"", a.sealer)
    assert (said.made, said.open_until) == (0, 0)


def test_a_contact_keeps_the_day_it_was_added() -> None:
    valley, a, b = two()
    valley.run(10.0)
    before = a.rows.every(ContactRecord)
    a.step(lambda: a.chat.set_contact(SetContact(b.keys.persona, "Bo", True, False)))
    (after,) = a.rows.every(ContactRecord)
    assert (after.name, after.verified, after.added_at) == ("Bo", True, before[0].added_at)


# Outgoing


def test_urgent_and_bulk_messages_have_other_budgets() -> None:
    valley, a, b = talked()
    valley.part(a, b)
    for cls in (1, 2, 3):
        a.write(b, str(cls), cls=cls)
    assert [row.copies for row in a.rows.every(EnvelopeRecord)] == [16, 8, 4]


def test_a_probe_needs_a_key_and_ends_after_an_hour() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    a.knows(b)
    probe = a.write(b, "", probe=True)
    assert not a.rows.every(EnvelopeRecord)
    valley.run(3601.0)
    assert a.state(probe) == "expired"
    assert not a.rows.every(MessageRecord)


def test_a_probe_may_be_the_first_contact() -> None:
    valley, a, b = two()
    probe = a.write(b, "", probe=True)
    valley.run(1.0)
    assert a.state(probe) == "delivered"
    assert b.inbox() == []
    assert len(b.rows.every(RatchetRecord)) == 1


def test_what_was_given_up_is_not_sealed_again_by_a_timer() -> None:
    valley, a, b = talked()
    valley.part(a, b)
    message = a.write(b, "waiting")
    for _ in range(outgoing.MAX_RESEALS):
        a.chat.states.resealed(message)
    a.chat._out._reseal.set(message, valley.now)
    valley.run(1.0)
    assert len(a.rows.every(RatchetRecord)) == 1


def test_a_note_to_who_lost_its_key_is_not_written() -> None:
    valley, a, b = talked()
    (message,) = b.filed()
    b.chat.sessions.drop_device(a.keys.device)
    b.chat.people._prekeys.clear()
    said = len(valley.on_air)
    b.reads(message.id)
    assert len(valley.on_air) == said
    assert b.state(message.id) == "read"


def test_a_message_without_its_place_takes_a_new_one() -> None:
    valley, a, b = talked()
    valley.part(a, b)
    a.write(b, "second")
    name = next(row.name for row in a.rows.every(FactRecord) if row.name.startswith(outgoing._UNSENT))
    del a.rows.tables[FactRecord][name,]
    valley.reboot(a)
    valley.join(a, b)
    valley.run(60.0)
    assert b.inbox() == ["hello", "second"]


def test_restored_states_without_words_and_words_without_states_do_no_harm() -> None:
    valley, a, b = talked()
    valley.part(a, b)
    message = a.write(b, "second")
    del a.rows.tables[StateRecord][message,]
    valley.reboot(a)
    assert a.chat.why(message) is None
    assert a.chat._out.waiting_for(message) == ""
    valley.join(a, b)
    valley.run(30.0)
    assert b.inbox() == ["hello", "second"]


def test_two_hours_without_a_key_and_still_waiting() -> None:
    valley = Valley(imax_s=1e9)
    a, b = valley.box("a"), valley.box("b")
    a.knows(b)
    message = a.write(b, "hello")
    valley.run(7300.0)
    assert a.chat.why(message).waiting_for == "key of b"
    a.step(lambda: a.chat._out.key_came(b.keys.device))
    a.step(lambda: a.chat._out.restarted(b.keys.device))
    a.step(lambda: a.chat._out._begin_again(b.keys.device))
    assert a.state(message) == "kept"


def test_without_a_new_key_the_old_session_goes_on() -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.part(a, b)
    a.write(b, "waiting")
    prekeys = a.chat.people._prekeys
    kept = dict(prekeys)
    prekeys.clear()
    valley.run(DAY_S + 10)
    assert len(a.rows.every(RatchetRecord)) == 1
    prekeys.update(kept)
    valley.run(3601.0)
    assert len(a.rows.every(RatchetRecord)) == 2


def test_a_stranger_learns_nothing_of_what_was_read() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.join(a, b)
    a.knows(b)
    valley.share()
    message = a.write(b, "do you know me?")
    valley.run(10.0)
    said = len(valley.on_air)
    b.reads(message)
    assert b.state(message) == "read"
    assert not any(name == "b" for name, _ in valley.on_air[said:])


# Parts on their own


def test_parts_that_nobody_wired_stand_alone() -> None:
    _, a, _ = two()
    logs = OwnLogs(a.ctx)
    block = logs.write(channel_id("square"), POST, b"unheard")
    assert logs.head(block.log) == (1, block.id)
    people = People(a.ctx, logs, a.rings)
    people.on_prekey(DEVICE)
    people.on_device(DEVICE, PERSONA)
    people.on_contact(ContactRecord(PERSONA, "x", False, False, 0.0))
    incoming = Incoming(a.ctx, people, a.chat.sessions, Chains(a.ctx), a.chat._filing, a.forwarding)
    incoming.on_read_note(PERSONA, b"")
    incoming.on_heard_of(DEVICE)
    assert a.chat.publish is not None
    adoptions = Adoptions(a.ctx, logs, people, a.rings)
    assert adoptions.adopt(Adoption(block.log, 1, block.id)) == 0
    assert adoptions.branches(DEVICE) == []
    adoptions.block_arrived(logs.write(PERSON_CHANNEL, ADOPTION, b"of a later version")._replace(version=2))
    assert not a.ctx.counters["adoption_refused"]
    assert Channels(a.ctx, logs, a.chat.states, a.chat._filing, a.rings).may_post(DEVICE)
    assert incoming.wakeup() is None


def test_tags_that_come_into_the_window_are_looked_up_among_what_is_carried() -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.part(a, b)
    for number in range(135):
        a.write(b, str(number))
        (session,) = a.chat.sessions.of(b.keys.device)
        session.ratchet.proved(session.ratchet.send_index - 1)  # a sender that goes on beyond what rules allow
    sealed = [row.data for row in a.rows.every(EnvelopeRecord)]
    valley.beacons = False
    valley.join(a, b)
    valley.deliver(a, b, EnvelopeFrame(sealed[134], 0, 0))
    assert b.inbox() == ["hello"]
    valley.deliver(a, b, EnvelopeFrame(sealed[60], 0, 0))
    assert b.inbox() == ["hello", "60", "134"]
    assert len(b.forwarding.shelf) == 0


def test_a_long_row_of_what_is_carried_opens_whatever_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("WINDOW", "MAX_MESSAGES"):  # each opens the next: a hostile contact can lay out a row as it likes
        monkeypatch.setattr(ratchet, limit, {"WINDOW": 1, "MAX_MESSAGES": 10_000}[limit])
    valley, a, b = talked(imax_s=1e9)
    valley.part(a, b)
    for number in range(600):
        a.write(b, str(number))
        (session,) = a.chat.sessions.of(b.keys.device)
        session.ratchet.proved(session.ratchet.send_index - 1)
    sealed = [row.data for row in a.rows.every(EnvelopeRecord)]
    valley.beacons = False
    valley.join(a, b)
    for data in [*sealed[1:], sealed[0]]:
        valley.deliver(a, b, EnvelopeFrame(data, 0, 0))
    assert b.inbox() == ["hello", *(str(number) for number in range(600))]


def test_nonsense_that_opens_moves_the_window_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    valley, a, b = talked(imax_s=1e9)
    valley.part(a, b)
    for number in range(150):
        if number == 100:
            monkeypatch.setattr(Inner, "encode", lambda self: bytes(16))
        a.write(b, str(number))
        monkeypatch.undo()
        (session,) = a.chat.sessions.of(b.keys.device)
        session.ratchet.proved(session.ratchet.send_index - 1)
    sealed = [row.data for row in a.rows.every(EnvelopeRecord)]
    valley.beacons = False
    valley.join(a, b)
    valley.deliver(a, b, EnvelopeFrame(sealed[100], 0, 0))
    valley.deliver(a, b, EnvelopeFrame(sealed[149], 0, 0))
    assert b.inbox() == ["hello", "149"]
    valley.reboot(b)
    assert sealed[100][6:16] not in b.chat.sessions._tags


def test_who_carries_it_is_told_after_a_reboot_too() -> None:
    valley = Valley()
    a, b, c = valley.box("a"), valley.box("b"), valley.box("c")
    valley.befriend(a, b, c)
    message = a.write(b, "hello")
    valley.reboot(a)
    valley.join(a, c)
    valley.run(10.0)
    assert a.state(message) == "carried"


def test_only_what_is_kept_waits_for_a_carrier() -> None:
    valley, a, b = two()
    valley.beacons = False
    valley.deliver(a, b, EnvelopeFrame(bytes((3 << 3 | 1 << 6 | 2, 11)) + bytes(60), 0, 0))
    assert len(b.forwarding.shelf) == 1
    assert list(b.forwarding.waiting()) == []
