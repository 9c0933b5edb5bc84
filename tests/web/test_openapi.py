"""The document says what the code does: it is valid, has every route, and real answers fit it."""

from __future__ import annotations

from pathlib import Path

import trio
from openapi_spec_validator import validate

from meshnode.web.app import routes
from meshnode.web.authority import Subject
from meshnode.web.box import Box
from meshnode.web.hub import Hubs
from meshnode.web.logins import Logins, Patience
from meshnode.web.openapi import document, operation_id
from meshnode.web.past import Past
from meshnode.web.routes import BASE
from meshnode.web.secure import Secure
from meshnode.web.spool import Spool
from support.boxes import boxes


def rows() -> list:
    clock = trio.current_time
    spool, past = Spool(Path(), clock), Past(Path(), clock)
    secure = Secure(Path(), Subject("", (), ()), 0, clock)
    return routes(Box(Path(), Logins(clock), Patience(clock), Hubs(), spool, past, clock, secure))


def test_the_document_is_valid_openapi() -> None:
    validate(document(rows()))


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation_id(row) for row in rows()]
    assert len(names) == len(set(names))


def test_what_is_open_to_anyone_needs_no_cookie_and_all_else_does() -> None:
    paths = document(rows())["paths"]
    for row in rows():
        told = paths[BASE + row.path][row.method.lower()]
        assert (told["security"] == []) == (row.role == "anyone"), row.path


async def test_the_document_that_is_served_is_that_of_the_code(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        served = await phone.get("/openapi.json")
        assert set(served["paths"]) == {BASE + row.path for row in rows()}
        for row in rows():
            if row.role != "anyone" and "{" not in row.path:
                answer = await phone.http.request(row.method, BASE + row.path, json={})
                assert answer.status_code == 401, row.path
                assert answer.json()["kind"] == "NotSignedInError"
