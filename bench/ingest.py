"""How fast a node takes in blocks: decoded, verified, kept and stored per second, over bare Ed25519 verifications.

    python bench/ingest.py

One process, one core. The same blocks are taken in by a fresh node with a fresh store, and merely verified, in turns;
the ratio is the median of the turns, so that a machine that changes its pace does not change the answer much.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import emit, spread, texts
from nacl.bindings import crypto_sign_open

from meshnode.core.chain.block import LABEL, ROOT, Block, write_block
from meshnode.core.chain.kinds import POST
from meshnode.core.chain.ranges import build_run
from meshnode.core.effects import Forget, Persist
from meshnode.core.identity.keys import new_keys
from meshnode.core.ids import DeviceKey, Incarnation, LogId, NodeKey, channel_id, log_device, log_id
from meshnode.core.inputs import EncounterBegan, RecordReceived
from meshnode.core.node import Node
from meshnode.core.records import Snapshot
from meshnode.core.sealing.atrest import StoreKey
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.primitives import RealSealer
from meshnode.core.settings import Settings
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import Run
from meshnode.daemon.entropy import SystemEntropy
from meshnode.store.store import Store

SECRET = bytes(range(32))
STORE_LIMIT = 512 * 1024 * 1024
SESSION = 1


def main() -> None:
    """Parses the words and measures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--blocks", type=int, default=5000)
    words.add_argument("--size", type=int, default=200)
    words.add_argument("--run", type=int, default=128, help="blocks in a record of a session, and in a commit")
    words.add_argument("--turns", type=int, default=5)
    words.add_argument("--seed", type=int, default=1)
    options = words.parse_args()
    emit("ingest", vars(options), measure(options))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Turns of both."""
    log, blocks = write(options)
    records = [encode_frame(Run(log, part[0].seq, build_run(part))) for part in chunks(blocks, options.run)]
    signed = [(block.signature + LABEL + block.content, log_device(log)) for block in blocks]
    bare, ours = [], []
    for _ in range(options.turns):
        bare.append(verify_bare(signed))
        ours.append(take_in(records, len(blocks)))
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    return {"blocks_per_s": spread(ours), "bare_verifies_per_s": spread(bare), "ratio": round(ratio, 3)}


def write(options: argparse.Namespace) -> tuple[LogId, list[Block]]:
    """One log of posts."""
    sealer = RealSealer()
    log = log_id(DeviceKey(sealer.signing_public(SECRET)), Incarnation(b"inc1"), channel_id("square"))
    blocks: list[Block] = []
    for number, text in enumerate(texts(options.seed, options.blocks, options.size), 1):
        prev = blocks[-1].ref if blocks else ROOT
        blocks.append(write_block(log, number, prev, POST, text.encode(), time=number, secret=SECRET, sealer=sealer))
    return log, blocks


def chunks(blocks: list[Block], size: int) -> list[list[Block]]:
    """Stretches of the log, as a session sends them."""
    return [blocks[at : at + size] for at in range(0, len(blocks), size)]


def verify_bare(signed: Sequence[tuple[bytes, bytes]]) -> float:
    """Verifications per second, the library alone."""
    begun = time.perf_counter()
    for message, key in signed:
        crypto_sign_open(message, key)
    return len(signed) / (time.perf_counter() - begun)


def take_in(records: Sequence[bytes], count: int) -> float:
    """Blocks per second: records of a session in, rows on disk out, by the node and the store of the daemon."""
    node, entropy = fresh_node()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store.db"), StoreKey(RealSealer(), entropy, bytes(32)), STORE_LIMIT, reserve=False)
        begun = time.perf_counter()
        for number, record in enumerate(records):
            effects = node.step(RecordReceived(SESSION, record), now=1.0 + number / 1000)
            store.commit([one for one in effects if isinstance(one, Persist | Forget)], float(number), promise=False)
        seconds = time.perf_counter() - begun
        kept = store.reads.counts()["block"]
        store.close()
    if kept < count:
        raise SystemExit(f"only {kept} of {count} blocks were stored: the figure would mean nothing")
    return count / seconds


def fresh_node() -> tuple[Node, SystemEntropy]:
    """A node with an open session, over which its peer sends what it lacks."""
    entropy, sealer = SystemEntropy(), RealSealer()
    node = Node(new_keys(sealer, entropy), open_mesh("bench"), Settings(), sealer, entropy, Snapshot(now=0.0), 1)
    peer = NodeKey(sealer.signing_public(SECRET))
    node.step(EncounterBegan(SESSION, peer, "link", "fe80::1", initiator=True), now=0.5)
    return node, entropy


if __name__ == "__main__":
    main()
