"""One row per thing the page may ask: the routes and the OpenAPI document are both made from these rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from meshnode.errors import NotSignedInError, UsageError
from meshnode.web.logins import Login
from meshnode.web.shapes import Role

S = TypeVar("S", bound=msgspec.Struct)

BASE = "/api/v1"
AS = "as"  # whom a page takes itself to be signed in as


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter behind the question mark."""

    name: str
    kind: type
    about: str
    default: Any = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked as far as its route says: who asks, and what."""

    login: Login | None
    token: str
    place: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    source: str
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Any = None  # of a body that is bytes: an async iterator, or None

    @property
    def who(self) -> Login:
        """Who is signed in."""
        if self.login is None:
            raise NotSignedInError("Sign in first.")
        return self.login

    def sent(self, kind: type[S]) -> S:
        """The body, as the route promised it."""
        if not isinstance(self.body, kind):
            raise UsageError("This needs a body.")
        return self.body


@dataclass(frozen=True, slots=True)
class Signed:
    """An answer that signs a browser in (`token`), or out (empty)."""

    answer: Any
    token: str


Handler = Callable[[Asked], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """`answer` is the struct of the JSON, or None where `media` says what else comes."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    path: str
    role: Role
    about: str
    handler: Handler
    answer: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None = None
    query: tuple[Query, ...] = ()
    media: str = "application/json"
    takes: str = ""  # the media type of a body that is no JSON
    looked_at: bool = False  # by an address in the page itself, where a browser sends no header
