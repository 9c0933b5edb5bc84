"""Laws of messages, at a loss of 30 % of envelopes and receipts, whatever else is lost and whoever loses power:

every message is delivered, none is shown twice, states only move forward, and whoever is named as a witness is one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshnode.core.chat.states import rank
from meshnode.core.ids import MessageId
from meshnode.core.notices import Notice, StateChanged
from meshnode.core.records import EnvelopeRecord, MessageRecord, SeenRecord, StateRecord
from meshnode.core.wire.frames import EnvelopeFrame, Frame, Receipts
from support.valley import Box, Valley

LOSS = 0.3
ENOUGH_S = 3600.0
SHAPES = {"line of three": ("ab", "bc"), "line of four": ("ab", "bc", "cd"), "ring": ("ab", "bc", "cd", "da")}


@dataclass(frozen=True)
class Act:
    """One thing that happens, and how long it is quiet afterwards."""

    who: int
    what: str
    to: int
    pause_s: float


ACTS = st.builds(
    Act,
    who=st.integers(0, 3),
    what=st.sampled_from(("write", "write", "write", "read", "reboot", "reseal")),
    to=st.integers(1, 2),
    pause_s=st.sampled_from((0.0, 0.1, 2.0, 40.0)),
)


class Watched(list[Notice]):
    """What a box tells its person; each state is held against what the others have on disk at that very moment."""

    def __init__(self, box: Box) -> None:
        super().__init__(box.notices)
        self._box = box
        self._state: dict[MessageId, str] = {}
        self._envelopes: dict[MessageId, set[bytes]] = {}

    def append(self, notice: Notice) -> None:
        super().append(notice)
        if isinstance(notice, StateChanged) and notice.message in self._ours():
            before = self._state.get(notice.message, "written")
            assert rank(before) <= rank(notice.state), "a state moved back"
            self._state[notice.message] = notice.state
            self._is_true(notice)

    def _ours(self) -> set[MessageId]:
        for row in self._box.rows.every(EnvelopeRecord):
            if row.message:
                self._envelopes.setdefault(MessageId(row.message), set()).add(row.id)
        return {row.id for row in self._box.rows.every(MessageRecord) if row.outgoing}

    def _is_true(self, told: StateChanged) -> None:
        envelopes = self._envelopes.get(told.message, set())
        if told.state == "on_air":
            sent = {frame.data for name, frame in self._box.valley.envelopes_on_air() if name == self._box.name}
            assert any(row.data in sent for row in self._box.rows.every(EnvelopeRecord) if row.id in envelopes)
        elif told.state == "carried":
            assert told.witnesses
            assert all(self._holds(witness, told.message, envelopes) for witness in told.witnesses)
        elif told.state in ("delivered", "read"):
            assert any(self._arrived(box, told) for box in self._others())

    def _holds(self, witness: str, message: MessageId, envelopes: set[bytes]) -> bool:
        (box,) = [one for one in self._others() if self._box.neighbours.of(one).short == witness]
        held = {row.id for row in box.rows.every(EnvelopeRecord)} | {row.envelope for row in box.rows.every(SeenRecord)}
        return bool(held & envelopes) or (message,) in box.rows.tables.get(MessageRecord, {})

    @staticmethod
    def _arrived(box: Box, told: StateChanged) -> bool:
        read = box.rows.tables.get(StateRecord, {}).get((told.message,))
        was_read = isinstance(read, StateRecord) and read.state == "read"
        return (told.message,) in box.rows.tables.get(MessageRecord, {}) and (told.state == "delivered" or was_read)

    def _others(self) -> list[Box]:
        return [box for box in self._box.valley.boxes.values() if box is not self._box]


def a_valley(seed: int, shape: str) -> tuple[Valley, list[Box]]:
    valley = Valley(seed, imax_s=300.0)
    boxes = [valley.box(name) for name in sorted(set("".join(SHAPES[shape])))]
    for one, other in SHAPES[shape]:
        valley.join(valley.boxes[one], valley.boxes[other])
    valley.befriend(*boxes)
    for box in boxes:
        box.notices = Watched(box)
    return valley, boxes


def does(valley: Valley, boxes: list[Box], act: Act, number: int) -> tuple[Box, str] | None:
    """What was written, and to whom."""
    box, to = boxes[act.who % len(boxes)], boxes[(act.who + act.to) % len(boxes)]
    if act.what == "reboot":
        valley.reboot(box)
    elif act.what == "read":
        box.reads(*(message.id for message in box.rows.every(MessageRecord) if not message.outgoing))
    elif act.what == "reseal":
        box.step(lambda: box.chat._out.restarted(to.keys.device))
    else:
        box.write(to, f"text {number}")
        return to, f"text {number}"
    return None


@settings(max_examples=50, deadline=None)
@example(seed=1, shape="line of four", acts=[Act(0, "write", 1, 0.0)] * 12 + [Act(1, "reboot", 1, 0.0)])
@example(seed=2, shape="ring", acts=[*[Act(0, "write", 1, 2.0)] * 3, Act(0, "reseal", 1, 0.0)] * 3)
@example(
    seed=379,
    shape="line of three",
    acts=[
        Act(1, "write", 1, 40.0),
        Act(1, "reboot", 1, 0.0),
        Act(0, "write", 2, 40.0),
        Act(1, "write", 1, 40.0),
        Act(0, "write", 2, 0.0),
        Act(0, "reseal", 2, 0.0),
        Act(0, "write", 2, 0.0),
    ],
)
@given(
    seed=st.integers(0, 10_000),
    shape=st.sampled_from(sorted(SHAPES)),
    acts=st.lists(ACTS, min_size=1, max_size=15),
)
def test_at_thirty_percent_loss_all_arrive_once_and_the_ticks_are_true(seed: int, shape: str, acts: list[Act]) -> None:
    valley, boxes = a_valley(seed, shape)

    def dropped(sender: Box, receiver: Box, frame: Frame) -> bool:
        return isinstance(frame, EnvelopeFrame | Receipts) and valley.chance.random() < LOSS

    valley.dropped = dropped
    written: list[tuple[Box, str]] = []
    for number, act in enumerate(acts):
        if done := does(valley, boxes, act, number):
            written.append(done)
        valley.run(act.pause_s)
    for _ in range(60):
        states = [row.state for box in boxes for row in box.rows.every(StateRecord)]
        if all(state in ("delivered", "read") for state in states):
            break
        valley.run(ENOUGH_S / 60)
    assert set(states) <= {"delivered", "read"}
    for box in boxes:
        shown = [message.text for message in box.filed() if not message.outgoing]
        assert sorted(shown) == sorted(box.inbox()) == sorted(text for to, text in written if to is box)
