"""Who belongs to whom: person logs, contacts, strangers, blocked and removed."""

from __future__ import annotations

import pytest

from meshnode.core.chain.block import ROOT, Block, write_block
from meshnode.core.chain.incarnation import Beginning
from meshnode.core.chain.kinds import CERTIFICATE, INCARNATION, PREKEY, PROFILE, REVOCATION
from meshnode.core.chat import people as people_module
from meshnode.core.chat import superseded
from meshnode.core.chat.prekeys import PrekeyBody, decode_prekey_untrusted
from meshnode.core.chat.requests import MAX_REQUESTS
from meshnode.core.identity.certificate import CAN_MESSAGE, CAN_POST, issue_certificate, revoke_device
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import PERSON_CHANNEL, Incarnation, channel_id, log_id
from meshnode.core.inputs import Stored
from meshnode.core.notices import ContactChanged
from meshnode.core.records import (
    ContactRecord,
    DeviceRecord,
    FactRecord,
    MessageRecord,
    PeerPrekeyRecord,
    RatchetRecord,
    StateRecord,
)
from meshnode.core.sealing.seeded import SeededEntropy
from meshnode.errors import UsageError, WireError
from support.valley import Box, Valley


def two() -> tuple[Valley, Box, Box]:
    valley = Valley()
    a, b = valley.line("ab")
    return valley, a, b


def person_block(box: Box, kind: int, body: bytes, seq: int = 9) -> Block:
    """A block of this box's person log, signed."""
    log = log_id(box.keys.device, box.keys.incarnation, PERSON_CHANNEL)
    prev = ROOT if seq == 1 else bytes(19) + b"\1"
    return write_block(log, seq, prev, kind, body, time=0, secret=box.keys.device_secret, sealer=box.sealer)


def told(box: Box, what: str) -> list[ContactChanged]:
    return [n for n in box.notices if isinstance(n, ContactChanged) and n.what == what]


def test_a_person_log_begins_with_certificate_profile_and_prekey() -> None:
    valley = Valley()
    a = valley.box("a")
    assert [block.kind for block in valley.blocks] == [CERTIFICATE, PROFILE, PREKEY]
    assert [block.seq for block in valley.blocks] == [1, 2, 3]
    valley.reboot(a)
    assert len(valley.blocks) == 3


def test_a_device_and_its_prekey_are_learnt_from_its_log() -> None:
    _, a, b = two()
    (device,) = [row for row in a.rows.every(DeviceRecord) if row.device == b.keys.device]
    assert (device.persona, device.incarnation) == (b.keys.persona, b.keys.incarnation)
    (prekey,) = [row for row in a.rows.every(PeerPrekeyRecord) if row.device == b.keys.device]
    assert len(prekey.public) == 1216
    assert a.rings.persona_of(b.keys.device) == b.keys.persona


def test_a_prekey_body_round_trips() -> None:
    box = Valley().box("a")
    body = PrekeyBody(bytes(1216), 7, 100, 200, box.keys.certificate)
    read, certificate = decode_prekey_untrusted(body.encode(), box.sealer)
    assert read == body
    assert certificate.device == box.keys.device
    with pytest.raises(WireError):
        decode_prekey_untrusted(body.encode() + b"x", box.sealer)


def test_blocks_that_do_not_fit_their_device_are_refused() -> None:
    _, a, b = two()
    stranger = new_keys(b.sealer, SeededEntropy("stranger"))
    for kind, body in ((CERTIFICATE, stranger.certificate), (CERTIFICATE, b"short"), (PREKEY, bytes(1300))):
        a.step(lambda kind=kind, body=body: a.chat.block_arrived(person_block(b, kind, body)))
    assert a.ctx.counters["person_block_refused"] == 3
    assert stranger.persona not in {row.persona for row in a.rows.every(DeviceRecord)}


def test_an_older_prekey_does_not_replace_a_newer() -> None:
    valley, a, b = two()
    (prekey,) = [block for block in valley.blocks if block.kind == PREKEY and block.log[:32] == b.keys.device]
    newer = person_block(b, PREKEY, PrekeyBody(bytes(1216), 1, 0, 0, b.keys.certificate).encode())
    for block in (newer, prekey):
        a.step(lambda block=block: a.chat.block_arrived(block))
    (known,) = [row for row in a.rows.every(PeerPrekeyRecord) if row.device == b.keys.device]
    assert known.seq == newer.seq


