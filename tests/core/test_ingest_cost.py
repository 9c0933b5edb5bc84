"""What it costs to take in a block, counted in calls: it does not grow with what is held, nor with what is wanted."""

from __future__ import annotations

from meshnode.core.chain.block import Block, write_block
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.kinds import POST
from meshnode.core.chain.ranges import build_run
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import DeviceKey, Incarnation, NodeKey, PersonaKey, channel_id, log_device, log_id
from meshnode.core.inputs import EncounterBegan, RecordReceived
from meshnode.core.node import Node
from meshnode.core.records import Snapshot
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.seeded import SeededEntropy, SeededSealer
from meshnode.core.settings import Settings
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import Heads, Run
from support.calls import calls

SEALER = SeededSealer("ingest")
SQUARE = channel_id("square")


def written(number: int, count: int) -> list[Block]:
    secret = number.to_bytes(32, "big")
    log = log_id(DeviceKey(SEALER.signing_public(secret)), Incarnation(b"inc1"), SQUARE)
    blocks: list[Block] = []
    for seq in range(1, count + 1):
        prev = blocks[-1].ref if blocks else bytes(20)
        blocks.append(write_block(log, seq, prev, POST, b"hello", time=seq, secret=secret, sealer=SEALER))
    return blocks


def calls_of_each_record(logs: list[list[Block]], at_once: int) -> list[int]:
    """A contact's session tells its heads and brings all of it; Python calls of each step that takes a run in."""
    entropy = SeededEntropy("ingest")
    node = Node(new_keys(SEALER, entropy), open_mesh("x"), Settings(), SEALER, entropy, Snapshot(), 1)
    for log in logs:
        persona = PersonaKey(log_device(log[0].log))
        node.rings.device_known(log_device(log[0].log), persona)
        node.rings.contact_set(persona, blocked=False)
    node.step(EncounterBegan(1, NodeKey(bytes(range(32))), "link", "fe80::1", True), 1.0)
    heads = Heads(tuple(Element(log[0].log, len(log), False) for log in logs))
    node.step(RecordReceived(1, encode_frame(heads)), 1.0)
    found = []
    for log in logs:
        for at in range(0, len(log), at_once):
            part = log[at : at + at_once]
            record = RecordReceived(1, encode_frame(Run(part[0].log, part[0].seq, build_run(part))))
            found.append(calls(lambda record=record: node.step(record, 2.0)))  # type: ignore[misc]
            node.next_wakeup()  # as a host asks it once a turn: most parts say then that nothing is due for long
    assert all(node.gossip.logs.book.logs[log[0].log].head == len(log) for log in logs)
    return found


def test_a_block_of_a_long_log_costs_what_one_of_a_short_log_costs() -> None:
    found = calls_of_each_record([written(1, 1200)], 20)
    assert found[-2] <= 1.02 * found[2]
    assert found[2] < 64 * 20, "71 when each block was noted as a use of its log, twice that when passed on by itself"


def test_a_record_of_a_short_new_log_costs_little_beside_its_blocks() -> None:
    found = calls_of_each_record([written(number, 10) for number in range(1, 9)], 10)
    assert found[6] < 72 * 10, "81 when each part was asked after each record, and each block noted as a use of its log"


def test_a_block_costs_no_more_for_the_logs_that_are_held_and_wanted() -> None:
    few = calls_of_each_record([written(number, 4) for number in range(1, 11)], 4)
    many = calls_of_each_record([written(number, 4) for number in range(1, 161)], 4)
    assert many[5] <= 1.1 * few[5], "150 more are wanted"
    assert many[-2] <= 1.1 * few[5], "150 more are held"
