"""A home: the directory of one node, 0700, and who may use it when.

config.toml    what differs from the defaults; beside it, after a restore on the page, that of the backup
keys           the keyring, sealed (keyring.py)
home.key       what opens it, unless a passphrase or a credential does
store.db       blocks, messages, envelopes (store/); beside it its write-ahead log and reserve
control.sock   where the commands ask
lock           held by the daemon, or by a command that writes while none runs
journal*       the record of inputs, if it is asked for
before-*       what the home was before a backup took its place (arrival.py)
"""

from __future__ import annotations

import copy
import grp
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from meshnode import config as options
from meshnode.config import Config, MeshSection
from meshnode.control.paths import SERVICE_HOME, SERVICE_SOCKET
from meshnode.core.effects import Persist
from meshnode.core.identity.invite import MeshInvite, check_name
from meshnode.core.identity.keys import Keys, new_keys
from meshnode.core.ids import channel_id
from meshnode.core.ports import Entropy, Sealer
from meshnode.core.records import ChannelRecord
from meshnode.core.sealing.atrest import StoreKey
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon import arrival, keyring
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.files import sync_folder, write_private
from meshnode.daemon.keyring import Keyring, Opener
from meshnode.daemon.lock import LOCK, Lock
from meshnode.daemon.membership import joined
from meshnode.errors import ConfigError, HomeError

if TYPE_CHECKING:
    from meshnode.store.store import Store

CONFIG = "config.toml"
STORE = "store.db"
SQUARE = "square"  # the public channel every node starts in


