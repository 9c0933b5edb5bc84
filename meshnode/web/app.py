"""The application: all routes, the document that describes them, the page's files, and the guard before everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Row

from meshnode.errors import MissingError
from meshnode.web import openapi
from meshnode.web.answering import endpoint, problem
from meshnode.web.attachments import Attachments
from meshnode.web.box import Box
from meshnode.web.entrance import Entrance
from meshnode.web.files import PAGE, PageFiles
from meshnode.web.foreign import Foreign
from meshnode.web.guard import App, Guard
from meshnode.web.keeper import Keeper
from meshnode.web.keeping import WORKER, Keeping
from meshnode.web.live import Live
from meshnode.web.people import Channels, People
from meshnode.web.portal import Portal
from meshnode.web.restoring import Restoring
from meshnode.web.routes import BASE, Route
from meshnode.web.saving import Saving
from meshnode.web.securing import Securing
from meshnode.web.taking import Taking
from meshnode.web.talk import Talk

METRICS = "/metrics"


@dataclass(frozen=True, slots=True)
class Site:
    """How the page is called. `names`: of the box in its hotspot's DNS; `home`: the address a person opens."""

    name: str
    home: str
    names: tuple[str, ...]
    cookie: str
    origins: tuple[str, ...] = ()


def routes(box: Box) -> list[Route]:
    """All rows of the interface."""
    parts = (Entrance, Talk, People, Channels, Live, Attachments, Saving, Restoring, Taking, Securing, Keeper)
    return [row for part in parts for row in part(box).routes()]


def application(box: Box, site: Site, page: Path = PAGE) -> App:
    """Everything that answers."""
    portal = Portal(site.name, site.home)
    served = [
        *_interface(routes(box), box, site.cookie),
        Row("/welcome", portal.page, methods=["GET", "POST"]),
        Row(WORKER, Keeping(page).worker),
        Mount("/", PageFiles(page)),
    ]
    inner = Starlette(routes=served, exception_handlers={404: _nothing, 405: _nothing})
    return Guard(inner, (*site.names, "localhost"), portal.elsewhere, portal.welcomed, Foreign(site.origins))


def _interface(rows: Iterable[Route], box: Box, cookie: str) -> list[BaseRoute]:
    rows = list(rows)
    described = msgspec.json.encode(openapi.document(rows))

    description: Any = Response(described, media_type="application/json")  # a response is an application, too
    served: list[BaseRoute] = [Row(f"{BASE}/openapi.json", description)]
    for row in rows:
        answer = endpoint(row, box.logins, cookie)
        served.append(Row(BASE + row.path, answer, methods=[row.method]))
        if row.path == METRICS:
            served.append(Row(METRICS, answer, methods=[row.method]))  # where Prometheus looks of itself
    return served


def _nothing(request: Request, error: Exception) -> Response:
    return problem(MissingError(f"There is nothing here; {BASE}/openapi.json says what there is."))
