"""What leaves when, in whose company, and what never leaves at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.airtime.estimate import airtime_s
from meshnode.core.airtime.outbox import GATHER_S, SEAL_OVERHEAD, SMALL_PAYLOAD, Outbox
from meshnode.core.airtime.queue import FairQueue, Outgoing, Queued
from meshnode.core.context import Context
from meshnode.core.effects import Send
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import NeighbourId, Receipt
from meshnode.core.notices import Waiting
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import EnvelopeFrame, Fragment, Frame, Receipts

LINK = "halow0"
BO = NeighbourId(b"bo-bo-")
CY = NeighbourId(b"cy-cy-")


def envelope(number: int, size: int = 147) -> EnvelopeFrame:
    return EnvelopeFrame(bytes([number]) * (size - 3), 0, 1)


def receipt(number: int) -> Receipts:
    return Receipts((Receipt(bytes([number]) * 16),))


def test_what_waits_can_be_shown() -> None:
    rig = Rig()
    rig.put(envelope(1), key=b"\x01" * 16)
    rig.put(receipt(2), cls=0, to=None, not_before=5.0)
    rig.put(envelope(3), key=b"\x03" * 16, not_before=5.0)
    rig.outbox.cancel(b"\x03" * 16)
    size = len(encode_frame(envelope(1)))
    assert list(rig.outbox.waiting()) == [
        Waiting("envelope", 2, size, "air", BO.hex()[:8], "01" * 16), Waiting("receipts", 0, 17, "air")
    ]  # fmt: skip
    rig.flush(6.0)
    rig.flush(7.0)
    assert not list(rig.outbox.waiting())


class Rig:
    """An outbox whose seal only marks the destination, so that tests read what would be sealed."""

    def __init__(self, **link: int) -> None:
        sealer, entropy = SeededSealer(7), SeededEntropy(7)
        self.ctx = Context(new_keys(sealer, entropy), open_mesh("test"), Settings(), sealer, entropy)
        self.ctx.links[LINK] = LinkSettings(**link)
        self.outbox = Outbox(self.ctx)
        self.outbox.seal = lambda link, to, plaintext: (None if to is None else to.decode(), plaintext)
        self.sent: list[Outgoing] = []
        self.outbox.on_sent = self.sent.append

    def put(self, frame: Frame, cls: int = 2, to: NeighbourId | None = BO, **more: object) -> None:
        self.outbox.put(Outgoing(frame, cls, LINK, to, **more))  # type: ignore[arg-type]

    def flush(self, now: float | None = None) -> list[Send]:
        if now is not None:
            self.ctx.now = now
        self.ctx.out.clear()
        self.outbox.flush()
        return [effect for effect in self.ctx.out if isinstance(effect, Send)]

    def frames(self, now: float | None = None) -> list[Frame]:
        return [frame for send in self.flush(now) for frame in decode_frames_untrusted(send.data)]

    def drain(self) -> list[list[Frame]]:
        """Every datagram until nothing waits, each as its frames."""
        datagrams = []
        while (due := self.outbox.wakeup()) is not None:
            for send in self.flush(max(due, self.ctx.now)):
                datagrams.append(list(decode_frames_untrusted(send.data)))
        return datagrams


def test_a_frame_leaves_at_once_when_the_link_is_free() -> None:
    rig = Rig()
    rig.put(envelope(1))
    (send,) = rig.flush()
    assert (send.link, send.to, send.cls) == (LINK, "bo-bo-", 2)
    assert rig.sent[0].frame == envelope(1)
    assert rig.outbox.wakeup() is None


def test_multicast_has_no_address() -> None:
    rig = Rig()
    rig.put(envelope(1), to=None)
    assert rig.flush()[0].to is None


def test_frames_for_one_destination_share_a_datagram_within_the_limit() -> None:
    rig = Rig()
    for number in range(20):
        rig.put(envelope(number))
    datagrams = rig.drain()
    assert [len(frames) for frames in datagrams] == [7, 7, 6]
    assert [frame.data[0] for frames in datagrams for frame in frames] == list(range(20))  # type: ignore[union-attr]


def test_other_destinations_never_share() -> None:
    rig = Rig()
    rig.put(envelope(1), to=BO)
    rig.put(envelope(2), to=CY)
    rig.put(envelope(3), to=None)
    assert [len(frames) for frames in rig.drain()] == [1, 1, 1]


def test_a_busy_link_holds_frames_back_until_it_is_free() -> None:
    rig = Rig()
    for number in range(40):
        rig.put(envelope(number), to=NeighbourId(bytes([number]) * 6))
    rig.outbox.seal = lambda link, to, plaintext: ("x", plaintext)
    first = rig.flush()
    airtime = airtime_s(len(first[0].data), True, rig.ctx.links[LINK])
    assert 0 < len(first) <= 0.01 / airtime + 1
    assert rig.flush() == []
    due = rig.outbox.wakeup()
    assert due is not None
    assert due > rig.ctx.now
    assert rig.flush(due)
    assert rig.outbox.backlog_s(LINK) > 0


def test_urgent_classes_overtake() -> None:
    rig = Rig()
    for number in range(60):
        rig.put(envelope(number, 700), cls=3)
    rig.flush()
    rig.put(receipt(9), cls=0, to=CY)
    assert rig.drain()[0] == [receipt(9)]


def test_lower_classes_share_by_weight_and_none_starves() -> None:
    rig = Rig()
    for _ in range(48):
        for cls in (2, 3, 4):
            rig.put(envelope(cls, 1000), cls=cls)
    first = [frames[0].data[0] for frames in rig.drain()[:48]]  # type: ignore[union-attr]
    assert [first.count(cls) for cls in (2, 3, 4)] == pytest.approx([32, 12, 4], abs=2)


def test_authors_take_turns_and_near_rings_go_first() -> None:
    rig = Rig()
    for number in range(6):
        rig.put(envelope(number, 1000), author=b"loud", ring=3)
    rig.put(envelope(10, 1000), author=b"quiet", ring=3)
    rig.put(envelope(11, 1000), author=b"contact", ring=1)
    order = [frames[0].data[0] for frames in rig.drain()]  # type: ignore[union-attr]
    assert order == [11, 0, 10, 1, 2, 3, 4, 5]


def test_jitter_holds_a_frame_and_company_does_not_take_it_along() -> None:
    rig = Rig()
    rig.put(envelope(1), not_before=0.15, key=b"k")
    rig.put(envelope(2))
    assert rig.frames() == [envelope(2)]
    assert rig.outbox.wakeup() == 0.15
    assert rig.frames(0.15) == [envelope(1)]


def test_a_rider_leaves_early_in_company_but_not_alone() -> None:
    rig = Rig()
    rig.put(receipt(1), cls=0, not_before=10.0, rides=True)
    assert rig.flush() == []
    rig.put(envelope(2))
    assert rig.frames() == [envelope(2), receipt(1)]
    assert rig.outbox.wakeup() is None


def test_a_rider_leaves_alone_when_its_time_has_come() -> None:
    rig = Rig()
    rig.put(receipt(1), cls=0, not_before=10.0, rides=True)
    assert rig.frames(10.0) == [receipt(1)]


def test_cancel_takes_back_what_waits() -> None:
    rig = Rig()
    rig.put(envelope(1), not_before=1.0, key=b"k", to=BO)
    rig.put(envelope(1), not_before=1.0, key=b"k", to=CY)
    assert rig.outbox.holds(b"k")
    assert rig.outbox.cancel(b"k", BO, everywhere=False) == 1
    assert rig.outbox.cancel(b"k") == 1
    assert not rig.outbox.holds(b"k")
    assert rig.outbox.wakeup() is None
    assert rig.flush(2.0) == []


def test_cancel_reaches_frames_that_are_ready() -> None:
    rig = Rig()
    for number in range(40):
        rig.put(envelope(number, 1000), key=bytes([number]))
    rig.flush()
    assert rig.outbox.cancel(bytes([39])) == 1
    assert [39] not in [[f.data[0] for f in frames] for frames in rig.drain()]  # type: ignore[union-attr]


def test_the_same_key_replaces() -> None:
    rig = Rig()
    rig.put(envelope(1), not_before=1.0, key=b"beacon")
    rig.put(envelope(2), not_before=1.0, key=b"beacon")
    assert rig.frames(1.0) == [envelope(2)]


def test_a_large_frame_goes_as_fragments_that_make_the_whole() -> None:
    rig = Rig(multicast_payload=384)
    big = envelope(5, 1500)
    rig.put(big, to=None, key=b"big")
    datagrams = rig.drain()
    fragments = [frame for frames in datagrams for frame in frames]
    assert all(isinstance(frame, Fragment) for frame in fragments)
    assert {frame.count for frame in fragments} == {5}  # type: ignore[union-attr]
    whole = b"".join(frame.data for frame in fragments)  # type: ignore[union-attr]
    assert decode_frames_untrusted(whole) == (big,)
    assert [outgoing.frame for outgoing in rig.sent] == [big]


def test_what_was_lost_in_large_datagrams_goes_in_small_ones() -> None:
    rig = Rig()
    rig.put(envelope(5, 1500), small=True)
    rig.put(envelope(6, 300))
    sizes = [sum(len(encode_frame(frame)) for frame in frames) for frames in rig.drain()]
    assert len(sizes) == 6
    assert max(sizes) <= SMALL_PAYLOAD - SEAL_OVERHEAD
    rig = Rig(unicast_payload=300)
    rig.put(envelope(5, 1000), small=True)
    assert all(len(encode_frame(frame)) <= 300 for frames in rig.drain() for frame in frames)


def test_fragments_of_one_item_leave_in_a_row_though_authors_take_turns() -> None:
    rig = Rig(multicast_payload=384)
    for number in range(6):
        rig.put(envelope(number, 900), to=None, author=b"%d" % (number % 3))
    rig.put(envelope(9, 300), to=None, author=b"0")
    items = [frame.item for frames in rig.drain() for frame in frames if isinstance(frame, Fragment)]
    assert items == [item for item in dict.fromkeys(items) for _ in range(3)]
    assert [out.frame.data[0] for out in rig.sent] == [0, 1, 2, 3, 4, 5, 9]  # type: ignore[union-attr]


def test_no_datagram_is_above_the_limit_of_its_link() -> None:
    rig = Rig(multicast_payload=384, unicast_payload=1200)
    for number in range(30):
        rig.put(envelope(number, 100 + 37 * number), to=None if number % 2 else BO)
    sizes: dict[str | None, int] = {}
    while (due := rig.outbox.wakeup()) is not None:
        for send in rig.flush(max(due, rig.ctx.now)):
            sizes[send.to] = max(sizes.get(send.to, 0), len(send.data) + SEAL_OVERHEAD)
    assert 300 < sizes[None] <= 384
    assert 1000 < (sizes["bo-bo-"] or 0) <= 1200


def test_fragments_are_cancelled_and_replaced_with_their_frame() -> None:
    rig = Rig(unicast_payload=384)
    rig.put(envelope(1, 1500), not_before=1.0, key=b"k")
    rig.put(envelope(2, 900), not_before=1.0, key=b"k")
    assert rig.outbox.cancel(b"k") == 3
    assert rig.flush(2.0) == []


def test_what_waits_is_cut_anew_when_the_links_datagrams_become_smaller() -> None:
    rig = Rig(unicast_payload=1200)
    whole, long, other = envelope(1, 1000), envelope(2, 1500), envelope(3, 100)
    rig.put(whole, not_before=1.0, key=b"whole")
    rig.put(long, not_before=1.0, key=b"long")
    rig.put(other, not_before=1.0, key=b"other")
    rig.ctx.links[LINK] = LinkSettings(unicast_payload=384)
    rig.outbox.refit(LINK)
    rig.ctx.now = 1.0
    sent = [frame for datagram in rig.drain() for frame in datagram]
    items: dict[bytes, bytes] = {}
    for fragment in sorted((frame for frame in sent if isinstance(frame, Fragment)), key=lambda one: one.index):
        items[fragment.item] = items.get(fragment.item, b"") + fragment.data
    assert [frame for frame in sent if not isinstance(frame, Fragment)] == [other]
    assert {decode_frames_untrusted(item) for item in items.values()} == {(whole,), (long,)}
    assert sorted(map(repr, (outgoing.frame for outgoing in rig.sent))) == sorted(map(repr, [whole, long, other]))


def test_what_no_fragments_can_carry_is_counted() -> None:
    rig = Rig(unicast_payload=384)
    rig.put(envelope(1, 7000))
    assert rig.drain() == []
    assert rig.ctx.counters["outbox_too_large"] == 1


def test_one_previous_hop_cannot_fill_the_queue() -> None:
    rig = Rig()
    for number in range(600):
        rig.put(envelope(number % 256, 100), previous=b"flood")
    rig.put(envelope(7), previous=b"other")
    assert rig.ctx.counters["outbox_previous_hop_full"] == 600 - 512
    assert sum(len(frames) for frames in rig.drain()) == 513
    rig.put(envelope(1), previous=b"flood")
    assert rig.drain() == [[envelope(1)]]


def test_links_and_neighbours_that_are_gone() -> None:
    rig = Rig()
    rig.put(envelope(1), not_before=1.0, to=BO)
    rig.put(envelope(2), not_before=1.0, to=CY)
    rig.outbox.forget_neighbour(BO)
    assert rig.frames(1.0) == [envelope(2)]
    rig.put(envelope(3), not_before=5.0)
    rig.outbox.forget_link(LINK)
    assert rig.outbox.wakeup() is None
    rig.outbox.put(Outgoing(envelope(1), 2, "eth9", None))
    assert rig.ctx.counters["outbox_no_link"] == 1


def test_a_link_that_went_down_keeps_quiet_until_it_returns() -> None:
    rig = Rig()
    for number in range(60):
        rig.put(envelope(number, 1000))
    rig.flush()
    settings = rig.ctx.links.pop(LINK)
    assert rig.flush(100.0) == []
    assert rig.outbox.backlog_s(LINK) == 0
    rig.ctx.links[LINK] = settings
    assert rig.flush(100.0)


def test_a_neighbour_without_address_costs_a_counter() -> None:
    rig = Rig()
    rig.outbox.seal = lambda link, to, plaintext: None
    rig.put(envelope(1))
    assert rig.flush() == []
    assert rig.sent == []
    assert rig.ctx.counters["outbox_no_address"] == 1


def test_an_outbox_that_nobody_wired_sends_nothing() -> None:
    rig = Rig(unicast_payload=384)
    bare = Outbox(rig.ctx)
    bare.put(Outgoing(envelope(1, 600), 2, LINK, BO))
    rig.ctx.out.clear()
    bare.flush()
    assert rig.ctx.out == []
    bare.seal = rig.outbox.seal
    bare.put(Outgoing(envelope(1), 2, LINK, BO))
    bare.flush()
    assert len(rig.ctx.out) == 1


def test_an_empty_fair_queue_has_nothing_to_give() -> None:
    queue = FairQueue()
    assert queue.pop() is None
    assert not queue
    out = Outgoing(envelope(1), 2, LINK, BO)
    queue.add(Queued(out, b"\x40" + bytes(10), out))
    assert queue.pop_company(BO, 5) is None
    assert queue.pop_company(CY, 50) is None
    assert queue.pop() is not None


def test_idle_time_earns_no_credit() -> None:
    """A class that was silent while another used the air alone does not silence it afterwards."""
    rig = Rig()
    for number in range(200):
        rig.put(envelope(number, 1000), cls=2)
        rig.flush(float(number))
    for number in range(40):
        rig.put(envelope(number, 1000), cls=2)
        rig.put(envelope(number, 1000), cls=4)
    rig.sent.clear()
    rig.drain()
    classes = [sent.cls for sent in rig.sent[:36]]
    assert classes.count(4) == 4, "by weight eight to one, from the first datagram on"


# what one neighbour asks for


Asked = tuple[bool, int, int, int]  # asked for by the one, class, ring, size


def shares(frames: list[Asked]) -> list[tuple[bool, float, bool]]:
    """What leaves of all this, in order: whether the one asked for it, what it takes, and whether others still wait."""
    rig = Rig()
    for number, (asked, cls, ring, size) in enumerate(frames):
        hop, to = (b"the one", BO) if asked else (b"", CY)
        author = b"" if asked else b"author %d" % (number % 3)
        frame = envelope(number % 250, size)
        rig.outbox.put(Outgoing(frame, cls, LINK, to, 0.0, b"", ring, author, hop, asked=asked))
    left, out = sum(not asked for asked, *_ in frames), []
    for moment in range(10 * len(frames)):
        for send in rig.flush(float(moment)):
            asked = send.to == BO.decode()
            left -= 0 if asked else len(decode_frames_untrusted(send.data))
            out.append((asked, airtime_s(len(send.data), True, rig.ctx.links[LINK]), left > 0))
    assert len(rig.sent) == len(frames), "everything leaves in the end"
    return out


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3), st.integers(100, 1000)), min_size=1, max_size=60
    )
)
def test_requests_of_one_take_no_more_than_half_of_the_air_while_others_wait(frames: list[Asked]) -> None:
    """Rule 12.1, whatever class and ring it asks for; by one datagram at most it is ahead."""
    asked = others = 0.0
    longest = airtime_s(1171, True, LinkSettings())
    for of_the_one, taken, others_wait in shares(frames):
        if of_the_one and others_wait:
            asked += taken
        elif not of_the_one:
            others += taken
        assert asked <= others + longest


def test_who_asks_alone_has_the_air_alone() -> None:
    frames: list[Asked] = [(True, 3, 1, 800)] * 20
    assert [of_the_one for of_the_one, _, _ in shares(frames)] == [True] * 20


# the channel is not ours alone


def test_what_others_say_holds_up_what_the_driver_has_and_no_more_than_half_a_second() -> None:
    rig = Rig()
    for number in range(2):
        rig.put(receipt(number), cls=0, to=BO)
        rig.put(envelope(number, 1100), to=CY)
    rig.flush(0.0)
    free_at = rig.outbox.wakeup()
    assert free_at is not None
    rig.outbox.heard(LINK, 1200, unicast=True)
    assert rig.outbox.wakeup() == pytest.approx(free_at + airtime_s(1200, True, rig.ctx.links[LINK]))
    for _ in range(100):
        rig.outbox.heard(LINK, 1200, unicast=True)
    assert rig.outbox.wakeup() == pytest.approx(0.49)


def test_what_yields_is_put_off_by_what_is_heard_and_by_no_more_than_it_says() -> None:
    rig = Rig()
    rig.outbox.put(Outgoing(receipt(1), 3, LINK, None, 1.0, b"mine", yields=0.1))
    rig.outbox.put(Outgoing(receipt(2), 3, LINK, None, 1.0, b"firm"))
    rig.outbox.heard(LINK, 200, unicast=False)
    rig.flush(1.0)
    assert [sent.key for sent in rig.sent] == [b"firm"]
    for _ in range(100):
        rig.outbox.heard(LINK, 200, unicast=False)
    rig.flush(1.099)
    assert len(rig.sent) == 1
    rig.flush(1.6)
    assert [sent.key for sent in rig.sent] == [b"firm", b"mine"]


def test_right_after_a_datagram_one_with_room_waits_a_moment_and_a_full_one_does_not() -> None:
    rig = Rig()
    rig.put(envelope(1))
    rig.flush(0.0)
    rig.put(envelope(2))
    free_at = airtime_s(len(encode_frame(envelope(1))), True, rig.ctx.links[LINK])  # this seal adds nothing
    assert rig.outbox.wakeup() == pytest.approx(free_at + GATHER_S)
    rig.put(envelope(3), to=CY)
    due = rig.outbox.wakeup()
    assert (due if due is not None else 1.0) < free_at, "what goes elsewhere waits for no company"
    rig.outbox.forget_neighbour(CY)
    for number in range(4, 10):
        rig.put(envelope(number))
    due = rig.outbox.wakeup()
    assert (due if due is not None else 1.0) < free_at, "seven fill it"


def test_after_silence_nothing_waits_for_company() -> None:
    rig = Rig()
    rig.put(envelope(1))
    rig.flush(0.0)
    rig.put(envelope(2))
    assert rig.frames(1.0) == [envelope(2)]
