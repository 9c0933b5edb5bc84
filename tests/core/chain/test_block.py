"""Blocks: what is signed, what is refused, and how a body comes and goes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import meshnode.core.chain.block as block_module
from meshnode.core import records
from meshnode.core.chain.block import (
    BACKLINK,
    CONTENT_SIZE,
    ROOT,
    Block,
    compact_of,
    parse_content_untrusted,
    stored_block,
    verify_untrusted,
    with_body_untrusted,
    without_body,
    write_block,
)
from meshnode.core.chain.compact import MAX_BODY, decode_compact_untrusted, encode_compact
from meshnode.core.chain.kinds import BODY_DROPPED, BODY_HELD, BODY_MISSING, BODY_REMOVED, acted_upon, expiry_s
from meshnode.errors import SignatureError, UsageError, WireError
from support.chain_fakes import FAST, REAL, Writer


def test_a_written_block_verifies_from_its_wire_form() -> None:
    ann = Writer()
    first, second = ann.write(b"one"), ann.write(b"two", cls=1, expiry=3)
    assert verify_untrusted(ann.log, compact_of(first, elide=False), None, FAST) == first
    assert verify_untrusted(ann.log, compact_of(second, elide=True), first.ref, FAST) == second
    assert verify_untrusted(ann.log, compact_of(second, elide=False), None, FAST) == second


def test_the_content_has_one_layout() -> None:
    block = Writer().write(b"one")
    assert len(block.content) == CONTENT_SIZE == 120
    assert block.content[BACKLINK] == block.prev == ROOT
    assert block.ref == block.id[:20]


def test_an_elided_backlink_needs_the_block_before() -> None:
    ann = Writer()
    ann.write()
    compact = compact_of(ann.write(), elide=True)
    with pytest.raises(WireError, match="needs the block before"):
        verify_untrusted(ann.log, compact, None, FAST)
    with pytest.raises(SignatureError):
        verify_untrusted(ann.log, compact, bytes(19) + b"x", FAST)


def test_only_the_first_block_links_to_the_root() -> None:
    ann = Writer()
    ann.write()
    second = compact_of(ann.write(), elide=False)
    with pytest.raises(WireError, match="first to none"):
        verify_untrusted(ann.log, second._replace(prev=ROOT), None, FAST)
    with pytest.raises(WireError, match="first to none"):
        verify_untrusted(ann.log, second._replace(seq=1), None, FAST)


def test_another_log_does_not_fit() -> None:
    ann, bo = Writer("ann"), Writer("bo")
    with pytest.raises(SignatureError):
        verify_untrusted(bo.log, compact_of(ann.write(), elide=False), None, FAST)


def take(ann: Writer, wire: bytes) -> Block:
    compact, end = decode_compact_untrusted(wire, 0)
    if end != len(wire):
        raise WireError("bytes are left over")
    return verify_untrusted(ann.log, compact, ann.blocks[0].ref, REAL)


def test_any_flipped_bit_of_a_block_is_refused() -> None:
    ann = Writer(signer=REAL)
    ann.write()
    block = ann.write(b"soup")
    wire = encode_compact(compact_of(block, elide=False), with_seq=True)
    assert take(ann, wire) == block
    for bit in range(len(wire) * 8):
        flipped = bytearray(wire)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            take(ann, bytes(flipped))


def test_a_dropped_body_leaves_a_block_that_verifies() -> None:
    ann = Writer()
    block = ann.write(b"soup is ready")
    header = verify_untrusted(ann.log, compact_of(without_body(block), elide=False), None, FAST)
    assert header.id == block.id
    assert header.body is None
    assert with_body_untrusted(header, b"soup is ready") == block
    for other in (b"soup is read", b"soup is cold!"):
        with pytest.raises(WireError, match="does not belong"):
            with_body_untrusted(header, other)


def test_a_body_longer_than_its_block_says_never_fits() -> None:
    ann = Writer()
    block = ann.write(b"soup is ready")
    content = _changed(block.content, 84, b"\x00\x00\x00\x04")
    header = parse_content_untrusted(content, FAST.sign(ann.secret, block_module.LABEL + content), FAST)
    with pytest.raises(WireError, match="does not belong"):
        with_body_untrusted(header, b"soup is ready")


def test_an_empty_body_cannot_be_dropped() -> None:
    block = Writer().write(b"")
    assert without_body(block).body == b""
    assert parse_content_untrusted(block.content, block.signature, FAST).body == b""


def test_a_header_is_parsed_from_its_content() -> None:
    block = Writer().write(b"soup")
    assert parse_content_untrusted(block.content, block.signature, FAST) == without_body(block)
    with pytest.raises(SignatureError):
        parse_content_untrusted(block.content, bytes(64), FAST)


def _changed(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"\x00"),  # version
        (53, b"\x00\x00\x00\x00"),  # seq 0
        (53, b"\x00\x80\x00\x00"),  # seq too large
        (53, b"\x00\x00\x00\x02"),  # seq 2 that links to the root
        (58, b"\x05"),  # class
        (59, b"\x20"),  # expiry
        (84, b"\x00\x00\x40\x01"),  # body length
        (84, b"\x00\x00\x00\x00"),  # no body, yet not the hash of nothing
    ],
)
def test_impossible_contents_are_refused_before_the_signature(at: int, value: bytes) -> None:
    block = Writer().write(b"soup")
    with pytest.raises(WireError, match="impossible"):
        parse_content_untrusted(_changed(block.content, at, value), block.signature, FAST)


def test_contents_of_a_wrong_size_are_refused() -> None:
    block = Writer().write(b"soup")
    for content, signature in ((block.content[:-1], block.signature), (block.content, block.signature + b"x")):
        with pytest.raises(WireError, match="wrong size"):
            parse_content_untrusted(content, signature, FAST)


def test_a_stored_block_comes_back_without_a_look_at_its_signature() -> None:
    block = Writer().write(b"soup")
    assert stored_block(block.content, block.signature, b"soup") == block
    assert stored_block(block.content, block.signature, None) == without_body(block)
    with pytest.raises(UsageError, match="damaged"):
        stored_block(block.content, block.signature, b"broth")


def test_a_later_version_verifies_and_is_carried() -> None:
    ann = Writer()
    now = compact_of(ann.write(b"soup"), elide=False)
    later = now._replace(version=2, kind=200)
    content = ann.blocks[0].content
    content = b"\x02" + content[1:57] + b"\xc8" + content[58:]
    signed = later._replace(signature=FAST.sign(ann.secret, block_module.LABEL + content))
    block = verify_untrusted(ann.log, signed, None, FAST)
    assert (block.version, block.kind) == (2, 200)
    assert not acted_upon(block.version, block.kind)
    assert not acted_upon(1, 200)
    assert acted_upon(1, 1)


@pytest.mark.parametrize(
    ("seq", "prev", "body", "cls", "expiry"),
    [
        (0, ROOT, b"", 3, 0),
        (1, b"x" * 20, b"", 3, 0),
        (2, ROOT, b"", 3, 0),
        (2, b"x" * 19, b"", 3, 0),
        (0x800000, b"x" * 20, b"", 3, 0),
        (1, ROOT, bytes(MAX_BODY + 1), 3, 0),
        (1, ROOT, b"", 5, 0),
        (1, ROOT, b"", 3, 32),
    ],
)
def test_an_author_cannot_write_the_impossible(seq: int, prev: bytes, body: bytes, cls: int, expiry: int) -> None:
    ann = Writer()
    with pytest.raises(UsageError):
        write_block(ann.log, seq, prev, 1, body, time=0, secret=ann.secret, sealer=FAST, cls=cls, expiry=expiry)


def test_dates_beyond_four_bytes_are_cut() -> None:
    assert Writer().write(time=2**40).time == 0xFFFFFFFF
    assert Writer().write(time=-5).time == 0


def test_lifetimes_have_codes() -> None:
    assert expiry_s(0) is None
    assert expiry_s(3) == 86400
    assert expiry_s(31) is None


def test_body_states_are_those_of_the_rows() -> None:
    ours = (BODY_HELD, BODY_MISSING, BODY_DROPPED, BODY_REMOVED)
    assert ours == (records.BODY_HELD, records.BODY_MISSING, records.BODY_DROPPED, records.BODY_REMOVED)


def test_nobody_else_makes_a_block() -> None:
    package = Path(block_module.__file__).parents[2]
    makers = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Block"
    }
    assert makers == {"block.py"}
    assert Block._fields[0] == "log"
