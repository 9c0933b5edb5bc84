"""Sessions: the captured ones open and seal to the same bytes; ours survive loss, restarts, clocks and liars."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import WireError
from meshnode.overlay.embedded.ends import handshakes, sessions
from meshnode.overlay.embedded.ends.handshakes import (
    ACK,
    INIT,
    Handshake,
    Pair,
    decode_handshake_untrusted,
    encode_handshake,
    fresh_pair,
    nonce_of,
    open_untrusted,
    seal,
)
from meshnode.overlay.embedded.ends.session import Session
from meshnode.overlay.embedded.ends.sessions import Sessions
from meshnode.overlay.embedded.routing.sequence import Sequence
from meshnode.overlay.embedded.wire.keys import Identity
from support.ygg_net import DATE, Seeded, identity

ALL = json.loads((Path(__file__).parents[2] / "vectors/yggdrasil.json").read_text())


def raw(text):
    return bytes.fromhex(text)


@pytest.mark.parametrize("row", ALL["session_init_captures"], ids=lambda row: f"{row['kind']} {row['source']}")
def test_captured_openings(row):
    dest = Identity(raw(ALL["nodes"][row["dest"]]["seed"]))
    said = decode_handshake_untrusted(raw(row["payload"]), dest, raw(ALL["nodes"][row["source"]]["public_key"]))
    fields = row["fields"]
    assert said == Handshake(raw(fields["current"]), raw(fields["next"]), fields["key_seq"], fields["seq"])
    sealed = seal(raw(row["decrypted"]), raw(row["nonce_24"]), raw(row["box_shared_key"]))
    assert raw(row["payload"])[33:] == sealed
    assert raw(row["payload"])[0] == (INIT if row["kind"] == "init" else ACK)


EVENTS = [
    event
    for name in ("python_initiates", "daemon_initiates")
    for event in ALL["session_transcripts"][name]
    if event["event"].endswith("_traffic")
]


def session_in(state):
    """A session in the state a transcript tells."""
    session = Session(Seeded(1), Handshake(raw(state["current"]), raw(state["next"]), 0, state["seq"]), 0.0)
    session._their_key_seq, session._own_seq = state["rks"], state["lks"]
    for ours, theirs in (("_receiving", "recv"), ("_sending", "send"), ("_next", "next")):
        setattr(session, ours, Pair(raw(state[f"{theirs}Pub"]), raw(state[f"{theirs}Priv"])))
    session._fix(state["rn"], state["sn"])
    session._ahead, session._ahead_old = state["nns"], state["nnr"]
    return session


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_captured_messages(event):
    session = session_in(event["state_before"])
    if event["event"] == "send_traffic":
        assert session.seal(raw(event["plaintext_message"]), 1.0) == raw(event["payload"])
        return
    session._rotated_at = float("-inf") if event["state_after"]["rks"] > event["state_before"]["rks"] else 1.0
    assert session.open_untrusted(raw(event["payload"]), 1.0) == raw(event["plaintext"])[32:]
    after = event["state_after"]
    assert (session._their_key_seq, session._own_seq) == (after["rks"], after["lks"])
    assert session._their_current == raw(after["current"])
    assert session._their_next == raw(after["next"])
    assert session._sending.public == raw(after["sendPub"])
    assert (session.received, session._ahead, session._ahead_old) == (after["rn"], after["nns"], after["nnr"])


class Side:
    """One node's sessions; what it sends lies in `out` until the test hands it over."""

    def __init__(self, number, kept=0, date=DATE):
        self.identity = identity(number)
        self.out, self.got, self.kept = [], [], [kept]
        self.start(date)

    def start(self, date, now=0.0):
        self.date, self.began = date, now
        sequence = Sequence(self.kept[-1], self.wall, self.kept.append, now)
        entropy = Seeded(len(self.kept) + self.identity.public[0])
        self.now = now
        self.sessions = Sessions(self.identity, entropy, sequence, self.send, self.take)

    def wall(self):
        return self.date + int(self.now - self.began)

    def send(self, dest, payload, now):
        self.out.append(payload)

    def take(self, source, message, now):
        self.got.append(message)

    def write(self, other, message, now):
        self.now = now
        self.sessions.write(other.identity.public, message, now)

    def hear(self, other, payload, now):
        self.now = now
        self.sessions.receive_untrusted(other.identity.public, payload, now)


def exchange(one, two, now):
    while one.out or two.out:
        for giver, taker in ((one, two), (two, one)):
            payloads, giver.out = giver.out, []
            for payload in payloads:
                taker.hear(giver, payload, now)


def opened(one, two, now=0.0):
    one.write(two, b"first", now)
    exchange(one, two, now)
    assert two.got[-1] == b"first"


def test_the_first_message_opens_a_session_and_arrives():
    opened(Side(1), Side(2))


def test_both_sides_may_begin_at_once():
    one, two = Side(1), Side(2)
    one.write(two, b"from one", 0.0)
    two.write(one, b"from two", 0.0)
    exchange(one, two, 0.0)
    assert (two.got, one.got) == ([b"from one"], [b"from two"])


def test_keys_change_every_minute_and_no_message_is_lost():
    one, two = Side(1), Side(2)
    opened(one, two)
    keys = set()
    for second in range(1, 400):
        for giver, taker in ((one, two), (two, one)):
            giver.write(taker, b"%d" % second, float(second))
            exchange(one, two, float(second))
            assert taker.got[-1] == b"%d" % second
        keys.add(one.sessions.all()[two.identity.public]._sending.public)
    assert 6 <= len(keys) <= 9


