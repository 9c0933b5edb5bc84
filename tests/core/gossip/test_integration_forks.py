"""A log that split, between whole nodes: found however deep it lies, told to all, shown, and mended by its owner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from meshnode.core.chain.block import ROOT, Block, compact_of, write_block
from meshnode.core.chain.fork import Adoption
from meshnode.core.chain.kinds import ADOPTION, CERTIFICATE, POST, REVOCATION
from meshnode.core.identity.adoption import adopt_branch
from meshnode.core.identity.certificate import issue_certificate, revoke_device
from meshnode.core.ids import PERSON_CHANNEL, BlockId, ChannelId, DeviceKey, LogId, log_id
from meshnode.core.inputs import AdoptBranches
from meshnode.core.notices import BranchAdopted, ForkFound
from meshnode.core.records import ForkProofRecord, LogRecord
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import BlockFrame
from meshnode.errors import UsageError
from support.trial_world import SQUARE, Box, TrialWorld

IDLE_BYTES = 300
SPLIT, OTHER = bytes(range(32)), bytes(range(1, 33))  # secrets of two devices of one person


class Device:
    """A device of which tests hold the key: it writes what it likes."""

    def __init__(self, box: Box, secret: bytes, channel: ChannelId = SQUARE) -> None:
        self._sealer, self._secret = box.node.ctx.sealer, secret
        self.key = DeviceKey(self._sealer.signing_public(secret))
        self.log: LogId = log_id(self.key, box.keys.incarnation, channel)
        self.blocks: list[Block] = []

    def write(self, count: int = 1, body: bytes = b"words", kind: int = POST) -> list[Block]:
        for _ in range(count):
            prev = self.blocks[-1].ref if self.blocks else ROOT
            seq = len(self.blocks) + 1
            block = write_block(self.log, seq, prev, kind, body, time=0, secret=self._secret, sealer=self._sealer)
            self.blocks.append(block)
        return self.blocks[-count:]


def brings(box: Box, blocks: Iterable[Block]) -> None:
    """A parcel with these blocks."""
    box.import_([encode_frame(BlockFrame(block.log, compact_of(block, elide=False))) for block in blocks])


def a_split(box: Box, shared: int, left: int, right: int) -> tuple[LogId, list[Block], list[Block]]:
    """One log, two branches."""
    device = Device(box, SPLIT)
    device.write(shared)
    common = list(device.blocks)
    device.write(left, b"left")
    one = device.blocks
    device.blocks = common
    device.write(right, b"right")
    return device.log, one, device.blocks


def agreed(*boxes: Box) -> bool:
    return len({box.node.gossip.logs.digest() for box in boxes}) == 1


def frozen(box: Box, log: LogId) -> tuple[int, int]:
    held = box.node.gossip.logs.book.logs[log]
    return held.head, held.frozen_at


@pytest.mark.parametrize(("shared", "left", "right"), [(1, 2, 3), (3, 40, 42), (2, 130, 131), (5, 20, 19)])
@pytest.mark.parametrize("carrier", ["link", "overlay"])
def test_a_split_is_found_where_it_lies(carrier: str, shared: int, left: int, right: int) -> None:
    world = TrialWorld(1)
    a, b = world.add("a"), world.add("b")
    log, one, other = a_split(a, shared, left, right)
    brings(a, one)
    brings(b, other)
    if carrier == "link":
        world.join("a", "b")
    else:
        world.connect("a", "b")
    assert world.run(900, until=lambda: frozen(a, log) == frozen(b, log) == (shared, shared + 1))
    assert world.run(120, until=lambda: agreed(a, b))
    assert a.told(ForkFound)[-1].seq == b.told(ForkFound)[-1].seq == shared + 1
    proofs = [replace(box.disk.get(ForkProofRecord, log), replaced=0) for box in (a, b)]
    assert proofs[0] == proofs[1]
    world.run(600)
    before = {box: box.sent_bytes for box in (a, b)}
    world.run(3600)
    if carrier == "link":
        assert max((box.sent_bytes - before[box]) / 60 for box in (a, b)) <= IDLE_BYTES


def test_a_proof_reaches_everyone_who_holds_the_log_and_outlives_a_restart() -> None:
    world = TrialWorld(2, loss=0.2)
    boxes = [world.add(name) for name in "abcde"]
    for one, other in ("ab", "bc", "cd", "de"):
        world.join(one, other)
    log, one, other = a_split(boxes[0], 3, 2, 2)
    world.run(60)
    brings(boxes[0], one[:4])
    assert world.run(300, until=lambda: all(log in box.node.gossip.logs.book for box in boxes))
    boxes[2].off()
    brings(boxes[4], [other[3]])
    world.run(120)
    boxes[2].boot()
    assert world.run(900, until=lambda: all(frozen(box, log) == (3, 4) for box in boxes))
    assert agreed(*boxes)
    for box in boxes:
        assert [fork.seq for fork in box.told(ForkFound)] == [4]
        box.off()
        box.boot()
        assert frozen(box, log) == (3, 4)
        assert box.disk.get(LogRecord, log).frozen_at == 4
    assert agreed(*boxes)
    brings(boxes[0], one[4:])
    assert frozen(boxes[0], log) == (3, 4)


def person_log(owner: Box, secret: bytes) -> Device:
    """The person log of a device of somebody, with its certificate."""
    device = Device(owner, secret, PERSON_CHANNEL)
    certificate = issue_certificate(
        owner.node.ctx.sealer, owner.keys.persona, owner.keys.persona_secret, device.key
    )  # fmt: skip
    device.write(1, certificate, CERTIFICATE)
    return device


def a_split_known_to(*boxes: Box, last: Box | None = None) -> tuple[LogId, list[Block], list[Block]]:
    """All know of the split and hold the one branch; the last, if there is one, the other."""
    log, one, other = a_split(boxes[0], 3, 4, 2)
    for box in boxes:
        brings(box, [*one, other[3]])
    if last is not None:
        brings(last, [*other, one[3]])
        boxes = (*boxes, last)
    world = boxes[0].world
    assert world.run(60, until=lambda: all(frozen(box, log) == (3, 4) for box in boxes))
    return log, one, other


@pytest.mark.parametrize("later", [False, True])
def test_the_owner_of_a_split_log_adopts_a_branch(later: bool) -> None:
    """Said by another device of the same person; whose the split one is may be known only afterwards."""
    world = TrialWorld(3)
    a, b, c, owner = world.add("a"), world.add("b"), world.add("c"), world.add("o")
    world.join("a", "b")
    world.join("b", "c")
    log, _, other = a_split_known_to(a, b, last=c)
    world.run(60)
    split, speaker = person_log(owner, SPLIT), person_log(owner, OTHER)
    speaker.write(1, Adoption(log, 5, other[4].id).encode(), ADOPTION)
    said = [*speaker.blocks, *split.blocks] if later else [*split.blocks, *speaker.blocks]
    brings(a, said)
    assert world.run(300, until=lambda: all(box.node.gossip.logs.book.logs[log].head == 5 for box in (a, b, c)))
    assert world.run(120, until=lambda: agreed(a, b, c))
    for box in (a, b, c):
        assert box.node.gossip.logs.book.logs[log].id_at(4) == other[3].id
        box.off()
        box.boot()
        assert box.node.gossip.logs.book.logs[log].head == 5
    assert agreed(a, b, c)


@pytest.mark.parametrize("signer", ["the root", "another device"])
@pytest.mark.parametrize("later", [False, True])
def test_a_signed_statement_adopts_a_branch_wherever_it_stands(later: bool, signer: str) -> None:
    """Who has one device only has no other to speak through: the root says it, in whichever person log."""
    world = TrialWorld(6)
    a, owner, messenger = world.add("a"), world.add("o"), world.add("m")
    log, _, other = a_split_known_to(a)
    keys, sealer = owner.keys, owner.node.ctx.sealer
    secret = keys.persona_secret if signer == "the root" else OTHER
    statement = adopt_branch(sealer, keys.persona, secret, log, 5, other[4].id)
    carrier = Device(messenger, bytes(range(2, 34)), PERSON_CHANNEL)
    owned = [*person_log(owner, SPLIT).blocks, *(person_log(owner, OTHER).blocks if signer != "the root" else ())]
    said = carrier.write(1, statement, ADOPTION)
    brings(a, [*said, *owned] if later else [*owned, *said])
    brings(a, other[::-1])
    assert a.node.gossip.logs.book.logs[log].head == 5
    assert a.node.counters["adoption_refused"] == 0


@pytest.mark.parametrize("liar", ["another root", "the split device", "an impossible place"])
def test_no_other_statement_adopts_a_branch(liar: str) -> None:
    world = TrialWorld(7)
    a, owner, stranger = world.add("a"), world.add("o"), world.add("s")
    log, _, other = a_split_known_to(a)
    keys, sealer = owner.keys, owner.node.ctx.sealer
    if liar == "another root":
        keys = stranger.keys
    secret = SPLIT if liar == "the split device" else keys.persona_secret
    seq = 0xFFFFFFFF if liar == "an impossible place" else 5
    split = person_log(owner, SPLIT)
    split.write(1, adopt_branch(sealer, keys.persona, secret, log, seq, other[4].id), ADOPTION)
    brings(a, split.blocks)
    world.run(10)
    assert frozen(a, log) == (3, 4)
    assert a.node.counters["adoption_refused"] == 1


@pytest.mark.parametrize("liar", ["a stranger", "the split device", "a removed device", "nonsense"])
def test_nobody_else_adopts_a_branch(liar: str) -> None:
    world = TrialWorld(4)
    a, owner, stranger = world.add("a"), world.add("o"), world.add("s")
    log, _, other = a_split_known_to(a)
    split = person_log(owner, SPLIT)
    speaker = person_log(stranger if liar == "a stranger" else owner, OTHER)
    if liar == "a removed device":
        keys = owner.keys
        removal = revoke_device(owner.node.ctx.sealer, keys.persona, keys.persona_secret, speaker.key)
        split.write(1, removal, REVOCATION)
    if liar == "the split device":
        speaker = split
    body = b"?" if liar == "nonsense" else Adoption(log, 5, other[4].id).encode()
    brings(a, split.blocks)
    speaker.write(1, body, ADOPTION)
    brings(a, speaker.blocks)
    world.run(10)
    assert frozen(a, log) == (3, 4)
    assert a.node.counters["adoption_refused"] == 1


def test_statements_about_unknown_people_wait_within_bounds() -> None:
    world = TrialWorld(5)
    a, owner = world.add("a"), world.add("o")
    speaker = person_log(owner, OTHER)
    for number in range(100):
        unknown = LogId(number.to_bytes(52, "big"))
        speaker.write(1, Adoption(unknown, 5, BlockId(bytes(32))).encode(), ADOPTION)
    brings(a, speaker.blocks)
    assert len(a.node.chat.adoptions._waiting) == 64
    split = Device(owner, SPLIT)
    certificate = person_log(owner, SPLIT)
    speaker.write(1, Adoption(split.log, 5, BlockId(bytes(32))).encode(), ADOPTION)
    brings(a, [*speaker.blocks[-1:], *certificate.blocks])
    assert len(a.node.chat.adoptions._waiting) == 63
    assert split.log not in a.node.gossip.logs.book, "of a stranger, and not held"


@pytest.mark.parametrize("root_here", [True, False])
def test_a_person_adopts_what_their_device_holds_and_everybody_follows(root_here: bool) -> None:
    """With the root key by its signature, which counts for every device; without it by the block of this device."""
    world = TrialWorld(8)
    owner, other = world.add("o"), world.add("x")
    world.join("o", "x")
    log, one, _ = a_split_known_to(owner, last=other)
    brings(owner, person_log(owner, SPLIT).blocks)
    world.run(60)
    if not root_here:
        owner.node.ctx.keys = replace(owner.keys, persona_secret=b"")
    owner.feed(AdoptBranches(DeviceKey(log[:32])))
    assert world.run(300, until=lambda: other.node.gossip.logs.book.logs[log].head == len(one))
    assert agreed(owner, other)
    for box in (owner, other):
        (told,) = box.told(BranchAdopted)
        assert (told.log, told.split, told.seq, told.block) == (log, 4, len(one), one[-1].id)
        assert told.persona == owner.keys.persona
        assert box.node.gossip.logs.book.logs[log].id_at(4) == one[3].id


def test_a_branch_is_adopted_by_its_owner_alone_where_it_may_and_where_there_is_one() -> None:
    world = TrialWorld(9)
    owner, stranger = world.add("o"), world.add("s")
    log, _, _ = a_split_known_to(owner)
    brings(owner, person_log(owner, SPLIT).blocks)
    with pytest.raises(UsageError, match="no device of your persona"):
        owner.feed(AdoptBranches(DeviceKey(stranger.keys.device)))
    with pytest.raises(UsageError, match="no history of this device split"):
        owner.feed(AdoptBranches(DeviceKey(owner.keys.device)))
    owner.node.ctx.keys = replace(owner.keys, persona_secret=b"")
    with pytest.raises(UsageError, match="root key of your persona is not on this device"):
        owner.feed(AdoptBranches(DeviceKey(owner.keys.device)))
    assert frozen(owner, log) == (3, 4)
    assert not owner.told(BranchAdopted)
