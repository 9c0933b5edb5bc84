"""Who is signed in: a random token in a cookie, known here by its hash alone, gone when the node stops."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Final

from meshnode.errors import RefusedError
from meshnode.web.shapes import Me, Role

IDLE_S: Final = 30 * 86_400.0
PER_MEMBER: Final = 16  # phones and tabs; the one used longest ago is signed out
GUESTS: Final = 200
LOOKING: Final = "look-"
MARK_SIZE: Final = 8
ROLES: Final[tuple[Role, ...]] = ("anyone", "guest", "member", "keeper")


@dataclass(frozen=True, slots=True)
class Login:
    """One signed-in browser. `socket`: the control socket of the node it writes from; `mark`: of a guest."""

    name: str
    role: Role
    persona: str
    socket: Path
    mark: str = ""
    used_at: float = 0.0

    def may(self, role: Role) -> bool:
        """True if this role, or one above it, was given."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def id(self) -> str:
        """Tells one person from all others: all guests share a persona."""
        return self.mark or self.persona

    @property
    def me(self) -> Me:
        """As the page sees it."""
        return Me(name=self.name, role=self.role, persona=self.persona, id=self.id)


class Logins:
    """The table. A token is made anew at each sign-in, so that one set by somebody else is worth nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[bytes, Login] = {}

    def __len__(self) -> int:
        return len(self._held)

    def begin(self, login: Login) -> str:
        """The token of a new sign-in."""
        self._make_room(login)
        token = secrets.token_urlsafe(32)
        self._held[_hash(token)] = replace(login, used_at=self._clock())
        return token

    def find(self, token: str, *, looking: bool = False) -> Login | None:
        """Who holds this token, if anybody does. Its looking glass counts only for who is `looking`."""
        glass = looking and token.startswith(LOOKING)
        key = self._seen_through(token) if glass else _hash(token)
        login = self._held.get(key) if token else None
        if login is None:
            return None
        now = self._clock()
        if now - login.used_at > IDLE_S:
            del self._held[key]
            return None
        self._held[key] = replace(login, used_at=now)
        return login

    def _seen_through(self, glass: str) -> bytes:
        return next((key for key in self._held if compare_digest(_glass(key).encode(), glass.encode())), b"")

    def end(self, token: str) -> None:
        """Sign out this browser."""
        self._held.pop(_hash(token), None)

    def end_all(self, name: str) -> None:
        """Sign out all browsers of a member."""
        gone = name.casefold()
        self._held = {key: one for key, one in self._held.items() if one.role == "guest" or one.name.casefold() != gone}

    def guests(self) -> dict[str, str]:
        """The names of all guests by their marks."""
        found = [one for one in self._held.values() if one.role == "guest"]
        return {one.mark: one.name for one in sorted(found, key=lambda one: one.name.casefold())}

    def end_guest(self, mark: str) -> None:
        """Sign out all browsers of a guest."""
        self._held = {key: one for key, one in self._held.items() if one.mark != mark}

    def _make_room(self, login: Login) -> None:
        same = [key for key, one in self._held.items() if one.socket == login.socket]
        if login.role == "guest" and len(same) >= GUESTS:
            raise RefusedError("There are too many guests on this box now; make a profile instead.")
        if login.role != "guest" and len(same) >= PER_MEMBER:
            del self._held[min(same, key=lambda key: self._held[key].used_at)]


def guest_mark(name: str, key: str) -> str:
    """What a guest is told by, 16 hex digits: nobody has it without the key, which the guest's browser keeps.

    Another name is another guest. Who gives no key is somebody new each time.
    """
    if not key:
        return secrets.token_hex(MARK_SIZE)
    return blake2b(f"{key}{name.casefold()}".encode(), digest_size=MARK_SIZE, person=b"web guest").hexdigest()


def looking_glass(token: str) -> str:
    """What stands in addresses in place of the token, where a browser sends no header: with it one only looks."""
    return _glass(_hash(token))


def _glass(key: bytes) -> str:
    return LOOKING + blake2b(key, digest_size=16, person=b"web looking").hexdigest()


def _hash(token: str) -> bytes:
    return blake2b(token.encode(), digest_size=16, person=b"web token").digest()


@dataclass(slots=True)
class _Tries:
    left: float
    at: float


class Patience:
    """How often something may be tried by one source: a few times at once, then slowly."""

    def __init__(
        self, clock: Callable[[], float], at_once: float = 5.0, every_s: float = 12.0, most: int = 2048
    ) -> None:
        self._clock = clock
        self._at_once = at_once
        self._every_s = every_s
        self._most = most
        self._tries: dict[str, _Tries] = {}

    def take(self, source: str) -> None:
        """One try; RefusedError when there were too many."""
        now = self._clock()
        if len(self._tries) >= self._most:
            self._tries = {name: one for name, one in self._tries.items() if self._refilled(one, now) < self._at_once}
        if source not in self._tries and len(self._tries) >= self._most:
            raise RefusedError("Too many tries from too many places; wait a minute.")
        tries = self._tries.setdefault(source, _Tries(self._at_once, now))
        tries.left, tries.at = self._refilled(tries, now), now
        if tries.left < 1.0:
            raise RefusedError(f"Too many tries; wait {self._every_s:.0f} seconds.")
        tries.left -= 1.0

    def _refilled(self, tries: _Tries, now: float) -> float:
        return min(self._at_once, tries.left + (now - tries.at) / self._every_s)