def test_one_way_traffic_goes_on_without_an_answer():
    one, two = Side(1), Side(2)
    opened(one, two)
    for second in range(1, 200):
        one.write(two, b"%d" % second, float(second))
        exchange(one, two, float(second))
    assert len(two.got) == 200


def test_a_lost_ack_costs_one_more_message():
    one, two = Side(1), Side(2)
    one.write(two, b"lost", 0.0)
    two.hear(one, one.out.pop(), 0.0)
    two.out.clear()
    one.write(two, b"again", 0.9)  # in the same second of the clock
    exchange(one, two, 0.9)
    assert two.got == [b"again"]


@pytest.mark.parametrize("date", [DATE + 5, DATE - 86_400], ids=["clock right", "clock a day back"])
def test_who_restarts_under_traffic_is_heard_again(date):
    one, two = Side(1), Side(2)
    opened(one, two)
    two.start(date, 10.0)
    for second in range(10, 14):
        one.write(two, b"%d" % second, float(second))
        exchange(one, two, float(second))
    assert two.got[-1] == b"13"
    two.write(one, b"back", 14.0)
    exchange(one, two, 14.0)
    assert one.got[-1] == b"back"


def test_replayed_and_late_messages_are_not_taken():
    one, two = Side(1), Side(2)
    opened(one, two)
    one.write(two, b"a", 1.0)
    one.write(two, b"b", 1.0)
    first, second = one.out
    one.out.clear()
    for payload in (second, first, second):
        two.hear(one, payload, 1.0)
    assert two.got == [b"first", b"b"]
    assert two.sessions.counters["session_replays"] == 2


def test_replayed_openings_change_nothing():
    one, two = Side(1), Side(2)
    one.write(two, b"first", 0.0)
    init = one.out[0]
    exchange(one, two, 0.0)
    for _ in range(50):
        two.hear(one, init, 1.0)
    assert two.out == []
    one.write(two, b"second", 1.0)
    exchange(one, two, 1.0)
    assert two.got[-1] == b"second"


def test_silence_ends_a_session():
    one, two = Side(1), Side(2)
    opened(one, two)
    for side in (one, two):
        side.sessions.expire(59.9)
        assert len(side.sessions.all()) == 1
        side.sessions.expire(60.1)
        assert side.sessions.all() == {}


def test_sessions_by_the_thousand_leave_honest_ones_alone(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 20)
    one, two = Side(1), Side(2)
    opened(one, two)
    liars = [Side(number) for number in range(100, 160)]
    for at, liar in enumerate(liars):
        liar.write(two, b"lie", float(at))
        two.hear(liar, liar.out.pop(), float(at))
        one.write(two, b"%d" % at, float(at))
        exchange(one, two, float(at))
        assert two.got[-1] == b"%d" % at
    assert len(two.sessions.all()) == 20


def test_a_flood_of_openings_costs_what_it_may():
    two = Side(2)
    for number in range(100, 100 + sessions.STRANGERS_BURST + 50):
        liar = Side(number)
        liar.write(two, b"lie", 0.0)
        two.hear(liar, liar.out.pop(), 0.0)
    assert len(two.sessions.all()) == sessions.STRANGERS_BURST
    assert two.sessions.counters["session_floods"] == 50


def test_a_key_that_is_no_point_is_counted():
    one = Side(1)
    one.sessions.write(b"\2" + bytes(31), b"for nobody", 0.0)
    assert one.out == []
    assert one.sessions.counters["keys_that_are_none"] == 1


@given(st.binary(max_size=300), st.integers(0, 4))
def test_noise_is_counted_and_no_more(noise, kind):
    one, two = Side(1), Side(2)
    opened(one, two)
    two.hear(one, bytes((kind,)) + noise, 1.0)
    two.hear(Side(3), bytes((kind,)) + noise, 1.0)
    assert two.got == [b"first"]
    two.out.clear()
    one.write(two, b"after", 2.0)
    exchange(one, two, 2.0)
    assert two.got[-1] == b"after"


def test_an_opening_is_bound_to_its_recipient_and_its_sender():
    entropy, one, two, three = Seeded(1), identity(1), identity(2), identity(3)
    said = Handshake(bytes(32), bytes(32), 0, 1)
    payload = encode_handshake(INIT, one, fresh_pair(entropy), two.public, said)
    assert decode_handshake_untrusted(payload, two, one.public) == said
    for recipient, sender in ((three, one), (two, three)):
        with pytest.raises(WireError):
            decode_handshake_untrusted(payload, recipient, sender.public)
    for wrong in (payload[:-1], payload + b"\0", payload[:40] + b"\xff" + payload[41:]):
        with pytest.raises(WireError):
            decode_handshake_untrusted(wrong, two, one.public)


def test_a_nonce_is_a_number_at_the_end():
    assert nonce_of(1) == bytes(23) + b"\1"
    with pytest.raises(WireError):
        open_untrusted(b"short", nonce_of(1), bytes(32))
    assert handshakes.SIZE == 193


def test_numbers_never_fall_and_are_kept_before_they_are_used():
    kept, wall = [], [100]
    sequence = Sequence(0, lambda: wall[0], kept.append)
    assert sequence.at(0.0) == 100
    assert kept == [1100]
    wall[0] = 50
    assert [sequence.at(0.0), sequence.next(0.0), sequence.next(0.0)] == [100, 101, 102]
    wall[0] = 2000
    assert sequence.at(1.0) == 2000
    assert kept[-1] == 3000
    again = Sequence(kept[-1], lambda: 0, kept.append, 7.0)
    assert [again.at(7.0), again.at(8.5), again.at(17.0)] == [3001, 3002, 3011]
    assert kept[-1] == 4001