def test_a_contact_on_a_new_device_is_shown() -> None:
    _, a, b = two()
    second = new_keys(b.sealer, SeededEntropy("second"))
    certificate = issue_certificate(b.sealer, b.keys.persona, b.keys.persona_secret, second.device)
    log = log_id(second.device, second.incarnation, PERSON_CHANNEL)
    block = write_block(log, 1, ROOT, CERTIFICATE, certificate, time=0, secret=second.device_secret, sealer=b.sealer)
    a.step(lambda: a.chat.block_arrived(block))
    assert [notice.persona for notice in told(a, "device")] == [b.keys.persona]


def test_a_removed_device_is_written_to_no_more() -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    statement = revoke_device(b.sealer, b.keys.persona, b.keys.persona_secret, b.keys.device)
    b.step(lambda: b.chat.revoke(statement))
    assert valley.blocks[-1].kind == REVOCATION
    valley.share()
    assert not a.rows.every(RatchetRecord)
    assert told(a, "revoked")
    message = a.write(b, "anybody?")
    assert a.chat.why(message).waiting_for == "key of b"
    prekey = person_block(b, PREKEY, PrekeyBody(bytes(1216), 1, 0, 0, b.keys.certificate).encode())
    a.step(lambda: a.chat.block_arrived(prekey))
    assert a.ctx.counters["certificate_of_removed_device"] == 1
    a.step(lambda: a.chat.block_arrived(person_block(b, REVOCATION, statement)))
    assert len(told(a, "revoked")) == 1


DAY = 24 * 60
TODAY = 300 * DAY  # the date of `Valley.today`, in minutes since 2026


def certified_anew(by: Box, to: Box, **terms: int) -> None:
    """A box learns of a certificate that was issued later."""
    keys = by.keys
    certificate = issue_certificate(by.sealer, keys.persona, keys.persona_secret, keys.device, **terms)
    to.step(lambda: to.chat.block_arrived(person_block(by, CERTIFICATE, certificate)))


def test_a_certificate_that_ran_out_ends_writing_until_a_later_one_comes() -> None:
    valley, a, b = two()
    certified_anew(b, a, issued=1, expires=TODAY + DAY)
    valley.today(a)
    a.write(b, "in time")
    valley.run(10.0)
    assert b.inbox() == ["in time"]
    valley.run(1.1 * 86400)
    message = a.write(b, "late")
    assert a.chat.why(message).waiting_for == "key of b"
    certified_anew(b, a, issued=0)
    assert not a.chat.people.may_message(b.keys.device), "the older one does not come back"
    certified_anew(b, a, issued=2, expires=TODAY + 99 * DAY)
    valley.reboot(a)
    a.write(b, "again")
    valley.run(3700.0)
    assert sorted(b.inbox()) == ["again", "in time", "late"]


def test_without_a_date_no_certificate_has_run_out() -> None:
    valley, a, b = two()
    certified_anew(b, a, issued=1, expires=5)
    a.write(b, "hello")
    valley.run(10.0)
    assert b.inbox() == ["hello"]


@pytest.mark.parametrize("terms", [{"expires": TODAY - DAY}, {"capabilities": CAN_POST}])
def test_no_first_message_is_taken_without_leave(terms: dict[str, int]) -> None:
    valley, a, b = two()
    valley.today(b)
    certified_anew(a, b, issued=1, **terms)
    a.write(b, "hello")
    valley.run(30.0)
    assert b.inbox() == []
    assert b.ctx.counters["first_message_refused"]


@pytest.mark.parametrize(("capabilities", "shown"), [(CAN_MESSAGE, []), (CAN_POST, ["hear ye"])])
def test_posts_are_shown_of_who_may_post(capabilities: int, shown: list[str]) -> None:
    valley, a, b = two()
    square = channel_id("square")
    a.joins(square)
    b.joins(square)
    certified_anew(b, a, issued=1, expires=5, capabilities=capabilities)
    valley.today(a)
    b.post(square, "hear ye")
    valley.share()
    assert a.inbox() == shown


