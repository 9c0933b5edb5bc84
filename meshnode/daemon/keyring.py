"""What a home keeps under seal: the keys of its person and node, the key of its store, the secrets of its meshes.

The file `keys` opens with a passphrase, or with the 32 bytes of a key file. The passphrase is read from a file, never
asked for: the one named on the command line, else `$MESHNODE_PASSPHRASE_FILE`, else the systemd credential
`meshnode-passphrase`. The key file is the credential `meshnode-key`, else `home.key` in the home (0600).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from meshnode.core.identity.keys import Keys, decode_keys_untrusted, encode_keys
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.sealing.atrest import (
    needs_passphrase_untrusted,
    open_by_key_untrusted,
    open_by_passphrase_untrusted,
    seal_by_key,
    seal_by_passphrase,
)
from meshnode.core.sealing.mesh import MeshKeys, MeshSecret, open_mesh, read_roots
from meshnode.daemon.files import write_private
from meshnode.errors import HomeError, WireError

KEY_FILE = "home.key"
SEALED = "keys"
VERSION = 1

_PASSPHRASE_CREDENTIAL = "meshnode-passphrase"
_KEY_CREDENTIAL = "meshnode-key"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The content of `keys`. By name of closed meshes: `meshes` their secrets, the current one first, and `roots`."""

    name: str
    keys: Keys
    store_key: bytes = field(repr=False)
    meshes: dict[str, tuple[MeshSecret, ...]] = field(default_factory=dict)
    roots: dict[str, bytes] = field(default_factory=dict, repr=False)

    def mesh(self, name: str) -> MeshKeys:
        """The mesh of that name: closed if a secret of it is held, else open."""
        secrets = self.meshes.get(name)
        return MeshKeys(name, secrets, roots=read_roots(self.roots.get(name, b""))) if secrets else open_mesh(name)

    def with_mesh(self, mesh: MeshKeys) -> Keyring:
        """The keyring with this mesh's secrets; an open mesh has none to keep."""
        others = {name: held for name, held in self.meshes.items() if name != mesh.name}
        roots = {name: held for name, held in self.roots.items() if name != mesh.name}
        if not mesh.open:
            others[mesh.name], roots[mesh.name] = mesh.secrets, mesh.kept_roots
        return replace(self, meshes=others, roots=roots)


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens a sealed file: a passphrase, or a key."""

    passphrase: str | None = field(default=None, repr=False)
    key: bytes = field(default=b"", repr=False)


class _Stored(msgspec.Struct, frozen=True):
    version: int
    name: str
    keys: bytes
    store_key: bytes
    meshes: dict[str, list[tuple[int, bytes]]]
    roots: dict[str, bytes] = {}


_decoder = msgspec.msgpack.Decoder(_Stored)  # prepared by the import: two homes may be opened at once (config.py)


def new_opener(home: Path, entropy: Entropy, passphrase_file: Path | None) -> Opener:
    """For a new home: the passphrase of that file, else a key of its own, laid into the home or given by systemd."""
    passphrase = _passphrase(passphrase_file)
    if passphrase is not None:
        return Opener(passphrase)
    key = _credential(_KEY_CREDENTIAL)
    if key is None:
        key = entropy.take("home", 32)
        write_private(home / KEY_FILE, key)
    return Opener(key=_checked(key))


def find_opener(home: Path, sealed: bytes, passphrase_file: Path | None) -> Opener:
    """What this sealed file asks for, from where it is kept."""
    if needs_passphrase(sealed):
        passphrase = _passphrase(passphrase_file)
        if passphrase is None:
            raise HomeError(
                f"The keys of {home} open with a passphrase; set $MESHNODE_PASSPHRASE_FILE to the file that holds it"
                " (or `meshnode run --passphrase-file`)."
            )
        return Opener(passphrase)
    key = _credential(_KEY_CREDENTIAL)
    return Opener(key=_checked(_read(home / KEY_FILE) if key is None else key))


def seal(keyring: Keyring, opener: Opener, sealer: Sealer, entropy: Entropy) -> bytes:
    """The file `keys`."""
    meshes = {name: [(one.number, one.secret) for one in held] for name, held in keyring.meshes.items()}
    stored = _Stored(VERSION, keyring.name, encode_keys(keyring.keys), keyring.store_key, meshes, keyring.roots)
    plaintext = msgspec.msgpack.encode(stored)
    if opener.passphrase is not None:
        return seal_by_passphrase(sealer, entropy, plaintext, opener.passphrase)
    return seal_by_key(sealer, entropy, plaintext, opener.key)


def unseal(sealed: bytes, opener: Opener, sealer: Sealer) -> Keyring:
    """The keyring; HomeError with the reason if it does not open."""
    try:
        plaintext = _opened(sealed, opener, sealer)
        stored = _decoder.decode(plaintext)
        keys = decode_keys_untrusted(stored.keys, sealer)
    except (WireError, msgspec.DecodeError) as error:
        raise HomeError(f"The keys of this home do not open: {error}.") from error
    meshes = {name: tuple(MeshSecret(n, secret) for n, secret in held) for name, held in stored.meshes.items()}
    return Keyring(stored.name, keys, stored.store_key, meshes, stored.roots)


def _opened(sealed: bytes, opener: Opener, sealer: Sealer) -> bytes:
    if opener.passphrase is not None:
        return open_by_passphrase_untrusted(sealer, sealed, opener.passphrase)
    return open_by_key_untrusted(sealer, sealed, opener.key)


def needs_passphrase(sealed: bytes) -> bool:
    """Whether a sealed keyring opens with a passphrase, else with a key; HomeError for what is none."""
    """Whether a sealed keyring opens with a passphrase, else with a key; HomeError for what is none."""
    try:
        return needs_passphrase_untrusted(sealed)
    except WireError as error:
        raise HomeError(f"The keys of this home do not open: {error}.") from error


def _passphrase(named: Path | None) -> str | None:
    fallback = os.environ.get("MESHNODE_PASSPHRASE_FILE")
    path = named or (Path(fallback) if fallback else None)
    raw = _read(path) if path else _credential(_PASSPHRASE_CREDENTIAL)
    if raw is None:
        return None
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise HomeError("The passphrase file is not UTF-8 text; write the passphrase as one line.") from None
    if not text:
        raise HomeError("The passphrase file is empty; write the passphrase as its first line.")
    return text


def _credential(name: str) -> bytes | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, name) if folder else None
    return _read(path) if path is not None and path.exists() else None


def _checked(key: bytes) -> bytes:
    if len(key) != 32:
        raise HomeError(f"The key file has {len(key)} bytes instead of 32; put the right one back.")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HomeError(f"{path} cannot be read ({error.strerror}); it is needed to open the keys.") from error
