"""The bytes of blocks, statements, digests and rounds. Vectors never change; new ones are added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshnode.core.chain.block import compact_of, parse_content_untrusted, without_body, write_block
from meshnode.core.chain.checkpoint import decode_checkpoint_untrusted, merkle_root
from meshnode.core.chain.compact import encode_compact
from meshnode.core.chain.fork import decode_adoption_untrusted
from meshnode.core.chain.frontier import Element, Round, frontier_digest
from meshnode.core.chain.incarnation import decode_beginning_untrusted
from meshnode.core.chain.prune import decode_floor_untrusted
from meshnode.core.chain.reconcile import FINGERPRINT, LISTED, Range, Reconciler
from meshnode.core.ids import LogId, log_handle
from support.chain_fakes import REAL

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "chain.json").read_text())
LOG = LogId(bytes.fromhex(VECTORS["log"]))
BODIES = {vector["name"]: bytes.fromhex(vector["body"]) for vector in VECTORS["bodies"]}
IDS = [bytes.fromhex(vector["id"]) for vector in VECTORS["blocks"]]


@pytest.mark.parametrize("vector", VECTORS["blocks"], ids=lambda vector: vector["name"])
def test_a_block_has_these_bytes(vector: dict) -> None:
    block = write_block(
        LOG,
        vector["seq"],
        bytes.fromhex(vector["prev"]),
        vector["kind"],
        bytes.fromhex(vector["body"]),
        time=vector["time"],
        secret=bytes.fromhex(VECTORS["secret"]),
        sealer=REAL,
        cls=vector["class"],
        expiry=vector["expiry"],
    )
    made = {
        "content": block.content,
        "id": block.id,
        "signature": block.signature,
        "body_hash": block.body_hash,
        "alone": encode_compact(compact_of(block, elide=False), with_seq=True),
        "in_run": encode_compact(compact_of(block, elide=True), with_seq=False),
        "dropped": encode_compact(compact_of(without_body(block), elide=False), with_seq=True),
    }
    assert {name: value.hex() for name, value in made.items()} == {name: vector[name] for name in made}
    assert parse_content_untrusted(block.content, block.signature, REAL) == without_body(block)


def test_the_log_has_this_handle() -> None:
    assert log_handle(LOG).hex() == VECTORS["handle"]


def test_merkle_roots() -> None:
    for count, vector in enumerate(VECTORS["merkle_roots"]):
        assert merkle_root(IDS[:count]).hex() == vector["root"]


def test_statements() -> None:
    assert decode_floor_untrusted(BODIES["floor 3"], 5) == 3
    first = decode_checkpoint_untrusted(BODIES["checkpoint over blocks 1 to 5"], 6)
    assert (first.first, first.count, first.root, first.last_seq) == (1, 5, merkle_root(IDS), 0)
    later = decode_checkpoint_untrusted(BODIES["checkpoint after one at 3"], 6)
    assert (later.first, later.count, later.last_seq, later.last) == (3, 3, 3, IDS[2][:20])
    adoption = decode_adoption_untrusted(BODIES["adoption up to block 4"])
    assert (adoption.log, adoption.seq, adoption.id) == (LOG, 4, IDS[3])
    beginning = decode_beginning_untrusted(BODIES["incarnation that knew block 2"])
    assert (beginning.old, beginning.seq, beginning.id) == (b"\x09\x08\x07\x06", 2, IDS[1])
    assert decode_beginning_untrusted(BODIES["incarnation that knew nothing"]).seq == 0


def test_the_frontier_has_this_digest_and_these_elements_in_a_round() -> None:
    told = VECTORS["frontier"]
    key = bytes.fromhex(told["digest_key"])
    elements = [Element(LogId(bytes.fromhex(one["log"])), one["head"], one["forked"]) for one in told["elements"]]
    assert [element.encode().hex() for element in elements] == [one["encoded"] for one in told["elements"]]
    assert frontier_digest(key, [element.encode() for element in elements]).hex() == told["digest"]
    nonce = bytes.fromhex(VECTORS["round"]["nonce"])
    round_ = Round(key, nonce, elements)
    assert [element.hex() for element in round_.elements] == VECTORS["round"]["elements"]
    whole = Range(b"", FINGERPRINT, bytes.fromhex(VECTORS["round"]["fingerprint"]))
    nothing = Range(b"", FINGERPRINT, bytes.fromhex(VECTORS["round"]["fingerprint_of_nothing"]))
    ours, empty = Reconciler(round_.elements, key, nonce), Reconciler([], key, nonce)
    assert ours.answer_untrusted([whole]).ranges == empty.answer_untrusted([nothing]).ranges == ()
    assert empty.answer_untrusted([whole]).ranges == (Range(b"", LISTED),)
