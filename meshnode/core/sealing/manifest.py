"""A file as it is announced, and as it travels: a manifest, and chunks that are named by their hashes.

    manifest = version 4 bits, flags 4 bits (1 sealed) | size 4 | file id 32 | [key 32] | length 1, name
               | length 1, media type | length 2, preview
    attached = length varint, manifest | text, UTF-8

    chunk    = 32 KiB of the file, the last one less; sealed: 32,752 B of it, ChaCha20-Poly1305(key, nonce = index)
    list     = H("mn-chunk", chunk) of each, 32 B in a row
    file id  = H("mn-file", size 4 | list)

`size` counts what travels. In a direct message the manifest holds a key, so relays and whoever else keeps the chunks
see neither content nor name; in a channel a file is as public as the post. A key is drawn for one file and used for
that one: that is why the index may be the nonce.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from meshnode.core.chain.varint import take_varint, varint
from meshnode.core.identity.invite import one_line
from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import KEY_SIZE, FileId, hashed
from meshnode.core.ports import Sealer
from meshnode.errors import UsageError, WireError

VERSION: Final = 1
SEALED: Final = 1
CHUNK_SIZE: Final = 32_768
CHUNK_TAG: Final = 16
MAX_CHUNKS: Final = 2_000  # 62.5 MiB, and a list of hashes that fits one record of a session
MAX_FILE: Final = CHUNK_SIZE * MAX_CHUNKS
MAX_NAME: Final = 120
MAX_MEDIA: Final = 80
MAX_PREVIEW: Final = 2_400  # with it, a short text and the name a direct message is still one envelope
HASH_SIZE: Final = 32
_NAMELESS: Final = ("", ".", "..")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file as a message announces it. `key` is empty in a channel; `preview` a small picture, or empty."""

    file: FileId
    size: int
    name: str
    media: str = ""
    key: bytes = field(default=b"", repr=False)
    preview: bytes = field(default=b"", repr=False)

    @property
    def content_size(self) -> int:
        """Bytes of the file itself."""
        return self.size - (CHUNK_TAG * chunk_count(self.size) if self.key else 0)

    def encode(self) -> bytes:
        """The manifest's bytes; UsageError for what no manifest can say."""
        name, media = self.name.encode(errors="replace"), self.media.encode(errors="replace")
        if not file_name(self.name) or len(name) > MAX_NAME:
            raise UsageError(f"a file needs a name of 1 to {MAX_NAME} bytes, in one line and without a slash")
        if len(media) > MAX_MEDIA or not _media(self.media):
            raise UsageError("a media type is short and plain, like image/webp")
        if len(self.preview) > MAX_PREVIEW:
            raise UsageError(f"a preview holds at most {MAX_PREVIEW} bytes")
        head = bytes((VERSION << 4 | bool(self.key),)) + self.size.to_bytes(4, "big") + self.file + self.key
        texts = bytes((len(name),)) + name + bytes((len(media),)) + media
        return head + texts + len(self.preview).to_bytes(2, "big") + self.preview


def decode_manifest_untrusted(data: bytes) -> Manifest:
    """A manifest out of a message or post."""
    cursor = Cursor(data, "the announcement of a file")
    head = cursor.number(1)
    if head not in (VERSION << 4, VERSION << 4 | SEALED):
        raise WireError("a file was announced by a newer meshnode")
    size, file = cursor.number(4), FileId(cursor.take(HASH_SIZE))
    key = cursor.take(KEY_SIZE) if head & SEALED else b""
    name = _text_untrusted(cursor.take(cursor.number(1)))
    media = _text_untrusted(cursor.take(cursor.number(1)))
    preview = cursor.take(cursor.number(2))
    cursor.end()
    found = Manifest(file, size, name, media, key, preview)
    _check_untrusted(found)
    return found


def _check_untrusted(found: Manifest) -> None:
    if not 0 < found.size <= MAX_FILE or found.content_size <= 0:
        raise WireError("a file of an impossible size was announced")
    if not file_name(found.name) or len(found.name.encode()) > MAX_NAME:
        raise WireError("a file was announced under a name no file can have")
    if len(found.media) > MAX_MEDIA or not _media(found.media) or len(found.preview) > MAX_PREVIEW:
        raise WireError("the announcement of a file is too long")


def attach(manifest: bytes, text: str) -> bytes:
    """A manifest and the words that go with it, as they stand in a message or post."""
    return varint(len(manifest)) + manifest + text.encode()


def take_attached_untrusted(data: bytes) -> tuple[bytes, str]:
    """The manifest, checked, and the words; bytes that are no UTF-8 are shown as such."""
    try:
        size, at = take_varint(data, 0)
    except IndexError:
        raise WireError("the announcement of a file is cut short") from None
    decode_manifest_untrusted(data[at : at + size])
    return data[at : at + size], data[at + size :].decode(errors="replace")


def file_name(name: str) -> bool:
    """True if this can be a file's name and nothing else: one line, no way to another directory."""
    return name not in _NAMELESS and "/" not in name and "\\" not in name and one_line(name)


def chunk_count(size: int) -> int:
    """How many chunks travel for a file of that size."""
    return -(-size // CHUNK_SIZE)


def chunk_size(size: int, index: int) -> int:
    """How many bytes the chunk at `index` has; only the last one is short."""
    return min(CHUNK_SIZE, size - index * CHUNK_SIZE)


def chunk_hash(chunk: bytes) -> bytes:
    """What names a chunk."""
    return hashed(b"mn-chunk", chunk)


def file_id(size: int, hashes: bytes) -> FileId:
    """What names a file: whoever knows it can check the list, and with the list each chunk."""
    return FileId(hashed(b"mn-file", size.to_bytes(4, "big") + hashes))


def list_of(chunks: Iterable[bytes]) -> bytes:
    """The list of hashes of chunks as they travel."""
    return b"".join(chunk_hash(chunk) for chunk in chunks)


def content_step(key: bytes) -> int:
    """How many bytes of a file go into a chunk."""
    return CHUNK_SIZE - (CHUNK_TAG if key else 0)


def seal_chunk(sealer: Sealer, key: bytes, index: int, content: bytes) -> bytes:
    """A part of a file as it travels."""
    return sealer.stream_seal(key, _nonce(index), content, b"") if key else content


def open_chunk_untrusted(sealer: Sealer, key: bytes, index: int, chunk: bytes) -> bytes:
    """A part of a file as it was written; WireError if it was sealed with another key."""
    content = sealer.stream_open(key, _nonce(index), chunk, b"") if key else chunk
    if content is None:
        raise WireError("a chunk of a file does not open with the key it was announced with")
    return content


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _media(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _text_untrusted(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WireError("the announcement of a file is no UTF-8") from None
