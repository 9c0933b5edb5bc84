"""Fork proofs: what proves a split and what does not."""

from __future__ import annotations

import pytest

from meshnode.core.chain.fork import Adoption, decode_adoption_untrusted, prove, verify_fork_untrusted
from meshnode.errors import SignatureError, UsageError, WireError
from support.chain_fakes import FAST, Writer


def split() -> tuple[Writer, Writer]:
    ann = Writer()
    ann.post(2)
    clone = ann.fork()
    ann.post(2)
    clone.write(b"other")
    clone.write(b"more")
    return ann, clone


def test_a_proof_is_the_same_whoever_makes_it() -> None:
    ann, clone = split()
    proof = prove(ann.blocks[2], clone.blocks[2])
    assert proof == prove(clone.blocks[2], ann.blocks[2])
    assert proof.lowest
    assert not prove(ann.blocks[3], clone.blocks[3]).lowest


def test_a_proof_travels() -> None:
    ann, clone = split()
    proof = prove(ann.blocks[3], clone.blocks[3])
    sent = (proof.content_a, proof.signature_a, proof.content_b, proof.signature_b)
    assert verify_fork_untrusted(ann.log, *sent, FAST) == proof


@pytest.mark.parametrize("case", ["same", "seq", "log", "order", "signature"])
def test_what_is_no_fork_is_refused(case: str) -> None:
    ann, clone = split()
    other = Writer("bo")
    other.post(3)
    a, b = sorted((ann.blocks[2], clone.blocks[2]), key=lambda block: block.id)
    log, signature = ann.log, a.signature
    match case:
        case "same":
            b = a
        case "seq":
            a, b = sorted((a, clone.blocks[3]), key=lambda block: block.id)
            signature = a.signature
        case "log":
            log = other.log
        case "order":
            a, b = b, a
            signature = a.signature
        case _:
            signature = bytes(64)
    with pytest.raises(SignatureError if case == "signature" else WireError):
        verify_fork_untrusted(log, a.content, signature, b.content, b.signature, FAST)


def test_two_signatures_on_one_content_are_no_fork() -> None:
    block = Writer().write()
    with pytest.raises(WireError):
        verify_fork_untrusted(block.log, block.content, block.signature, block.content, block.signature, FAST)


def test_a_proof_needs_two_different_blocks_at_one_seq() -> None:
    ann, clone = split()
    for one, other in ((ann.blocks[0], ann.blocks[0]), (ann.blocks[2], clone.blocks[3])):
        with pytest.raises(UsageError):
            prove(one, other)


def test_a_lower_proof_replaces_a_higher_one_and_no_other() -> None:
    ann, clone = split()
    low, high = prove(ann.blocks[2], clone.blocks[2]), prove(ann.blocks[3], clone.blocks[3])
    assert low.replaces(None, 0)
    assert low.replaces(high, 5)
    assert not low.replaces(high, 6)
    ann.post(1)
    clone.write(b"still more")
    higher = prove(ann.blocks[4], clone.blocks[4])
    assert high.replaces(higher, 2)
    assert not high.replaces(higher, 3)
    assert not high.replaces(low, 0)
    assert not low.replaces(low, 0)


def test_adoptions_come_back() -> None:
    ann, _ = split()
    adoption = Adoption(ann.log, 3, ann.blocks[2].id)
    assert len(adoption.encode()) == 88
    assert decode_adoption_untrusted(adoption.encode()) == adoption
    for bad in (b"", adoption.encode()[:-1], Adoption(ann.log, 0, adoption.id).encode()):
        with pytest.raises(WireError):
            decode_adoption_untrusted(bad)
