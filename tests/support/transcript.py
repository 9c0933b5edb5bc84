"""Transcripts: what boxes are told ("> " lines) and what they do (below), as text that a person can read and compare.

    > boxes a b            switch them on, contacts of each other, in the square     > join a b   > part a b
    > run 2.5              seconds; settle 2.5: without telling                      > a off   > a cut   > a on
    > a writes b: words    > a posts: words                                         > a reads all
    > a backs up           > a falls back                                           > a exports   > b imports

A transcript is checked by playing its "> " lines again. MESHNODE_TRANSCRIPTS=refresh writes what came of it into the
file: read the difference before you keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshnode.core.chain import kinds
from meshnode.core.effects import Dial, Effect, Forget, Hangup, Notify, Persist, ReadStored, Send, SendRecord
from meshnode.core.ids import PERSON_CHANNEL, LogId, NeighbourId, log_channel, log_device, log_handle
from meshnode.core.notices import (
    ContactChanged,
    ForkFound,
    MessageFiled,
    NeighbourChanged,
    PeerChanged,
    StateChanged,
    Warned,
)
from meshnode.core.records import (
    BlockRecord,
    DeviceRecord,
    EnvelopeRecord,
    FactRecord,
    LogRecord,
    MessageRecord,
    StateRecord,
)
from meshnode.core.sealing.envelope import KIND_FIRST, read_envelope_untrusted
from meshnode.core.wire.codec import decode_frames_untrusted
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Delta,
    EnvelopeFrame,
    Fragment,
    Frame,
    Need,
    Offer,
    Proofs,
    Receipts,
    Run,
    Want,
)
from support.trial_disk import TrialDisk
from support.trial_world import SQUARE, Box, TrialWorld

_NAMED = ("POST", "CERTIFICATE", "PROFILE", "PREKEY", "REVOCATION", "ADOPTION", "FLOOR", "CHECKPOINT", "INCARNATION")
KINDS = {getattr(kinds, name): name.lower() for name in _NAMED}
ROLES = ("own", "custody", "transit")


class Transcript:
    """One story, played line by line."""

    def __init__(self, title: str) -> None:
        self.world = TrialWorld(title)  # type: ignore[arg-type]
        self.lines: list[str] = []
        self._plain: dict[str, list[bytes]] = {}
        self._backups: dict[str, TrialDisk] = {}
        self._parcel: list[bytes] = []

    def play(self, told: str) -> None:
        """One "> " line, and all that comes of it."""
        self.lines.append(f"> {told}")
        words = told.split()
        if words[0] in ("boxes", "join", "part", "run", "settle"):
            getattr(self, f"_{words[0]}")(*words[1:])
        else:
            self._box_does(self.world.boxes[words[0]], told[len(words[0]) + 1 :])

    # what can be told

    def _boxes(self, *names: str) -> None:
        """Names, and settings of all: lifetime_s=3600."""
        settings = dict(name.split("=") for name in names if "=" in name)
        numbers: dict[str, Any] = {name: int(value) for name, value in settings.items()}
        boxes = [self.world.add(name, **numbers) for name in names if "=" not in name]
        for box in boxes:
            self._watch(box)
            box.joins()
            box.knows(*(other for other in boxes if other is not box))

    def _join(self, one: str, other: str) -> None:
        self.world.join(one, other)

    def _part(self, one: str, other: str) -> None:
        self.world.part(one, other)

    def _run(self, seconds: str) -> None:
        self.world.run(float(seconds))

    def _settle(self, seconds: str) -> None:
        told = len(self.lines)
        self.world.run(float(seconds))
        del self.lines[told:]

    def _box_does(self, box: Box, what: str) -> None:
        deed, _, words = what.partition(":")
        match deed.split():
            case ["writes", to]:
                box.write(self.world.boxes[to], words.strip())
            case ["posts"]:
                box.post(words.strip())
            case ["reads", "all"]:
                box.read(*[row.id for row in box._messages(outgoing=False) if not row.channel])
            case ["off"]:
                box.off()
            case ["cut"]:
                box.cut()
            case ["on"]:
                self._restart(box)
            case ["backs", "up"]:
                self._backups[box.name] = box.disk.copy()
            case ["falls", "back"]:
                box.off()
                box.disk = self._backups[box.name]
                self._restart(box)
            case ["exports"]:
                self._parcel = box.export()
                self.world.run(0.1)
            case ["imports"]:
                box.import_(self._parcel)
            case _:
                raise AssertionError(what)

    # what comes of it

    def _watch(self, box: Box) -> None:
        box.effects_log = self._note
        self._tap(box)

    def _restart(self, box: Box) -> None:
        box.boot()
        self._tap(box)

    def _tap(self, box: Box) -> None:
        seal = box.node.outbox.seal
        waiting = self._plain[box.name] = []

        def tapped(link: str, to: NeighbourId | None, plaintext: bytes) -> tuple[str | None, bytes] | None:
            sealed = seal(link, to, plaintext)
            if sealed is not None:
                waiting.append(plaintext)
            return sealed

        box.node.outbox.seal = tapped

    def _note(self, name: str, effect: Effect) -> None:
        said = self._said(name, effect)
        if said:
            self.lines.append(f"    {self.world.now:8.3f} {name} {said}")

    def _said(self, name: str, effect: Effect) -> str:
        match effect:
            case Persist(records, promise):
                rows = _counted([self._row(row) for row in records])
                return f"{'promises' if promise else 'keeps'} {rows}"
            case Forget(keys, _):
                return f"forgets {_counted([key.table.__name__.removesuffix('Record').lower() for key in keys])}"
            case Send(_, to, data, _):
                frames = decode_frames_untrusted(self._plain[name].pop(0))
                whom = "all" if to is None else to.removeprefix("fe80::")
                return f"sends {whom}, {len(data)} B: {_counted([self._frame(frame) for frame in frames])}"
            case SendRecord(_, data):
                frames = decode_frames_untrusted(data)
                return f"writes, {len(data)} B: {_counted([self._frame(frame) for frame in frames])}"
            case Notify(notice):
                return f"tells {self._notice(notice)}"
            case ReadStored(_, blocks, envelopes):
                return f"reads {sum(count for _, _, count in blocks)} blocks, {len(envelopes)} envelopes"
            case Dial() | Hangup():
                return type(effect).__name__.lower()

    def _row(self, row: Any) -> str:
        match row:
            case BlockRecord():
                return f"block {self._log(row.log)} {row.seq} {KINDS.get(row.kind, row.kind)}"
            case LogRecord():
                split = f", split at {row.frozen_at}" if row.frozen_at else ""
                return f"log {self._log(row.log)} up to {row.head}{split}"
            case EnvelopeRecord():
                return f"envelope ({ROLES[row.role]}, copies {row.copies})"
            case MessageRecord():
                return f"message “{row.text}”"
            case StateRecord():
                return f"state {row.state}"
            case FactRecord(name, _):
                return f"fact {name.split('/')[0]}"
            case DeviceRecord():
                return f"device of {self._who(row.persona)}"
            case _:
                return type(row).__name__.removesuffix("Record").lower()

    def _frame(self, frame: Frame) -> str:
        match frame:
            case Beacon():
                heard = [self._near(echo.neighbour) for echo in frame.echoes]
                alone = ", alone" if frame.flags & 4 else ""
                return f"beacon (hears {' '.join(heard) or 'nobody'}{alone})"
            case BlockFrame():
                return f"block {self._ref(frame.log)} {frame.block.seq} {KINDS.get(frame.block.kind, frame.block.kind)}"
            case Run():
                return f"run {self._ref(frame.log)} {frame.first} to {frame.first + len(frame.blocks) - 1}"
            case Delta():
                return "delta " + _counted([f"{self._ref(c.handle)} {c.head}" for c in frame.changes])
            case Want():
                return "want " + _counted([f"{self._ref(w.log)} {w.first}+{w.count}" for w in frame.wishes])
            case Fragment():
                return f"fragment {frame.index + 1} of {frame.count}"
            case EnvelopeFrame():
                return self._envelope(frame)
            case Receipts(receipts):
                return f"{len(receipts)} receipts"
            case Proofs(proofs):
                return f"{len(proofs)} proofs"
            case Offer(envelopes) | Need(envelopes):
                return f"{type(frame).__name__.lower()} of {len(envelopes)}"
            case _:
                return type(frame).__name__.lower()

    def _envelope(self, frame: EnvelopeFrame) -> str:
        first = "first " if read_envelope_untrusted(frame.data).kind == KIND_FIRST else ""
        takers = [f"to {self._near(one.taker)} with {one.copies}" for one in frame.handovers]
        proof = [f"taken from {self._near(frame.proof.giver)}"] if frame.proof else []
        return f"{first}envelope ({', '.join([*takers, *proof]) or 'in passing'})"

    def _notice(self, notice: Any) -> str:
        match notice:
            case MessageFiled(message):
                return f"“{message.text}” {'filed' if message.outgoing else 'came'}"
            case StateChanged():
                by = [self._near(bytes.fromhex(name)[:2]) if len(name) == 8 else name for name in notice.witnesses]
                return f"{notice.state}" + (f" (by {' '.join(by)})" if by else "")
            case NeighbourChanged():
                return f"neighbour {self._near(bytes.fromhex(notice.node)[:2])} {notice.state}"
            case PeerChanged():
                return f"session with {self._near(bytes.fromhex(notice.node)[:2])} {notice.state}"
            case Warned(code, _):
                return f"warning {code}"
            case ForkFound():
                return f"log {self._log(notice.log)} split at {notice.seq}"
            case ContactChanged(persona, what, _):
                return f"{what} of {self._who(persona)}"
            case _:
                return type(notice).__name__

    # names for bytes

    def _find(self, fits: Callable[[Box], bool]) -> str:
        return next((box.name for box in self.world.boxes.values() if fits(box)), "?")

    def _near(self, two: bytes) -> str:
        return self._find(lambda box: box.node.neighbours.me[:2] == two)

    def _who(self, persona: bytes) -> str:
        return self._find(lambda box: box.keys.persona == persona)

    def _log(self, log: LogId) -> str:
        who = self._find(lambda box: box.keys.device == log_device(log))
        anew = "" if self._find(lambda box: box.keys.incarnation == log[32:36]) != "?" else "'s old"
        channel = {PERSON_CHANNEL: "person", SQUARE: "square"}.get(log_channel(log), "?")
        return f"{who}{anew}/{channel}"

    def _ref(self, ref: bytes) -> str:
        logs = [log for box in self.world.boxes.values() for log in box.node.gossip.logs.book.logs]
        found = [log for log in logs if ref in (log, log_handle(log))]
        return self._log(found[0]) if found else "?"


def _counted(names: list[str]) -> str:
    """Names in a row; the same in succession once, with how many."""
    told: list[tuple[str, int]] = []
    for name in names:
        if told and told[-1][0] == name:
            told[-1] = (name, told[-1][1] + 1)
        else:
            told.append((name, 1))
    return ", ".join(name if number == 1 else f"{name} x{number}" for name, number in told)


def replayed(text: str) -> str:
    """The transcript as it comes out now."""
    title, *lines = text.splitlines()
    story = Transcript(title)
    for line in lines:
        if line.startswith("> "):
            story.play(line[2:])
        elif line.startswith("#") or not line.strip():
            story.lines.append(line)
    return "\n".join([title, *story.lines]) + "\n"
