"""The sealed stream of a backup: what was written comes back, and nothing that was changed, cut or moved does."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnode.core.sealing import primitives
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.vault import MAGIC, PIECE, SealedReader, SealedWriter
from meshnode.errors import WireError

WORDS = "twelve words"


@pytest.fixture(autouse=True, scope="module")
def quick_passphrases():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(primitives, "_ARGON_MEMORY_KIB", 64)
        patch.setattr(primitives, "_ARGON_PASSES", 1)
        yield


def sealed(*parts: bytes) -> bytes:
    file = io.BytesIO()
    with SealedWriter(file, WORDS, RealSealer(), SystemEntropy()) as writer:
        for part in parts:
            writer.write(part)
    return file.getvalue()


def opened(data: bytes, words: str = WORDS) -> bytes:
    return SealedReader(io.BytesIO(data), words, RealSealer()).read()


@given(st.lists(st.integers(0, 2 * PIECE + 3), max_size=4))
@settings(max_examples=20, deadline=None)
def test_what_was_written_comes_back(sizes: list[int]) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    assert opened(sealed(*parts)) == b"".join(parts)


@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_noise_opens_nothing(noise: bytes) -> None:
    for data in (noise, MAGIC + noise):
        with pytest.raises(WireError):
            opened(data)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_was_changed_or_cut_does_not_open(data: st.DataObject) -> None:
    whole = sealed(b"a" * 100)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for bad in (whole[:at], bytes(changed)):
        with pytest.raises(WireError):
            opened(bad)


def test_pieces_that_changed_places_do_not_open() -> None:
    whole = sealed(b"a" * 2 * PIECE, b"b")
    size = 4 + PIECE + 16
    last = 4 + 1 + 16
    head, first, second = whole[: -2 * size - last], whole[-2 * size - last : -size - last], whole[-size - last : -last]
    assert opened(head + first + second + whole[-last:]) == b"a" * 2 * PIECE + b"b"
    for bad in (head + second + first + whole[-last:], head + first + whole[-last:], head + first + second):
        with pytest.raises(WireError):
            opened(bad)


def test_another_passphrase_opens_nothing_and_a_broken_writer_leaves_nothing_whole() -> None:
    with pytest.raises(WireError, match="passphrase"):
        opened(sealed(b"soup"), "other words")
    file = io.BytesIO()
    writer = SealedWriter(file, WORDS, RealSealer(), SystemEntropy())
    writer.write(b"soup")
    writer.__exit__(ZeroDivisionError, None, None)
    with pytest.raises(WireError, match="cut short"):
        opened(file.getvalue())
