"""Secrets on disk: key files, sealed under a passphrase or a key, and secret columns of the store.

file   = version 1 | kind 1 (0 key, 1 passphrase) | salt 16 | nonce 12 | AES-256-GCM-SIV ciphertext and tag
column = nonce 12 | ciphertext and tag, bound to its row
"""

from __future__ import annotations

from meshnode.core.identity.octets import Cursor
from meshnode.core.ids import keyed
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.primitives import NONCE_SIZE, TAG_SIZE, stretch
from meshnode.errors import SignatureError, WireError

VERSION = 1
BY_KEY, BY_PASSPHRASE = 0, 1
SALT_SIZE = 16

_HEAD_SIZE = 2 + SALT_SIZE


def seal_by_passphrase(sealer: Sealer, entropy: Entropy, plaintext: bytes, passphrase: str) -> bytes:
    """A file that opens with a passphrase."""
    head = _head(entropy, BY_PASSPHRASE)
    return _seal_file(sealer, entropy, stretch(passphrase, head[2:]), head, plaintext)


def seal_by_key(sealer: Sealer, entropy: Entropy, plaintext: bytes, key: bytes) -> bytes:
    """A file that opens with the 32 B of a key file or credential."""
    head = _head(entropy, BY_KEY)
    return _seal_file(sealer, entropy, _file_key(key, head), head, plaintext)


def needs_passphrase_untrusted(data: bytes) -> bool:
    """Whether a sealed file asks for a passphrase; otherwise for a key."""
    cursor = Cursor(data, "a sealed file")
    version, kind = cursor.number(1), cursor.number(1)
    if version != VERSION or kind not in (BY_KEY, BY_PASSPHRASE):
        raise WireError("a sealed file is damaged, or was written by a newer meshnode")
    return kind == BY_PASSPHRASE


def open_by_passphrase_untrusted(sealer: Sealer, data: bytes, passphrase: str) -> bytes:
    """The plaintext of a file sealed by passphrase."""
    if not needs_passphrase_untrusted(data):
        raise WireError("this file is sealed with a key file, not with a passphrase")
    salt = Cursor(data[2:], "a sealed file").take(SALT_SIZE)
    return _open_file(sealer, data, stretch(passphrase, salt), "the passphrase does not fit, or the file is damaged")


def open_by_key_untrusted(sealer: Sealer, data: bytes, key: bytes) -> bytes:
    """The plaintext of a file sealed by key."""
    if needs_passphrase_untrusted(data):
        raise WireError("this file is sealed with a passphrase, not with a key file")
    return _open_file(sealer, data, _file_key(key, data[:_HEAD_SIZE]), "the key does not fit, or the file is damaged")


class StoreKey:
    """Seals the secret columns of a store. `row` names table, column and key, so that no value fits elsewhere."""

    def __init__(self, sealer: Sealer, entropy: Entropy, key: bytes) -> None:
        self._sealer = sealer
        self._entropy = entropy
        self._key = keyed(key, b"mn-columns-v1")

    def seal(self, plaintext: bytes, row: bytes) -> bytes:
        """28 B longer than the plaintext."""
        nonce = self._entropy.take("store", NONCE_SIZE)
        return nonce + self._sealer.aead_seal(self._key, nonce, plaintext, row)

    def open_untrusted(self, data: bytes, row: bytes) -> bytes:
        """The plaintext of that row."""
        plaintext = self._sealer.aead_open(self._key, data[:NONCE_SIZE], data[NONCE_SIZE:], row)
        if plaintext is None:
            raise SignatureError("a sealed value in the store does not open: wrong key, or damaged")
        return plaintext


def _head(entropy: Entropy, kind: int) -> bytes:
    return bytes((VERSION, kind)) + entropy.take("salt", SALT_SIZE)


def _file_key(key: bytes, head: bytes) -> bytes:
    return keyed(key, b"mn-file-v1", head)


def _seal_file(sealer: Sealer, entropy: Entropy, key: bytes, head: bytes, plaintext: bytes) -> bytes:
    nonce = entropy.take("nonce", NONCE_SIZE)
    return head + nonce + sealer.aead_seal(key, nonce, plaintext, head)


def _open_file(sealer: Sealer, data: bytes, key: bytes, wrong: str) -> bytes:
    if len(data) < _HEAD_SIZE + NONCE_SIZE + TAG_SIZE:
        raise WireError("a sealed file is cut short")
    head, rest = data[:_HEAD_SIZE], data[_HEAD_SIZE:]
    plaintext = sealer.aead_open(key, rest[:NONCE_SIZE], rest[NONCE_SIZE:], head)
    if plaintext is None:
        raise SignatureError(wrong)
    return plaintext
