"""Manifests and chunks: what is written comes back, what no file can be is refused, and noise is a WireError."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.ids import FileId
from meshnode.core.sealing.manifest import (
    CHUNK_SIZE,
    MAX_FILE,
    MAX_NAME,
    MAX_PREVIEW,
    Manifest,
    attach,
    chunk_count,
    chunk_size,
    content_step,
    decode_manifest_untrusted,
    file_name,
    open_chunk_untrusted,
    seal_chunk,
    take_attached_untrusted,
)
from meshnode.core.sealing.primitives import RealSealer
from meshnode.errors import UsageError, WireError

KEY = bytes(range(32))
FILE = FileId(bytes(32))
PHOTO = Manifest(FILE, 100_000, "photo.webp", "image/webp", KEY, b"small")

names = st.text(min_size=1, max_size=30).filter(lambda name: file_name(name) and len(name.encode()) <= MAX_NAME)
manifests = st.builds(
    Manifest,
    st.binary(min_size=32, max_size=32).map(FileId),
    st.integers(100, MAX_FILE),
    names,
    st.sampled_from(("", "image/webp", "audio/ogg; codecs=opus")),
    st.sampled_from((b"", KEY)),
    st.binary(max_size=100),
)


@given(manifests, st.text(max_size=20))
def test_a_manifest_comes_back_with_its_words(manifest: Manifest, words: str) -> None:
    data, text = take_attached_untrusted(attach(manifest.encode(), words))
    assert decode_manifest_untrusted(data) == manifest
    assert text == words


@given(st.binary(max_size=200))
def test_noise_is_a_wire_error(noise: bytes) -> None:
    for decode in (decode_manifest_untrusted, take_attached_untrusted):
        with pytest.raises(WireError):
            decode(noise)


@given(st.data())
def test_a_changed_byte_gives_another_manifest_or_none(data: st.DataObject) -> None:
    whole = bytearray(PHOTO.encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert decode_manifest_untrusted(bytes(whole)) != PHOTO
    except WireError:
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "two\nlines", "turn\u202eed", "x" * (MAX_NAME + 1)])
def test_no_file_has_such_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        replace(PHOTO, name=name).encode()
    raw = name.encode()
    forged = PHOTO.encode().replace(b"\x0aphoto.webp", bytes((len(raw),)) + raw)
    with pytest.raises(WireError):
        decode_manifest_untrusted(forged)


@pytest.mark.parametrize("wrong", [{"media": "x" * 81}, {"media": "text/\n"}, {"preview": bytes(MAX_PREVIEW + 1)}])
def test_what_is_too_long_is_not_announced(wrong: dict) -> None:
    with pytest.raises(UsageError):
        replace(PHOTO, **wrong).encode()


def test_what_is_too_long_is_not_taken() -> None:
    whole = PHOTO.encode()
    for forged in (
        whole.replace(b"\x0aimage/webp", bytes((81,)) + b"x" * 81),
        whole.replace(b"\x0aimage/webp", b"\x01\xff"),
        whole[: -2 - len(PHOTO.preview)] + (MAX_PREVIEW + 1).to_bytes(2, "big") + bytes(MAX_PREVIEW + 1),
    ):
        with pytest.raises(WireError):
            decode_manifest_untrusted(forged)


@pytest.mark.parametrize("size", [0, MAX_FILE + 1, 16])
def test_a_file_of_an_impossible_size_is_not_taken(size: int) -> None:
    with pytest.raises(WireError):
        decode_manifest_untrusted(replace(PHOTO, size=size).encode())


def test_the_last_chunk_is_short() -> None:
    assert [chunk_size(CHUNK_SIZE + 1, index) for index in range(chunk_count(CHUNK_SIZE + 1))] == [CHUNK_SIZE, 1]
    assert PHOTO.content_size == 100_000 - 4 * 16
    assert replace(PHOTO, key=b"").content_size == 100_000


@pytest.mark.parametrize("key", [b"", KEY])
def test_a_chunk_opens_with_its_key_and_place_alone(key: bytes) -> None:
    sealer, content = RealSealer(), bytes(content_step(key))
    chunk = seal_chunk(sealer, key, 3, content)
    assert len(chunk) == CHUNK_SIZE
    assert open_chunk_untrusted(sealer, key, 3, chunk) == content
    for other in ((KEY[::-1], 3), (KEY, 4)):
        with pytest.raises(WireError):
            open_chunk_untrusted(sealer, *other, chunk)
