"""One request of the interface: who asks is found, what is sent is read within bounds, what comes is worded as JSON."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec
import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from meshnode.errors import (
    MeshnodeError,
    MissingError,
    NotRunningError,
    NotSignedInError,
    RefusedError,
    StoreFullError,
    UsageError,
    WireError,
)
from meshnode.web.flowing import Flowing
from meshnode.web.foreign import FOREIGN, GLASS_HEADER, LOOK, TOKEN_HEADER
from meshnode.web.logins import IDLE_S, LOOKING, Login, Logins, looking_glass
from meshnode.web.routes import AS, Asked, Query, Route, Signed
from meshnode.web.shapes import Problem

SECURE: Final = "-secure"  # a sign-in on the secure page is never said on the plain one, nor overwritten by it
HOST: Final = "__Host-"  # a name that browsers take from a secure page alone (RFC 6265bis): no plain page plants one
AS_HEADER: Final = "meshnode-as"
BODY_MOST: Final = 256 * 1024
BODY_WITHIN_S: Final = 20.0
STATUS: Final = (
    (MissingError, 404),
    (NotSignedInError, 401),
    (RefusedError, 403),
    (UsageError, 400),
    (WireError, 400),
    (NotRunningError, 503),
    (StoreFullError, 507),
    (MeshnodeError, 500),
)
_WORD: Final = re.compile(r"[a-z]+[ ,]")  # of a sentence, not of a path or an option


def endpoint(route: Route, logins: Logins, cookie: str) -> Callable[[Request], Awaitable[Response | Flowing]]:
    """The function Starlette calls for a route."""
    decoder = msgspec.json.Decoder(route.body) if route.body else None

    async def answer(request: Request) -> Response | Flowing:
        try:
            own = f"{HOST}{cookie}{SECURE}" if request.url.scheme == "https" else cookie
            token = _shown(request, own)
            login = _admitted(route, _expected(request, logins.find(token, looking=route.looked_at)))
            body = decoder.decode(await _body_untrusted(request)) if decoder else None
            asked = Asked(
                login=login,
                token=token,
                place=request.path_params,
                query={one.name: _value(one, request) for one in route.query},
                body=body,
                source=request.client.host if request.client else "",
                headers=request.headers,
                chunks=request.stream() if route.takes else None,
            )
            return _worded(await route.handler(asked), "" if request.scope.get(FOREIGN) else own)
        except msgspec.DecodeError as error:
            return problem(UsageError(f"This is not what is asked here: {error}."))
        except UnicodeDecodeError:
            return problem(UsageError("This is not UTF-8 text."))
        except ClientDisconnect:
            return Response(status_code=400)
        except MeshnodeError as error:
            return problem(error)

    return answer


def _shown(request: Request, cookie: str) -> str:
    """What shows who asks: a token in a header, a looking glass in the address, or our own page's cookie."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer":
        return token.strip()
    if (
        glass := request.query_params.get(LOOK)
    ) is not None:  # its answer may stand in pages of others: no cookie counts
        return glass if glass.startswith(LOOKING) else ""
    return "" if request.scope.get(FOREIGN) else request.cookies.get(cookie, "")


def _expected(request: Request, login: Login | None) -> Login | None:
    """Who is signed in, if that is who the page takes it for: in another of its tabs somebody else may have come in."""
    taken_for = request.headers.get(AS_HEADER) or request.query_params.get(AS)
    if login and taken_for and taken_for != login.id:
        raise NotSignedInError("Somebody else signed in with this browser.")
    return login


def problem(error: MeshnodeError) -> Response:
    """What went wrong, for a person."""
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    body = msgspec.json.encode(Problem(kind=type(error).__name__, text=sentence(str(error))))
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def sentence(text: str) -> str:
    """What went wrong, with a capital and a full stop, which commands leave out: they say it after their own name."""
    begun = text[:1].upper() + text[1:] if _WORD.match(text) else text
    return begun if begun.endswith((".", "?", "!")) else f"{begun}."


def _admitted(route: Route, login: Login | None) -> Login | None:
    if route.role == "anyone":
        return login
    if login is None:
        raise NotSignedInError("Sign in first.")
    if not login.may(route.role):
        raise RefusedError(f"This is for a {route.role} of the household.")
    return login


async def _body_untrusted(request: Request) -> bytes:
    """The whole body; UsageError for another media type, one too long, or one that takes too long to come."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UsageError("Send JSON, with the header Content-Type: application/json.")
    parts, size = list[bytes](), 0
    with trio.move_on_after(BODY_WITHIN_S) as patience:
        async with aclosing(request.stream()) as stream:
            async for part in stream:
                size += len(part)
                if size > BODY_MOST:
                    raise UsageError(f"This is longer than {BODY_MOST:,} bytes.")
                parts.append(part)
    if patience.cancelled_caught:
        raise UsageError("The rest of this did not come in time.")
    return b"".join(parts)


def _value(one: Query, request: Request) -> Any:
    given = request.query_params.get(one.name)
    if given is None:
        return one.default
    try:
        return msgspec.convert(given, one.kind, strict=False)
    except msgspec.ValidationError:
        raise UsageError(f"{one.name} is not what is asked here.") from None


def _worded(answer: Any, cookie: str) -> Response | Flowing:
    if isinstance(answer, Signed):
        response = _json(answer.answer)
        if not cookie:  # the page of somebody else keeps the token itself
            response.headers[TOKEN_HEADER] = answer.token
            response.headers[GLASS_HEADER] = looking_glass(answer.token) if answer.token else ""
            return response
        age = int(IDLE_S) if answer.token else 0
        secure = cookie.startswith(HOST)
        response.set_cookie(
            cookie, answer.token, max_age=age, path="/", secure=secure, httponly=True, samesite="strict"
        )
        return response
    if isinstance(answer, Response | Flowing):
        return answer
    return _json(answer)


def _json(answer: Any) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"})
