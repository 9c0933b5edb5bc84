"""Follows one message through the disks of all nodes, and tells the narrator what each wrote."""

from __future__ import annotations

import trio

from meshnode.core.ids import EnvelopeId, MessageId, NodeKey, PersonaKey, Tag
from meshnode.core.records import (
    ROLE_OWN,
    ROLE_TRANSIT,
    DeviceRecord,
    EnvelopeRecord,
    HandoverRecord,
    MessageRecord,
    PeerPrekeyRecord,
    Record,
    StateRecord,
    TombstoneRecord,
)
from meshnode.demo.voice import Voice


class Witness:
    """Sees every row of every node."""

    def __init__(self, voice: Voice, names: tuple[str, ...]) -> None:
        self._voice = voice
        self._names = names
        self.nodes: dict[NodeKey, int] = {}
        self.writer, self.reader = 0, len(names) - 1
        self.recipient: PersonaKey | None = None
        self.text = ""
        self.message: MessageId | None = None
        self.trail: list[int] = []
        self.key_known = trio.Event()
        self.arrived = trio.Event()
        self.taken: dict[int, trio.Event] = {}
        self._devices: set[bytes] = set()
        self._envelopes: dict[EnvelopeId, Tag] = {}
        self._told: set[tuple[object, ...]] = set()

    def see(self, node: int, record: Record) -> None:
        """A row that a node is about to write."""
        match record:
            case DeviceRecord(device, persona) if node == self.writer and persona == self.recipient:
                self._devices.add(device)
            case PeerPrekeyRecord(device) if node == self.writer and device in self._devices:
                self.key_known.set()
            case EnvelopeRecord():
                self._envelope(node, record)
            case HandoverRecord(envelope, taker) if envelope in self._envelopes:
                self._tell(node, f"has the custody proof of {self._called(taker)}", "proof", taker)
            case MessageRecord():
                self._message(node, record)
            case StateRecord(message, state, witnesses) if message == self.message and node == self.writer:
                by = f" (witness: {', '.join(witnesses)})" if witnesses else ""
                self._tell(node, f"state: {state.replace('_', ' ')}{by}", state, witnesses)
            case TombstoneRecord(tag) if tag in self._envelopes.values() and self.writer < node < self.reader:
                self._tell(node, "checks the receipt, drops its copy, and passes the receipt on", "receipt")
            case _:
                pass

    def _envelope(self, node: int, record: EnvelopeRecord) -> None:
        if node == self.writer and record.role == ROLE_OWN and record.message == self.message:
            self._envelopes[record.id] = record.tag
            sealed = f"seals it: {len(record.data)} bytes that name neither of the two; on disk before it is sent"
            self._tell(node, sealed, "sealed", record.id)
        elif record.id in self._envelopes and node not in (self.writer, self.reader):
            self._pass(node)
            if record.role == ROLE_TRANSIT:
                self._tell(node, "passes it on", "transit")
            else:
                self._tell(node, "takes custody: on disk first, then the proof to who gave it", "custody")
                self.taken.setdefault(node, trio.Event()).set()

    def _message(self, node: int, record: MessageRecord) -> None:
        if node == self.writer and record.outgoing and record.text == self.text:
            self.message = record.id
        elif node == self.reader and record.id == self.message:
            self._pass(node)
            self._tell(node, f'opens it: "{record.text}"; reveals the receipt, which only the two can make', "opened")
            self.arrived.set()

    def _pass(self, node: int) -> None:
        if node not in self.trail:
            self.trail.append(node)

    def _called(self, node: NodeKey) -> str:
        number = self.nodes.get(node)
        return "another" if number is None else self._names[number]

    def _tell(self, node: int, what: str, *once: object) -> None:
        if (node, *once) not in self._told:
            self._told.add((node, *once))
            self._voice.say(self._names[node], what)