def test_what_a_removed_device_seals_is_refused() -> None:
    valley, a, b = two()
    statement = revoke_device(a.sealer, a.keys.persona, a.keys.persona_secret, a.keys.device)
    b.step(lambda: b.chat.block_arrived(person_block(a, REVOCATION, statement)))
    a.write(b, "hello")
    valley.run(30.0)
    assert b.inbox() == []
    assert b.ctx.counters["first_message_refused"]


def test_a_device_may_be_removed_before_it_was_ever_met() -> None:
    _, a, b = two()
    unseen = new_keys(b.sealer, SeededEntropy("unseen"))
    statement = revoke_device(b.sealer, b.keys.persona, b.keys.persona_secret, unseen.device)
    a.step(lambda: a.chat.block_arrived(person_block(b, REVOCATION, statement)))
    assert a.chat.people.is_revoked(unseen.device, b.keys.persona)
    assert a.rings.persona_of(unseen.device) is None
    certificate = issue_certificate(b.sealer, b.keys.persona, b.keys.persona_secret, unseen.device)
    log = log_id(unseen.device, unseen.incarnation, PERSON_CHANNEL)
    shown = write_block(log, 1, ROOT, CERTIFICATE, certificate, time=0, secret=unseen.device_secret, sealer=b.sealer)
    for _ in range(2):
        a.step(lambda: a.chat.block_arrived(shown))
        assert a.chat.people.is_revoked(unseen.device, b.keys.persona)
        assert a.rings.persona_of(unseen.device) == b.keys.persona


def test_a_removal_that_is_not_understood_is_refused() -> None:
    _, a, _ = two()
    with pytest.raises(UsageError, match="removal"):
        a.step(lambda: a.chat.revoke(b"nonsense"))


def test_unknown_kinds_are_carried_and_not_acted_upon() -> None:
    _, a, b = two()
    a.step(lambda: a.chat.block_arrived(person_block(b, 200, b"from the future")))
    later = person_block(b, PREKEY, b"later")._replace(version=2)
    a.step(lambda: a.chat.block_arrived(later))
    assert not a.ctx.counters["person_block_refused"]


def test_an_incarnation_block_says_which_is_over() -> None:
    valley, a, b = two()
    b.restored()
    (beginning,) = [block for block in valley.blocks if block.kind == INCARNATION]
    assert beginning.seq == 1
    assert beginning.body[:4] != b.keys.incarnation
    valley.share()
    assert any(row.name.startswith("superseded/") for row in a.rows.every(FactRecord))


def test_a_blocked_contact_is_not_heard_and_learns_nothing() -> None:
    valley, a, b = two()
    a.write(b, "hello")
    valley.run(10.0)
    b.knows(a, blocked=True)
    message = a.write(b, "listen!")
    valley.run(60.0)
    assert b.inbox() == ["hello"]
    assert a.state(message) in ("on_air", "carried")
    with pytest.raises(UsageError, match="blocked"):
        b.write(a, "no")
    b.knows(a)
    valley.run(2000.0)
    assert b.inbox()[0] == "hello"


def test_a_first_message_of_a_blocked_contact_is_not_heard() -> None:
    valley, a, b = two()
    b.knows(a, blocked=True)
    a.write(b, "listen!")
    valley.run(60.0)
    assert b.inbox() == []


def strangers() -> tuple[Valley, Box, Box]:
    """A has B in the address book, not the other way round."""
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    valley.join(a, b)
    a.knows(b)
    valley.share()
    return valley, a, b


def test_a_stranger_lands_in_the_request_box_and_gets_no_receipt() -> None:
    valley, a, b = strangers()
    first = a.write(b, "do you know me?")
    second = a.write(b, "hello?")
    valley.run(60.0)
    assert b.inbox() == ["do you know me?", "hello?"]
    assert {notice.persona for notice in told(b, "request")} == {a.keys.persona}
    assert a.state(first) != "delivered"
    valley.reboot(b)
    b.knows(a)
    valley.run(60.0)
    assert (a.state(first), a.state(second)) == ("delivered", "delivered")
    assert not [row for row in b.rows.every(FactRecord) if row.name.startswith("stranger/")]


