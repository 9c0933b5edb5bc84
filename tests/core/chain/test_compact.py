"""The wire form of one block: its cost, and that it has one encoding only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.chain.compact import MAX_BODY, Compact, decode_compact_untrusted, encode_compact
from meshnode.core.chain.varint import varint
from meshnode.errors import WireError

POST = Compact(1, 3, 7, 1_800_000_000, 0, bytes(range(20)), 5, b"hello", b"", bytes(64))


def decode(data: bytes, seq: int = 0) -> Compact:
    block, end = decode_compact_untrusted(data, 0, seq)
    assert end == len(data)
    return block


def test_a_post_costs_70_bytes_in_a_run_and_91_with_seq_and_backlink() -> None:
    body = b"x" * 100
    post = POST._replace(body=body, body_len=100)
    assert len(encode_compact(post._replace(prev=b""), with_seq=False)) - 100 == 70
    assert len(encode_compact(post, with_seq=True)) - 100 == 91


@pytest.mark.parametrize(
    "block",
    [
        POST,
        POST._replace(prev=b""),
        POST._replace(seq=1, prev=b""),
        POST._replace(body=None, body_hash=bytes(32)),
        POST._replace(cls=1, expiry=4),
        POST._replace(cls=4),
        POST._replace(expiry=31),
        POST._replace(kind=30),
        POST._replace(kind=31),
        POST._replace(kind=255),
        POST._replace(version=2),
        POST._replace(body=b"", body_len=0),
        POST._replace(body=bytes(MAX_BODY), body_len=MAX_BODY, time=0, seq=0x7FFFFF),
    ],
)
def test_every_shape_comes_back(block: Compact) -> None:
    assert decode(encode_compact(block, with_seq=True)) == block
    assert decode(encode_compact(block, with_seq=False), seq=block.seq) == block


@pytest.mark.parametrize(
    "block",
    [
        POST._replace(seq=1),
        POST._replace(seq=0, prev=b""),
        POST._replace(seq=0x800000),
        POST._replace(body=None, body_len=0, body_hash=bytes(32)),
        POST._replace(body_len=MAX_BODY + 1, body=bytes(MAX_BODY + 1)),
        POST._replace(cls=5),
        POST._replace(version=0),
    ],
)
def test_impossible_blocks_are_refused(block: Compact) -> None:
    with pytest.raises(WireError):
        decode_compact_untrusted(encode_compact(block, with_seq=True), 0)


def test_longer_forms_are_refused() -> None:
    plain = encode_compact(POST._replace(prev=b""), with_seq=False)
    ranked = bytes((plain[0] | 0x80, 3 << 5)) + plain[1:]
    explicit = bytes((plain[0] | 0x1F, 1, 1)) + plain[1:]
    for longer in (ranked, explicit):
        with pytest.raises(WireError, match="shorter form"):
            decode_compact_untrusted(longer, 0, 7)


def test_every_truncation_is_refused() -> None:
    whole = encode_compact(POST._replace(cls=1, kind=40), with_seq=True)
    for size in range(len(whole)):
        with pytest.raises(WireError):
            decode_compact_untrusted(whole[:size], 0)


@given(st.binary(max_size=200), st.integers(0, 9))
def test_noise_decodes_to_its_own_encoding_or_is_refused(noise: bytes, seq: int) -> None:
    try:
        block, end = decode_compact_untrusted(noise, 0, seq)
    except WireError:
        return
    assert encode_compact(block, with_seq=not seq) == noise[:end]


@given(st.binary(min_size=70, max_size=120), st.integers(0, 31), st.integers(0, 50))
def test_near_misses_decode_to_their_own_encoding_or_are_refused(noise: bytes, kind: int, size: int) -> None:
    data = bytes((kind,)) + noise[:4] + varint(size) + noise
    try:
        block, end = decode_compact_untrusted(data, 0, 5)
    except WireError:
        return
    assert encode_compact(block, with_seq=False) == data[:end]
