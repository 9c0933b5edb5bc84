"""How fast a node takes in blocks: decoded, verified, kept and stored per second, over bare Ed25519 verifications.

    python bench/ingest.py
    python bench/ingest.py --blocks 10000 --logs 1000

One process, one core. The same blocks are taken in by a fresh node with a fresh store, and merely verified, in turns;
the ratio is the median of the turns, so that a machine that changes its pace does not change the answer much. Rates and
`ratio` are of CPU seconds, `ratio_wall` of the clock on the wall: waits for the disk count there, and so does whatever
else the machine does. `growth` is what a block of the last fifth costs over one of the first: 1.0 where the cost does
not grow with what is held. What the bench itself keeps in memory is put out of the garbage collector's sight.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import emit, spread, texts
from nacl.bindings import crypto_sign_open

from meshnode.core.chain.block import LABEL, ROOT, Block, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.chain.ranges import build_run
from meshnode.core.effects import Forget, Persist
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import DeviceKey, Incarnation, NodeKey, PersonaKey, channel_id, hashed, log_device, log_id
from meshnode.core.inputs import EncounterBegan, RecordReceived
from meshnode.core.node import Node
from meshnode.core.records import Snapshot
from meshnode.core.sealing.atrest import StoreKey
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.settings import Settings
from meshnode.core.wire.codec import encode_frame, join_frames
from meshnode.core.wire.frames import Run
from meshnode.core.wire.limits import MAX_PLAINTEXT
from meshnode.daemon.entropy import SystemEntropy
from meshnode.peering.session import TOGETHER
from meshnode.store.store import Store

SECRET = bytes(range(32))
STORE_LIMIT = 512 * 1024 * 1024
SESSION = 1


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--blocks", type=int, default=5000)
    words.add_argument("--logs", type=int, default=1, help="how many contacts wrote them")
    words.add_argument("--size", type=int, default=200)
    words.add_argument("--run", type=int, default=128, help="blocks in a record of a session, and in a commit")
    words.add_argument("--together", type=int, default=TOGETHER, help="bytes of short runs that share a record")
    words.add_argument("--turns", type=int, default=5)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    emit("ingest", vars(options), measure(options))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Turns of both."""
    logs = [write(number, options) for number in range(options.logs)]
    blocks = [block for log in logs for block in log]
    runs = [
        (len(part), encode_frame(Run(part[0].log, part[0].seq, build_run(part))))
        for log in logs
        for part in chunks(log, options.run)
    ]
    records = list(together(runs, options.together))
    signed = [(block.signature + LABEL + block.content, log_device(block.log)) for block in blocks]
    writers = [log_device(log[0].log) for log in logs]
    gc.collect()
    gc.freeze()
    bare, ours, wall, growth = [], [], [], []
    for _ in range(options.turns):
        verifying = verify_bare(signed)
        commits = take_in(records, writers, options.run)
        cpu = [one.cpu for one in commits]
        fifth = max(1, len(cpu) // 5)
        bare.append(len(blocks) / verifying.cpu)
        ours.append(len(blocks) / sum(cpu))
        wall.append(verifying.wall / sum(one.wall for one in commits))
        growth.append(sum(cpu[-fifth:]) / sum(cpu[:fifth]))
    return {
        "blocks_per_s": spread(ours),
        "bare_verifies_per_s": spread(bare),
        "ratio": round(statistics.median(one / other for one, other in zip(ours, bare, strict=True)), 3),
        "ratio_wall": round(statistics.median(wall), 3),
        "growth": round(statistics.median(growth), 2),
    }


def write(number: int, options: argparse.Namespace) -> list[Block]:
    """The posts of one writer."""
    sealer, secret = RealSealer(), hashed(b"bench", number.to_bytes(4, "big"))
    log = log_id(DeviceKey(sealer.signing_public(secret)), Incarnation(b"inc1"), channel_id("square"))
    blocks: list[Block] = []
    for seq, text in enumerate(texts(options.seed + number, options.blocks // options.logs, options.size), 1):
        prev = blocks[-1].ref if blocks else ROOT
        blocks.append(write_block(log, seq, prev, POST, text.encode(), time=seq, secret=secret, sealer=sealer))
    return blocks


def chunks(blocks: list[Block], size: int) -> list[list[Block]]:
    """Stretches of a log, as a session sends them."""
    return [blocks[at : at + size] for at in range(0, len(blocks), size)]


def together(runs: Iterable[tuple[int, bytes]], most: int) -> Iterator[tuple[int, bytes]]:
    """Short runs share a record, as a session sends them: how many blocks are in it, and its bytes."""
    waiting: list[tuple[int, bytes]] = []
    for run in runs:
        if waiting and sum(len(data) for _, data in [*waiting, run]) > most:
            yield joined(waiting)
            waiting = []
        waiting.append(run)
    yield joined(waiting)


def joined(runs: Sequence[tuple[int, bytes]]) -> tuple[int, bytes]:
    """One record."""
    return sum(count for count, _ in runs), join_frames([data for _, data in runs], MAX_PLAINTEXT)


class Spent(NamedTuple):
    """Seconds."""

    cpu: float
    wall: float

    def since(self, begun: Spent) -> Spent:
        """From then to now."""
        return Spent(self.cpu - begun.cpu, self.wall - begun.wall)


def now() -> Spent:
    """What was spent until now."""
    return Spent(time.process_time(), time.perf_counter())


def verify_bare(signed: Sequence[tuple[bytes, bytes]]) -> Spent:
    """The library alone."""
    begun = now()
    for message, key in signed:
        crypto_sign_open(message, key)
    return now().since(begun)


def take_in(records: Sequence[tuple[int, bytes]], writers: Sequence[DeviceKey], commit: int) -> list[Spent]:
    """What each commit took: records of a session in, rows on disk out, by the node and the store of the daemon."""
    node, entropy = fresh_node(writers)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store.db"), StoreKey(RealSealer(), entropy, bytes(32)), STORE_LIMIT, reserve=False)
        spent: list[Spent] = []
        waiting, held = list[Persist | Forget](), 0
        begun = now()
        for number, (count, record) in enumerate(records, 1):
            effects = node.step(RecordReceived(SESSION, record), now=1.0 + number / 1000)
            waiting += [one for one in effects if isinstance(one, Persist | Forget)]
            held += count
            if held >= commit or number == len(records):
                node.next_wakeup()  # the daemon asks once a turn, too
                store.commit(waiting, float(number), promise=False)
                waiting, held = [], 0
                spent.append(now().since(begun))
                begun = now()
        kept = store.reads.counts()["block"]
        store.close()
    if kept < sum(count for count, _ in records):
        raise SystemExit(f"only {kept} blocks were stored: the figure would mean nothing")
    return spent


def fresh_node(writers: Sequence[DeviceKey]) -> tuple[Node, SystemEntropy]:
    """A node with an open session, over which its peer sends what it lacks of what its contacts wrote."""
    entropy, sealer = SystemEntropy(), RealSealer()
    node = Node(new_keys(sealer, entropy), open_mesh("bench"), Settings(), sealer, entropy, Snapshot(now=0.0), 1)
    for device in writers:
        node.rings.device_known(device, PersonaKey(device))
        node.rings.contact_set(PersonaKey(device), blocked=False)
    peer = NodeKey(sealer.signing_public(SECRET))
    node.step(EncounterBegan(SESSION, peer, "link", "fe80::1", initiator=True), now=0.5)
    return node, entropy


if __name__ == "__main__":
    main()
