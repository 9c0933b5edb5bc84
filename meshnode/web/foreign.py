"""Pages that were taken along: they come from elsewhere, and may ask this box if its keeper allows their origin.

No cookie is ever looked at for them, and none set: a page elsewhere gets a token at its sign-in and shows it in a
header, so that nothing but that page acts for its person. The terms are those of the Fetch standard (CORS).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from meshnode.errors import ConfigError

FILE: Final = "file"
NOWHERE: Final = "null"  # the origin a browser gives for a page from a disk, and for some others
FOREIGN: Final = "meshnode.foreign"  # in the scope of a request
LOOK: Final = "look"
TOKEN_HEADER: Final = "meshnode-token"
GLASS_HEADER: Final = "meshnode-looking-glass"
REMEMBERED_S: Final = 600  # how long a browser need not ask again whether it may

Header = tuple[bytes, bytes]


class Foreign:
    """The origins a keeper allows, as `web.origins` names them; ConfigError for what is none."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._allowed = frozenset(map(_origin, origins))

    def allows(self, headers: dict[str, str]) -> bool:
        """True for a request of a page elsewhere that may ask."""
        origin = headers.get("origin", "").casefold()
        return origin in self._allowed and urlsplit(origin).netloc != headers.get("host", "").casefold()

    def answers(self, headers: dict[str, str]) -> Iterator[Header]:
        """What tells that page's browser to hand it the answer."""
        yield b"access-control-allow-origin", headers["origin"].encode("latin-1")
        yield b"access-control-expose-headers", f"{TOKEN_HEADER}, {GLASS_HEADER}, Location".encode()
        yield b"vary", b"Origin"

    def permits(self, headers: dict[str, str]) -> Iterator[Header]:
        """What tells it that it may ask in ways a plain form cannot."""
        yield b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"
        yield b"access-control-allow-headers", b"Content-Type, Authorization, Last-Event-ID"
        yield b"access-control-max-age", str(REMEMBERED_S).encode()
        if "access-control-request-private-network" in headers:
            yield b"access-control-allow-private-network", b"true"

    def shows(self, query: bytes) -> bool:
        """True for an address with a looking glass: its answer may stand in a page elsewhere."""
        return bool(self._allowed) and LOOK in parse_qs(query.decode("latin-1"))


def _origin(text: str) -> str:
    if text == FILE:
        return NOWHERE
    if not _is_origin(text):
        raise ConfigError(f"web.origins: {text} is no origin; write `file`, or like https://chat.example.org")
    return text.casefold()


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = text == f"{parts.scheme}://{parts.netloc}"
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)
