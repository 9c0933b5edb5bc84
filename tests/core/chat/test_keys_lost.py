"""When keys are gone or old: sealing again, restored homes, prekeys in time, replays and rubbish."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.chain.kinds import INCARNATION, PREKEY
from meshnode.core.chat.outgoing import MAX_RESEALS
from meshnode.core.chat.prekeys import KEEP_S, ROTATE_S
from meshnode.core.clock import EPOCH_2026, WallClock
from meshnode.core.identity.certificate import SHORT_CERTIFICATE_SIZE
from meshnode.core.ids import hashed, log_device
from meshnode.core.notices import ContactChanged
from meshnode.core.records import EnvelopeRecord, PeerPrekeyRecord, PrekeyRecord, RatchetRecord, StateRecord
from meshnode.core.sealing.envelope import KIND_FIRST, read_envelope_untrusted
from meshnode.core.sealing.first import CERTIFICATE_ID_SIZE
from meshnode.core.wire.frames import EnvelopeFrame, Frame, Receipts
from support.valley import Box, Valley

DAY_S = 86400.0


def two(**more: float) -> tuple[Valley, Box, Box]:
    valley = Valley(**{"imax_s": 3600.0, **more})  # type: ignore[arg-type]
    a, b = valley.line("ab")
    return valley, a, b


def firsts(valley: Valley, sender: Box) -> int:
    """How many different first messages a box sent."""
    sent = {f.data for name, f in valley.envelopes_on_air() if name == sender.name}
    return sum(read_envelope_untrusted(data).kind == KIND_FIRST for data in sent)


def test_without_a_receipt_it_is_sealed_again_three_times_with_waits_doubling() -> None:
    valley, a, b = two()
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame | Receipts)
    message = a.write(b, "hello")
    seen = []
    for _ in range(13):
        valley.run(DAY_S)
        seen.append(a.rows.tables[StateRecord][message,].attempts)
    assert seen[:8] == [0, 1, 1, 2, 2, 2, 2, 3] or seen[:8] == [1, 1, 2, 2, 2, 2, 3, 3]
    assert max(seen) == MAX_RESEALS
    assert a.state(message) == "on_air"
    assert len({row.root_id for row in a.rows.every(RatchetRecord)}) == 1 + MAX_RESEALS


def test_who_has_our_certificate_is_told_its_name_only() -> None:
    """A session that is replaced in time. Where answers stayed out it comes whole: who knows what is left there."""
    valley, a, b = two()
    sizes = []
    for text in ("week 1", "week 2"):
        before = len(valley.on_air)
        a.write(b, text)
        valley.run(60.0)
        sizes.append(next(len(f.data) for name, f in valley.on_air[before:] if isinstance(f, EnvelopeFrame)))
        valley.run(8 * DAY_S)
    assert sizes[0] - sizes[1] == SHORT_CERTIFICATE_SIZE - CERTIFICATE_ID_SIZE
    assert b.inbox() == ["week 1", "week 2"]
    a.chat.sessions.retire(b.keys.device)
    before = len(valley.on_air)
    a.write(b, "week 3")
    assert sizes[0] == next(len(f.data) for name, f in valley.on_air[before:] if isinstance(f, EnvelopeFrame))


def test_after_three_tries_it_goes_once_more_when_the_other_is_heard_of() -> None:
    valley, a, b = two()
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame) and sender is a
    a.write(b, "hello")
    valley.run(10 * DAY_S)
    before = firsts(valley, a)
    b.write(a, "are you there?")
    valley.run(30.0)
    assert a.inbox() == ["are you there?"]
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(60.0)
    assert b.inbox() == ["hello"]
    assert firsts(valley, a) >= before


def test_the_same_message_under_two_seals_is_filed_once() -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, Receipts)
    message = a.write(b, "only once")
    valley.run(30.0)
    valley.run(2 * DAY_S)
    assert b.inbox() == ["hello", "only once"]
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(2 * 3600.0)
    assert a.state(message) == "delivered"
    assert not a.rows.every(EnvelopeRecord)


@pytest.mark.parametrize("reboot", [False, True])
def test_a_late_receipt_for_an_older_seal_leaves_the_new_session_its_beginning(reboot: bool) -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    a.write(b, "under two seals")
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame)  # but what is under way arrives
    a.step(lambda: a.chat._out.restarted(b.keys.device))
    later = a.write(b, "later")
    valley.run(20.0)
    assert b.inbox() == ["hello", "under two seals"]
    if reboot:
        valley.reboot(a)
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(2 * 3600.0)
    assert b.inbox() == ["hello", "under two seals", "later"]
    assert a.state(later) == "delivered"
    assert not a.rows.every(EnvelopeRecord)


def test_a_receipt_for_the_newest_seal_withdraws_first_messages_of_sessions_that_were_given_up() -> None:
    valley, a, b = two()
    valley.part(a, b)
    message = a.write(b, "hello")
    valley.run(DAY_S + 600.0)
    older, _ = sorted(a.rows.every(EnvelopeRecord), key=lambda row: row.held_since)
    valley.dropped = lambda sender, receiver, frame: isinstance(frame, EnvelopeFrame) and frame.data == older.data
    valley.join(a, b)
    valley.run(60.0)
    assert a.state(message) == "delivered"
    assert not a.rows.every(EnvelopeRecord)


def test_a_restored_recipient_gets_everything_again_and_files_it_once() -> None:
    valley, a, b = two()
    a.write(b, "before")
    valley.run(10.0)
    valley.part(a, b)
    a.write(b, "while away")
    b.restored()
    valley.share()
    valley.join(a, b)
    valley.run(60.0)
    assert b.inbox() == ["before", "while away"]
    assert [n.what for n in a.notices if isinstance(n, ContactChanged)].count("incarnation") == 1
    b.write(a, "I am back")
    valley.run(60.0)
    assert a.inbox() == ["I am back"]
    assert any(block.kind == INCARNATION for block in valley.blocks if log_device(block.log) == b.keys.device)


def test_a_restored_recipient_whose_new_key_is_not_known_yet() -> None:
    valley, a, b = two()
    a.write(b, "before")
    valley.run(10.0)
    valley.part(a, b)
    b.restored()
    for block in valley.blocks:
        if log_device(block.log) == a.keys.device:
            b.hears_of(block)
    valley.join(a, b)
    b.write(a, "it is me again")
    valley.run(60.0)
    a.write(b, "welcome back")
    valley.run(60.0)
    assert (a.inbox(), b.inbox()) == (["it is me again"], ["before", "welcome back"])


def test_a_restored_sender_starts_a_new_chain_and_sends_what_had_no_receipt() -> None:
    valley, a, b = two()
    a.write(b, "one")
    valley.run(10.0)
    valley.part(a, b)
    lost = a.write(b, "two")
    a.restored()
    valley.share()
    valley.join(a, b)
    valley.run(60.0)
    a.write(b, "three")
    valley.run(60.0)
    assert b.inbox() == ["one", "two", "three"]
    assert a.state(lost) == "delivered"
    valley.reboot(a)
    a.write(b, "four")
    valley.run(60.0)
    assert b.inbox()[-1] == "four"


def test_what_an_old_incarnation_wrote_still_arrives_once() -> None:
    valley, a, b = two()
    a.write(b, "one")
    valley.run(10.0)
    valley.part(a, b)
    a.write(b, "late")
    (late,) = a.rows.every(EnvelopeRecord)
    a.restored()
    valley.share()
    valley.join(a, b)
    a.write(b, "new")
    valley.run(60.0)
    frame = EnvelopeFrame(late.data, 0, 0)
    valley.deliver(a, b, frame)
    valley.reboot(b)
    valley.deliver(a, b, frame)
    valley.run(60.0)
    assert sorted(b.inbox()) == ["late", "late", "new", "one"]  # the restored home could not know: its first copy
    valley.deliver(a, b, frame)
    assert len(b.inbox()) == 4


def test_prekeys_are_made_each_week_and_erased_after_seven() -> None:
    valley, a, _ = two()
    valley.run(ROTATE_S * 10)
    held = a.rows.every(PrekeyRecord)
    assert len(held) == 7
    assert all(record.open_until > valley.now for record in held)
    assert all(record.open_until - record.made_at == KEEP_S for record in held)


def test_a_first_message_to_a_prekey_forty_days_old_opens() -> None:
    valley, a, b = two()
    valley.part(a, b)
    valley.run(40 * DAY_S)
    a.write(b, "from a far island")
    valley.join(a, b)
    valley.run(30.0)
    assert b.inbox() == ["from a far island"]


def test_with_less_than_two_days_left_it_waits_for_the_next_key() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.today(a, b)
    for block in valley.blocks:  # made before the date was known: again, with dates
        assert block.kind
    valley.boxes.clear()
    valley.blocks.clear()
    valley.boxes.update(a=a, b=b)
    b.rows.tables.pop(PrekeyRecord, None)
    b.chat.people.prekeys._held.clear()
    b.step(lambda: None)
    valley.befriend(a, b)
    valley.run(47.5 * DAY_S)
    b.on = False
    message = a.write(b, "too late for this key")
    assert a.chat.why(message).waiting_for == "key of b"
    b.on = True
    valley.join(a, b)
    valley.run(60.0)
    valley.share()
    valley.run(60.0)
    assert b.inbox() == ["too late for this key"]


@pytest.mark.parametrize("reboot", [False, True])
def test_without_a_date_a_prekey_ages_from_the_day_it_came(reboot: bool) -> None:
    valley = Valley(imax_s=1e9)
    a, b = valley.box("a"), valley.box("b")
    valley.befriend(a, b)
    b.on = False
    valley.run(40 * DAY_S)
    if reboot:
        valley.reboot(a)
    valley.run(6.9 * DAY_S)
    early = a.write(b, "in time")
    assert a.chat.why(early).waiting_for == "a neighbour to come into reach"
    a.chat.sessions.retire(b.keys.device)
    valley.run(0.2 * DAY_S)
    message = a.write(b, "too late for this key")
    assert a.chat.why(message).waiting_for == "key of b"


@pytest.mark.parametrize("year", [1970, 2040])
def test_a_clock_that_jumps_erases_no_keys_and_loses_no_message(year: int) -> None:
    valley = Valley()
    a, b, c = valley.line("abc")
    valley.today(a, c)
    a.write(c, "one")
    valley.run(20.0)
    wrong = (year - 1970) * 365.25 * DAY_S
    valley.date(wrong, b, c)
    valley.part(b, c)
    a.write(c, "two")
    valley.run(60.0)
    valley.join(b, c)
    valley.run(60.0)
    c.write(a, "three")
    valley.run(60.0)
    assert (c.inbox(), a.inbox()) == (["one", "two"], ["three"])
    valley.date(EPOCH_2026, c)  # stepping back
    a.write(c, "four")
    valley.run(60.0)
    assert c.inbox()[-1] == "four"
    assert len(c.rows.every(PrekeyRecord)) == 1


def test_a_wrong_seal_under_a_right_tag_displaces_nothing() -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    seen: list[EnvelopeFrame] = []

    def hold(sender: Box, receiver: Box, frame: Frame) -> bool:
        if isinstance(frame, EnvelopeFrame) and sender is a:
            seen.append(frame)
            return True
        return False

    valley.dropped = hold
    message = a.write(b, "the true one")
    valley.run(0.1)
    rubbish = seen[0].data[:16] + bytes(len(seen[0].data) - 16)
    valley.deliver(a, b, EnvelopeFrame(rubbish, 0, 0))
    assert b.ctx.counters["wrong_seal"] == 1
    assert b.inbox() == ["hello"]
    valley.dropped = lambda sender, receiver, frame: False
    valley.run(60.0)
    assert b.inbox() == ["hello", "the true one"]
    assert a.state(message) == "delivered"


def test_a_replayed_first_message_opens_no_second_session() -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    first = next(f for _, f in valley.envelopes_on_air())
    b.forwarding._receipts._tombstones.clear()  # as if its tombstone were over
    valley.deliver(a, b, replace(first, handovers=()))
    assert b.ctx.counters["first_message_replayed"] == 1
    assert b.inbox() == ["hello"]
    assert len(b.rows.every(RatchetRecord)) == 1


def test_first_messages_beyond_twenty_a_second_wait_in_line() -> None:
    valley, a, b = two()
    valley.part(a, b)
    rubbish = [bytes([0x4A, 8, 0, 0, 0, 0]) + hashed(b"test", bytes([n]), 10) + bytes(1200) for n in range(60)]
    a.write(b, "behind the rubbish")
    (envelope,) = a.rows.every(EnvelopeRecord)
    valley.join(a, b)
    b.ctx.chat_due.at = float("inf")
    for data in rubbish:
        valley.deliver(a, b, EnvelopeFrame(data, 0, 0))
    valley.deliver(a, b, EnvelopeFrame(envelope.data, 0, 0))
    assert b.inbox() == []
    assert b.ctx.chat_due.at <= (b.chat.wakeup() or 0.0), "who remembers when chat is due was told"
    valley.run(5.0)
    assert b.inbox() == ["behind the rubbish"]


def test_the_line_of_first_messages_is_bounded() -> None:
    valley, a, b = two()
    for n in range(540):
        data = bytes([0x4A, 8, 0, 0, 0, 0]) + hashed(b"test", n.to_bytes(2, "big"), 10) + bytes(20)
        valley.deliver(a, b, EnvelopeFrame(data, 0, 0))
    assert b.ctx.counters["first_messages_dropped"] == 20


def test_a_neighbour_that_floods_us_with_first_messages_keeps_no_other_out() -> None:
    valley, a, b = two()
    flooder = valley.box("x")
    valley.part(a, b)
    valley.join(flooder, b)
    a.write(b, "through the flood")
    (envelope,) = a.rows.every(EnvelopeRecord)
    valley.join(a, b)
    for n in range(540):
        data = bytes([0x4A, 8, 0, 0, 0, 0]) + hashed(b"test", n.to_bytes(2, "big"), 10) + bytes(20)
        valley.deliver(flooder, b, EnvelopeFrame(data, 0, 0))
    valley.deliver(a, b, EnvelopeFrame(envelope.data, 0, 0))
    valley.run(0.2)
    assert b.inbox() == ["through the flood"]


def test_a_prekey_of_an_old_incarnation_is_not_used() -> None:
    valley, a, b = two()
    old = [block for block in valley.blocks if block.kind == PREKEY and log_device(block.log) == b.keys.device]
    b.restored()
    valley.share()
    for block in old:
        a.step(lambda block=block: a.chat.block_arrived(block))
    (known,) = [row for row in a.rows.every(PeerPrekeyRecord) if row.device == b.keys.device]
    assert known.incarnation == b.keys.incarnation


def test_dates_ahead_of_ours_are_shown_as_about_now() -> None:
    valley, a, b = two()
    valley.today(b)
    a.clock = a.ctx.clock = WallClock(EPOCH_2026 + 20 * 365 * DAY_S, valley.now, 1.0, "gps")
    a.write(b, "from the future")
    valley.run(10.0)
    (message,) = b.filed()
    assert abs(message.sent_at - message.received_at) < 61.0
