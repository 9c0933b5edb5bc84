"""What every request passes first, and every answer last: whose door it knocks at, who sent it here, strict headers.

A page of somebody else's can make a browser send requests here, with the cookie. They are told from ours by what no
such page can forge: `Sec-Fetch-Site`, `Origin`, and a media type that needs a permission we never give. The host name
is checked because a name of somebody else's may be made to lead here (DNS rebinding). Pages that the keeper allows to
ask from elsewhere (foreign.py) go without the cookie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog

from meshnode.web.foreign import FOREIGN, Foreign
from meshnode.web.routes import BASE
from meshnode.web.shapes import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), microphone=(self), camera=(self)"),
)
SAFE: Final = ("GET", "HEAD", "OPTIONS")
OURS: Final = ("same-origin", "none")

_log = structlog.get_logger("web")


class Guard:
    """Wraps the application. `elsewhere` answers what was asked of a host not ours; `found` hears who asked us."""

    def __init__(
        self, app: App, hosts: Iterable[str], elsewhere: App, found: Callable[[str], None], foreign: Foreign
    ) -> None:
        self._app = app
        self._foreign = foreign
        self._hosts = {host.casefold() for host in hosts}
        self._elsewhere = elsewhere
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})  # there are none here: events are a plain stream
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        scope[FOREIGN] = scope["path"].startswith(BASE) and self._foreign.allows(headers)
        more = list(self._foreign.answers(headers)) if scope[FOREIGN] else []
        if scope[FOREIGN] or self._foreign.shows(scope.get("query_string", b"")):
            more.append((b"cross-origin-resource-policy", b"cross-origin"))
        began = False

        async def strict(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                given = [*message.get("headers", ()), *more]
                named = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(one for one in HEADERS if one[0] not in named)]
            await send(message)

        try:
            await self._pass(scope, receive, strict, headers)
        except Exception as error:  # noqa: BLE001 - whatever one request does wrong, the others go on
            _log.error("request failed", reason=type(error).__name__)
            if not began:
                await refuse(strict, 500, "MeshnodeError", "The box failed at this and goes on.")

    async def _pass(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if not self._ours(host):
            await self._elsewhere(scope, receive, send)
        elif scope[FOREIGN] and "access-control-request-method" in headers:
            await permit(send, self._foreign.permits(headers))
        elif scope[FOREIGN]:
            await self._app(scope, receive, send)
        elif scope["method"] not in SAFE and not same_site(headers, host, scope.get("scheme", "http")):
            await refuse(send, 403, "RefusedError", "This was sent by another page; open the box's own.")
        else:
            if scope.get("client") and scope["path"].startswith(BASE):
                self._found(scope["client"][0])
            await self._app(scope, receive, send)

    def _ours(self, host: str) -> bool:
        """True for our names, and for any bare address: no name of somebody else's looks like one."""
        name = _hostname(host)
        return name in self._hosts or _is_address(name)


def same_site(headers: dict[str, str], host: str, scheme: str) -> bool:
    """True when a request that changes something was sent by our own page, or by a program that is no browser.

    A plain page of our name may be anybody's on its way: to the secure page it is another site.
    """
    if (site := headers.get("sec-fetch-site")) is not None and site not in OURS:
        return False
    origin = headers.get("origin")
    ours = {f"{one}://{host}".casefold() for one in (scheme, "https")}
    return origin is None or origin.casefold() in ours


async def permit(send: Send, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """The answer to a browser that asks whether it may."""
    await send({"type": "http.response.start", "status": 204, "headers": [*headers]})
    await send({"type": "http.response.body", "body": b""})


async def refuse(send: Send, status: int, kind: str, text: str, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A problem as JSON; `more`: headers."""
    body = msgspec.json.encode(Problem(kind=kind, text=text))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