class Home:
    """An opened home. While `locked`, no other meshnode writes here; closing lets go."""

    def __init__(
        self,
        path: Path,
        config: Config,
        held: Keyring,
        opener: Opener,
        lock: Lock | None,
        config_file: Path | None = None,
    ) -> None:
        self.path = path
        self._config_file = config_file or path / CONFIG
        self.config = config
        self.keyring = held
        self.sealer: Sealer = RealSealer()
        self.entropy: Entropy = SystemEntropy()
        self.opener = opener
        self._lock = lock

    @property
    def keys(self) -> Keys:
        """Person, device and node."""
        return self.keyring.keys

    @property
    def name(self) -> str:
        """What the person calls itself."""
        return self.keyring.name

    @property
    def mesh(self) -> MeshKeys:
        """The mesh the configuration names."""
        return self.keyring.mesh(self.config.mesh.name)

    @property
    def control_socket(self) -> Path:
        """Where the node of this home listens to commands."""
        if chosen := self.config.control.socket:
            return Path(chosen)
        return SERVICE_SOCKET if self._is_service() else self.path / "control.sock"

    @property
    def control_group(self) -> str:
        """The group that may use the socket; that of the service is its own."""
        if self.config.control.group or self.config.control.socket or not self._is_service():
            return self.config.control.group
        return grp.getgrgid(os.getgid()).gr_name

    def _is_service(self) -> bool:
        """True in the service of systemd: its home is shut to others, its runtime directory is not."""
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        return self.path == SERVICE_HOME and Path(runtime) == SERVICE_SOCKET.parent

    def open_store(self) -> Store:
        """The store; only for who holds the lock."""
        if self._lock is None:
            raise HomeError(f"The home {self.path} was opened for looking only.")
        from meshnode.store.store import Store  # here, for a command that only wants to know whose home this is

        return Store(self.path / STORE, self.store_key(), self.config.store.limit_mb * 1_000_000)

    def store_key(self) -> StoreKey:
        """What seals secrets in the store, and the journal."""
        return StoreKey(self.sealer, self.entropy, self.keyring.store_key)

    def keep(self, changed: Keyring) -> None:
        """Seal and write another keyring."""
        write_private(self.path / keyring.SEALED, keyring.seal(changed, self.opener, self.sealer, self.entropy))
        self.keyring = changed

    def sealed(self, other: Keyring) -> bytes:
        """Another keyring as this home would keep it: it opens with what opens this one."""
        return keyring.seal(other, self.opener, self.sealer, self.entropy)

    def arrive(self) -> None:
        """Be what a backup held, if one was restored into this home while its node ran (arrival.py)."""
        if arrival.take_up(self.path):
            self.keyring = keyring.unseal(_sealed(self.path), self.opener, self.sealer)
            mesh = options.load(self._config_file).mesh
            self.config = msgspec.structs.replace(self.config, mesh=mesh)

    def in_mesh(self, name: str) -> str:
        """The text of the configuration, for another mesh."""
        return options.in_mesh(options.read(self._config_file).decode(), name)

    def open_with(self, opener: Opener) -> None:
        """Seal the keyring anew: from now on it opens with this alone."""
        write_private(self.path / keyring.SEALED, keyring.seal(self.keyring, opener, self.sealer, self.entropy))
        self.opener = opener

    def configure(self, changed: Config) -> None:
        """Write another configuration; it holds from the next start."""
        write_private(self.path / CONFIG, options.dump(changed).encode())
        self.config = changed

    def join(self, invite: MeshInvite) -> MeshKeys:
        """Become a member of a mesh, or take a later secret of it; a node made from now on speaks in it."""
        text = self.in_mesh(invite.name)
        mesh = joined(self.keyring, invite)
        self.keep_mesh(mesh)
        write_private(self._config_file, text.encode())
        self.config = msgspec.structs.replace(self.config, mesh=MeshSection(invite.name))
        return mesh

    def keep_mesh(self, mesh: MeshKeys) -> None:
        """Write what is held of a mesh."""
        self.keep(self.keyring.with_mesh(mesh))

    def with_chance(self, entropy: Entropy, sealer: Sealer) -> Home:
        """The same home to look at, for a node that takes its randomness elsewhere."""
        other = copy.copy(self)
        other.entropy, other.sealer, other._lock = entropy, sealer, None
        return other

    def close(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Home:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def is_home(path: Path) -> bool:
    """True where keys are kept, or those of a backup are about to be."""
    return (path / keyring.SEALED).exists() or arrival.is_due(path)


def create_home(
    path: Path,
    name: str,
    mesh: MeshKeys,
    *,
    passphrase_file: Path | None = None,
    config: Config | None = None,
    opener: Opener | None = None,
) -> Home:
    """Make a home, locked and ready to run; refuses to overwrite one. The file `keys` comes last: it makes a home.

    `opener` is what its keys open with, where neither file, credential nor a key in the home shall say so.
    """
    check_name(name)
    _make_folder(path)
    _refuse_home(path)  # here, too: a node that runs there holds the lock, and is not what is wrong
    lock = Lock(path / LOCK)
    try:
        _refuse_home(path)
        opener = opener or keyring.new_opener(path, SystemEntropy(), passphrase_file)
        return _furnish(path, name, mesh, opener, config or Config(), lock)
    except OSError as error:
        lock.release()
        raise HomeError(f"The home {path} cannot be made ({error.strerror}); look at the disk.") from error
    except BaseException:
        lock.release()
        raise


def _refuse_home(path: Path) -> None:
    if is_home(path):
        raise HomeError(f"{path} is a home already; choose another place, or remove it first.")


def _furnish(path: Path, name: str, mesh: MeshKeys, opener: Opener, config: Config, lock: Lock) -> Home:
    sealer, entropy = RealSealer(), SystemEntropy()
    held = Keyring(name, new_keys(sealer, entropy), entropy.take("store", 32)).with_mesh(mesh)
    home = Home(path, config, held, opener, lock)
    home.configure(_in_mesh(config, mesh.name))
    _lay_store(home)
    home.keep(held)
    sync_folder(path.parent)
    return home


def square() -> ChannelRecord:
    """What every store begins with."""
    return ChannelRecord(channel_id(SQUARE), SQUARE, True)


def _lay_store(home: Home) -> None:
    for left in home.path.glob(STORE.removesuffix(".db") + ".*"):
        left.unlink()  # of an attempt that was cut off before it had keys
    store = home.open_store()
    try:
        store.commit([Persist((square(),))], store.now, promise=True)
    finally:
        store.close()


def open_home(
    path: Path,
    *,
    lock: bool = True,
    config_file: Path | None = None,
    passphrase_file: Path | None = None,
    opener: Opener | None = None,
) -> Home:
    """Open a home. HomeError if there is none, if another meshnode holds it, or if its keys do not open."""
    if not arrival.is_due(path):
        _sealed(path)  # before a lock is made where no home is
    if config_file is not None and not config_file.exists():
        raise ConfigError(f"there is no configuration at {config_file}")
    held = Lock(path / LOCK) if lock else None
    try:
        if lock:
            arrival.take_up(path)
        sealed, config = _sealed(path), options.load(config_file or path / CONFIG)
        opener = opener or keyring.find_opener(path, sealed, passphrase_file)
        return Home(path, config, keyring.unseal(sealed, opener, RealSealer()), opener, held, config_file)
    except BaseException:
        if held is not None:
            held.release()
        raise


def _sealed(path: Path) -> bytes:
    try:
        return (path / keyring.SEALED).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise HomeError(f"There is no meshnode home at {path}; make one with `meshnode init`.") from None
    except OSError as error:
        raise HomeError(f"The home {path} cannot be read ({error.strerror}); check its owner and mode.") from error


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(path, 0o700)
    except OSError as error:
        raise HomeError(f"The home {path} cannot be made ({error.strerror}); choose another place.") from error


def _in_mesh(config: Config, name: str) -> Config:
    return msgspec.structs.replace(config, mesh=MeshSection(name=name))