def test_the_request_box_is_bounded() -> None:
    valley, a, b = strangers()
    for number in range(MAX_REQUESTS + 3):
        a.write(b, str(number))
        valley.run(1.0)
    assert len(b.inbox()) == MAX_REQUESTS
    assert b.ctx.counters["requests_full"] >= 3


def test_a_removed_contact_is_a_stranger_again() -> None:
    valley, a, b = two()
    b.step(lambda: b.chat.remove_contact(a.keys.persona))
    b.step(lambda: b.chat.remove_contact(a.keys.persona))
    assert not b.rows.every(ContactRecord)
    message = a.write(b, "hello?")
    valley.run(30.0)
    assert told(b, "request")
    assert a.state(message) != "delivered"


def test_posts_of_joined_channels_are_filed_others_when_joined() -> None:
    valley, a, b = two()
    square = channel_id("square")
    a.joins(square)
    post = a.post(square, "market at ten")
    assert a.state(post) == "kept"
    valley.share()
    assert b.inbox() == []
    b.joins(square)
    valley.run(1.0)
    assert b.inbox() == ["market at ten"]
    a.post(square, "rain")
    valley.share()
    assert b.inbox() == ["market at ten", "rain"]
    assert {row.channel for row in b.rows.every(MessageRecord)} == {square}
    assert {row.peer for row in b.rows.every(MessageRecord)} == {a.keys.persona}


def test_rejoining_files_only_what_came_meanwhile() -> None:
    valley, a, b = two()
    square = channel_id("square")
    for box in (a, b):
        box.joins(square)
    a.post(square, "one")
    valley.share()
    valley.run(1.0)
    b.joins(square, joined=False)
    valley.run(1.0)
    a.post(square, "two")
    valley.share()
    valley.reboot(b)
    assert b.inbox() == ["one"]
    b.joins(square)
    valley.run(1.0)
    assert b.inbox() == ["one", "two"]
    b.joins(square)
    valley.run(1.0)
    assert len(b.filed()) == 2


def test_a_post_moves_by_what_its_witnesses_say() -> None:
    valley, a, b = two()
    square = channel_id("square")
    a.joins(square)
    post = a.post(square, "hello", request=bytes(16))
    valley.reboot(a)
    assert a.post(square, "hello", request=bytes(16)) == post
    block = valley.blocks[-1]
    a.step(lambda: a.chat.block_on_air(block.id))
    assert a.state(post) == "on_air"
    a.step(lambda: a.chat.covered(block.log, block.seq, a.neighbours.of(b)))
    assert a.rows.tables[StateRecord][post,].witnesses == (a.neighbours.of(b).short,)
    assert a.state(post) == "carried"


def test_a_post_without_its_body_is_filed_when_the_body_comes() -> None:
    valley, a, b = two()
    square = channel_id("square")
    b.joins(square)
    a.post(square, "hello")
    block = valley.blocks[-1]
    b.step(lambda: b.chat.block_arrived(block._replace(body=None)))
    assert b.inbox() == []
    b.step(lambda: b.chat.block_arrived(block))
    assert b.inbox() == ["hello"]


def test_a_post_of_a_device_nobody_vouched_for_gets_its_writer_later() -> None:
    valley = Valley()
    a, b = valley.box("a"), valley.box("b")
    square = channel_id("square")
    b.joins(square)
    a.post(square, "who am I?")
    b.hears_of(valley.blocks[-1])
    assert [row.peer for row in b.rows.every(MessageRecord)] == [a.keys.device]
    valley.share()
    assert [row.peer for row in b.rows.every(MessageRecord)] == [a.keys.persona]


def test_ones_own_posts_are_not_filed_again() -> None:
    valley, a, _ = two()
    square = channel_id("square")
    a.joins(square)
    a.post(square, "hello")
    a.step(lambda: a.chat.block_arrived(valley.blocks[-1]))
    a.joins(square, joined=False)
    a.joins(square)
    valley.run(1.0)
    assert len(a.filed()) == 1


def test_answers_of_the_store_to_others_are_left_to_them() -> None:
    _, a, _ = two()
    assert a.step(lambda: a.chat.stored(Stored(3))) is False


def test_too_long_a_post_is_refused() -> None:
    _, a, _ = two()
    with pytest.raises(UsageError, match="in parts"):
        a.post(channel_id("square"), "x" * 20_000)


