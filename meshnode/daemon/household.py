"""The household of a box: its keeper, the profiles of its members, and the one all guests write from.

A profile is a whole small node with a home of its own, below `profiles/` in the home of the box. Its only neighbour is
the box (peering/indoors.py); it carries nothing for others. Keys and store are sealed under the member's passphrase:

    locked  --passphrase-->  open: its node runs until the box stops, or until it is locked or removed
    While it is locked the box keeps what comes for it, as it does for anybody.

The keeper's profile is the box's own home. What proves the keeper is a file that opens with the passphrase; before
there is one, whoever reads the set-up code on the box may become it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog
import trio

from meshnode import config as options
from meshnode.config import Config, WebSection
from meshnode.control.replies import MemberReply, ProfileInfo
from meshnode.core.identity.invite import check_name
from meshnode.core.sealing.atrest import open_by_passphrase_untrusted, seal_by_passphrase
from meshnode.daemon.adapters import Inputs, Started
from meshnode.daemon.files import sync_folder, write_private
from meshnode.daemon.home import CONFIG, Home, create_home, is_home, open_home
from meshnode.daemon.keyring import KEY_FILE, Opener
from meshnode.errors import HomeError, MeshnodeError, MissingError, RefusedError, SignatureError, UsageError
from meshnode.peering.indoors import Ring
from meshnode.peering.memory import Pipe
from meshnode.peering.sessions import Sessions, Way

PROFILES, KEEPER, CODE, CARD = "profiles", "keeper", "set-up-code", "profile.json"
GUESTS: Final = "guests"
COPIES: Final = 16  # of a member's message: the box gets half of them and spreads those
CODE_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # no sign that looks like another
STORE_MB: Final = 128

_log = structlog.get_logger("household")


class Live(Protocol):
    """Runs the node of an opened profile; it calls the box through `ring`."""

    async def __call__(self, home: Home, ring: Ring, *, task_status: Started) -> None:
        """Until cancelled, or until that node is told to stop."""
        ...


class Card(msgspec.Struct, frozen=True):
    """What is known of a locked profile."""

    name: str
    persona: str


_cards = msgspec.json.Decoder(Card)


@dataclass(slots=True)
class _Open:
    """A profile whose node runs."""

    home: Home
    life: trio.CancelScope
    over: trio.Event


class Household:
    """All of it, for one box, whose own sessions answer when a profile calls."""

    def __init__(self, home: Home, sessions: Sessions, live: Live) -> None:
        self._home = home
        self._sessions = sessions
        self._live = live
        self._open: dict[str, _Open] = {}
        self._nursery: trio.Nursery | None = None
        self._inputs: Inputs | None = None
        self.turn = trio.Lock()  # one passphrase at a time: each takes 64 MiB while it is stretched

    async def run(self, inputs: Inputs, *, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
        """Let profiles live until cancelled."""
        await trio.to_thread.run_sync(self._tidy)
        await trio.to_thread.run_sync(self._lay_code)
        async with trio.open_nursery() as nursery:
            self._nursery, self._inputs = nursery, inputs
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    # Who there is

    @property
    def allowed(self) -> WebSection:
        """What the configuration lets people do here."""
        return self._home.config.web

    @property
    def running(self) -> tuple[str, ...]:
        """The folders of the profiles whose nodes run."""
        return tuple(self._open)

    @property
    def has_keeper(self) -> bool:
        """True once somebody has the passphrase of the box."""
        return (self._home.path / KEEPER).exists()

    @property
    def code(self) -> str:
        """The set-up code; empty where there is a keeper."""
        try:
            return "" if self.has_keeper else (self._home.path / CODE).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""

    def members(self) -> list[ProfileInfo]:
        """All profiles by name, without the guests' and the keeper's."""
        cards = [card for path in self._folders() if (card := read_card(path)) and path.name != GUESTS]
        return [
            ProfileInfo(name=card.name, persona=card.persona, open=_place(card.name) in self._open)
            for card in sorted(cards, key=lambda card: card.name.casefold())
        ]

    # Coming in

    async def set_keeper(self, code: str, passphrase: str) -> MemberReply:
        """The first keeper."""
        async with self.turn:
            self.check_code(code)
            await trio.to_thread.run_sync(self._keep_keeper, passphrase)
        return self._keeper()

    def check_code(self, code: str) -> None:
        """RefusedError for what is not the set-up code, and where there is none any more."""
        if self.has_keeper:
            raise RefusedError("This box has a keeper already.")
        wanted = self.code
        given = "".join(sign for sign in code.casefold() if sign.isalnum())
        if not wanted or not compare_digest(given.encode(), wanted.replace("-", "").encode()):
            raise RefusedError("This is not the set-up code; `meshnode web` on the box shows it.")

    async def make(self, name: str, passphrase: str) -> MemberReply:
        """A new profile, open."""
        async with self.turn:
            self._check_free(name)
            opened = await trio.to_thread.run_sync(partial(self._create, name, _place(name), Opener(passphrase)))
            return await self._begin(opened, "member")

    def adopt(self, folder: Path) -> None:
        """Make the home of a member from elsewhere a profile here, for who holds `turn`; blocks. Its card names it."""
        card = read_card(folder)
        if card is None:
            raise UsageError("This is not the home of a member.")
        known = read_card(self._folder(card.name))
        if known is not None and known.persona == card.persona:
            raise UsageError(f"The profile of {card.name} is on this box already: sign in.")
        self._check_free(card.name)
        config = msgspec.structs.replace(profile_config(self._home.config), mesh=self._home.config.mesh)
        write_private(folder / CONFIG, options.dump(config).encode())
        target = self._folder(card.name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # no home: of a profile whose making was cut off
        os.replace(folder, target)
        sync_folder(target.parent)

    def _check_free(self, name: str) -> None:
        """UsageError where nobody new may be called so, RefusedError where nobody new may come."""
        check_name(name)
        if _place(name) == _place(self._home.name) or is_home(self._folder(name)):
            raise UsageError(f"Somebody on this box is called {name} already; take another name.")
        if len(self._folders()) >= self.allowed.profiles:
            raise RefusedError("This box takes no more profiles; ask its keeper.")

    async def enter(self, name: str, passphrase: str) -> MemberReply:
        """A member or the keeper comes in; their profile is open afterwards."""
        async with self.turn:
            if _place(name) == _place(self._home.name) and self.has_keeper:
                await trio.to_thread.run_sync(self._check_keeper, passphrase)
                return self._keeper()
            folder = self._folder(name)
            if not is_home(folder):
                await trio.to_thread.run_sync(self._check_nobody, passphrase)
            running = folder.name in self._open
            opened = await trio.to_thread.run_sync(partial(_opened, folder, passphrase, lock=not running))
            return _member(opened, "member") if running else await self._begin(opened, "member")

    async def change_passphrase(self, name: str, passphrase: str, to: str) -> MemberReply:
        """Another passphrase for a member or the keeper. Backups made before still open with the one before."""
        async with self.turn:
            if _place(name) == _place(self._home.name) and self.has_keeper:
                await trio.to_thread.run_sync(self._check_keeper, passphrase)
                await trio.to_thread.run_sync(self._keep_keeper, to)
                return self._keeper()
            folder = self._known(name)
            running = self._open.get(folder.name)
            opened = await trio.to_thread.run_sync(partial(_opened, folder, passphrase, lock=not running))
            with opened:
                home = running.home if running else opened  # a running node seals its keys again when they change
                await trio.to_thread.run_sync(home.open_with, Opener(to))
            return _member(home, "member")

    async def guest(self) -> MemberReply:
        """The profile of all guests: opened by a key that lies in it."""
        async with self.turn:
            folder = self._home.path / PROFILES / GUESTS
            if folder.name in self._open:
                return _member(await trio.to_thread.run_sync(partial(open_home, folder, lock=False)), "guest")
            make = partial(open_home, folder) if is_home(folder) else partial(self._create_guests, folder)
            return await self._begin(await trio.to_thread.run_sync(make), "guest")

    # Going

    async def lock(self, name: str) -> None:
        """Close a profile."""
        await self._close(self._known(name).name)

    async def remove(self, name: str) -> None:
        """Remove a profile with everything in it."""
        async with self.turn:
            folder = self._known(name)
            await self._close(folder.name)
            await trio.to_thread.run_sync(shutil.rmtree, folder)

    # Inside

    async def _begin(self, home: Home, role: str) -> MemberReply:
        """Let the node of an opened home run; it is closed when its life is over."""
        if self._nursery is None:
            home.close()
            raise RefusedError("The box is starting or stopping; try again in a moment.")
        if home.mesh != self._home.mesh:
            await trio.to_thread.run_sync(home.keep_mesh, self._home.mesh)  # the box holds another secret by now
        await self._nursery.start(self._life, home)
        return _member(home, role)

    async def _life(self, home: Home, *, task_status: Started) -> None:
        over = trio.Event()
        with home, trio.CancelScope() as life:
            self._open[home.path.name] = _Open(home, life, over)
            try:
                await self._live(home, self._ring, task_status=task_status)
            except MeshnodeError as error:
                _log.warning("profile ended", reason=str(error))
            except Exception as error:  # noqa: BLE001 - its store came with a backup, from anybody; the box goes on
                _log.error("profile failed", reason=type(error).__name__)
            finally:
                del self._open[home.path.name]
                over.set()

    async def _ring(self, pipe: Pipe, way: Way) -> None:
        """A profile calls the box."""
        if self._nursery is not None and self._inputs is not None:
            self._nursery.start_soon(self._sessions.accept, pipe, way, self._inputs)

    async def _close(self, place: str) -> None:
        if found := self._open.get(place):
            found.life.cancel()
            await found.over.wait()

    def _keeper(self) -> MemberReply:
        return _member(self._home, "keeper")

    def _known(self, name: str) -> Path:
        folder = self._folder(name)
        if not is_home(folder):
            raise MissingError(f"Nobody on this box is called {name}.")
        return folder

    def _folder(self, name: str) -> Path:
        return self._home.path / PROFILES / _place(name)

    def _folders(self) -> list[Path]:
        folder = self._home.path / PROFILES
        return [path for path in folder.iterdir() if is_home(path)] if folder.exists() else []

    # What is done on the disk, in a worker thread

    def _tidy(self) -> None:
        """Backups that were being made when the power went."""
        for left in (path for folder in (self._home.path, *self._folders()) for path in folder.glob("backup-*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _lay_code(self) -> None:
        if not self.has_keeper and not self.code:
            signs = "".join(secrets.choice(CODE_SIGNS) for _ in range(8))
            write_private(self._home.path / CODE, f"{signs[:4]}-{signs[4:]}\n".encode())

    def _keep_keeper(self, passphrase: str) -> None:
        sealed = seal_by_passphrase(self._home.sealer, self._home.entropy, b"keeper", passphrase)
        write_private(self._home.path / KEEPER, sealed)
        (self._home.path / CODE).unlink(missing_ok=True)

    def _check_keeper(self, passphrase: str) -> None:
        try:
            open_by_passphrase_untrusted(self._home.sealer, (self._home.path / KEEPER).read_bytes(), passphrase)
        except SignatureError:
            raise RefusedError(_WRONG) from None

    def _check_nobody(self, passphrase: str) -> None:
        """As much work as for a profile that is there: time must not tell who has one."""
        seal_by_passphrase(self._home.sealer, self._home.entropy, b"nobody", passphrase)
        raise RefusedError(_WRONG)

    def _create_guests(self, folder: Path) -> Home:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = self._home.entropy.take("home", 32)
        write_private(folder / KEY_FILE, key)
        return self._create(f"{self._home.name} guests", GUESTS, Opener(key=key))

    def _create(self, name: str, place: str, opener: Opener) -> Home:
        folder = self._home.path / PROFILES / place
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        home = create_home(folder, name, self._home.mesh, config=profile_config(self._home.config), opener=opener)
        write_private(folder / CARD, msgspec.json.encode(Card(name, home.keys.persona.hex())))
        return home


_WRONG: Final = "Name and passphrase do not fit together."


def profile_config(box: Config) -> Config:
    """What a profile is configured with: it serves its own person, and gives the box room to spread."""
    replace = msgspec.structs.replace
    return Config(
        node=replace(box.node, carry_for_others=False),
        messages=replace(box.messages, copies=COPIES),
        store=replace(box.store, limit_mb=STORE_MB),
        log=box.log,
    )


def _place(name: str) -> str:
    """The folder of a profile: no name can lead out of it, and upper and lower case are the same."""
    return blake2b(name.casefold().encode(), digest_size=16, person=b"profile").hexdigest()


def read_card(folder: Path) -> Card | None:
    """The card of a profile; None where there is none, as in the home of a box."""
    try:
        return _cards.decode((folder / CARD).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _opened(folder: Path, passphrase: str, *, lock: bool) -> Home:
    """The home of a profile. Who asks with the wrong passphrase hears what somebody with a wrong name hears."""
    try:
        home = open_home(folder, lock=lock, opener=Opener(passphrase))
    except HomeError as error:
        if isinstance(error.__cause__, SignatureError):
            raise RefusedError(_WRONG) from error
        raise
    if read_card(folder) != Card(home.name, home.keys.persona.hex()):  # it came with a backup, from anybody
        home.close()
        raise RefusedError("This profile says that it is somebody else's; its keeper can remove it.")
    return home


def _member(home: Home, role: str) -> MemberReply:
    return msgspec.convert(
        {"name": home.name, "role": role, "persona": home.keys.persona.hex(), "socket": str(home.control_socket)},
        MemberReply,
    )