def test_a_later_kind_of_post_is_not_filed() -> None:
    _, a, b = two()
    a.joins(PERSON_CHANNEL)
    later = person_block(b, 1, b"post")._replace(version=2)
    a.step(lambda: a.chat.block_arrived(later))
    assert a.inbox() == []


def test_nobody_removes_the_device_of_another_before_it_is_known() -> None:
    valley = Valley()
    a, b, thief = valley.box("a"), valley.box("b"), valley.box("t")
    b.knows(a)
    statement = revoke_device(thief.sealer, thief.keys.persona, thief.keys.persona_secret, a.keys.device)
    b.step(lambda: b.chat.block_arrived(person_block(thief, REVOCATION, statement)))
    assert b.rings.persona_of(a.keys.device) is None, "a thief's word alone names no writer"
    valley.reboot(b)
    assert b.rings.persona_of(a.keys.device) is None
    for block in list(valley.blocks):
        a.hears_of(block)
    a.knows(b)
    valley.join(a, b)
    a.write(b, "it is me")
    valley.run(10.0)
    assert b.inbox() == ["it is me"]
    valley.share()
    assert b.chat.people.may_message(a.keys.device)
    assert b.rings.persona_of(a.keys.device) == a.keys.persona
    b.step(lambda: b.chat.block_arrived(person_block(thief, REVOCATION, statement)))
    assert not b.chat.people.is_revoked(a.keys.device, a.keys.persona)


def test_devices_of_strangers_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_module, "MAX_STRANGERS", 3)
    valley = Valley()
    b = valley.box("b")
    keys, unseen = valley.box("z").keys, new_keys(b.sealer, SeededEntropy("unseen"))
    valley.blocks = [block for block in valley.blocks if block.log[:32] != keys.device]
    removal = revoke_device(b.sealer, keys.persona, keys.persona_secret, unseen.device)  # the first to be forgotten
    b.step(lambda: b.chat.block_arrived(person_block(valley.boxes["z"], REVOCATION, removal)))
    friend, *strangers = [valley.box(name) for name in "fuvwxy"]
    b.knows(friend)
    valley.share()
    people = b.chat.people
    assert [people.device(box.keys.device) is not None for box in strangers] == [False, False, True, True, True]
    assert people.may_message(friend.keys.device)
    rows = {row.device for kind in (DeviceRecord, PeerPrekeyRecord) for row in b.rows.every(kind)}
    kept = {b.keys.device, friend.keys.device, *(box.keys.device for box in strangers[2:])}
    assert rows == kept == set(people._devices)
    assert people._prekeys.keys() == kept - {b.keys.device}
    assert b.rings.devices_of(strangers[0].keys.persona) == frozenset()
    assert b.rings.persona_of(strangers[0].keys.device) is None


def test_a_persona_has_so_many_devices_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_module, "MAX_OF_PERSONA", 3)
    _, a, b = two()
    for number in range(5):
        unseen = new_keys(b.sealer, SeededEntropy(f"device {number}"))
        statement = revoke_device(b.sealer, b.keys.persona, b.keys.persona_secret, unseen.device)
        a.step(lambda statement=statement: a.chat.block_arrived(person_block(b, REVOCATION, statement)))
    assert len([row for row in a.rows.every(DeviceRecord) if row.persona == b.keys.persona]) == 3
    assert a.ctx.counters["devices_too_many"] == 3


def test_incarnations_that_are_over_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superseded, "MAX_OF_DEVICE", 2)
    monkeypatch.setattr(superseded, "MAX_DEVICES", 2)
    valley = Valley()
    b = valley.box("b")
    for box in [valley.box(name) for name in "uvw"]:
        for number in (1, 2, 3, 3):
            body = Beginning(Incarnation(bytes([number]) * 4)).encode()
            b.step(lambda box=box, body=body: b.chat.block_arrived(person_block(box, INCARNATION, body)))
    held = b.chat.people._superseded._over
    assert [box.name for box in valley.boxes.values() if box.keys.device in held] == ["v", "w"]
    assert all(list(over) == [b"\2" * 4, b"\3" * 4] for over in held.values())
    assert len([row for row in b.rows.every(FactRecord) if row.name.startswith("superseded/")]) == 4
    valley.reboot(b)
    assert b.chat.people._superseded._over == held
