"""The document says what the code does: it is valid, has every route, and real answers fit it."""

from __future__ import annotations

import re
from pathlib import Path

import trio
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from meshnode.web.app import routes
from meshnode.web.authority import Subject
from meshnode.web.box import Box
from meshnode.web.hub import Hubs
from meshnode.web.logins import Logins, Patience
from meshnode.web.openapi import document, operation_id
from meshnode.web.past import Past
from meshnode.web.routes import BASE, Route
from meshnode.web.secure import Secure
from meshnode.web.spool import Spool
from support.boxes import boxes


def rows() -> list[Route]:
    clock = trio.current_time
    spool, backups, past = Spool(Path(), clock), Spool(Path(), clock), Past(Path(), clock)
    secure = Secure(Path(), Subject("", (), ()), 0, clock)
    return routes(Box(Path(), Logins(clock), Patience(clock), Hubs(), spool, backups, past, clock, secure))


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


async def test_real_answers_fit_what_the_document_says(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        await phone.sign_up("Mia")
        await keeper.post("/contacts", invite=(await phone.get("/contacts/mine"))["uri"])
        await keeper.post("/channels", name="square")
        (talk,) = [
            one["id"] for one in (await keeper.get("/conversations"))["conversations"] if one["kind"] == "channel"
        ]
        said = await keeper.post(f"/conversations/{talk}/messages", text="soup", client_id="0c" * 16)
        places = {"/conversations/{id}/messages": talk, "/messages/{id}/why": said["id"]}
        places["/contacts/{persona}/words"] = (await phone.get("/me"))["persona"]
        served = await keeper.get("/openapi.json")
        looked_at = 0
        for row in rows():
            if row.method == "GET" and row.answer and ("{" not in row.path or row.path in places):
                path = re.sub(r"{\w+}", places.get(row.path, ""), row.path)
                answer = await keeper.get(path, **({"q": "soup"} if row.path == "/search" else {}))
                promised = served["paths"][BASE + row.path]["get"]["responses"]["200"]["content"][row.media]["schema"]
                OAS31Validator({**promised, "components": served["components"]}).validate(answer)
                looked_at += 1
        assert looked_at >= 18


async def test_the_document_that_is_served_is_that_of_the_code(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        served = await phone.get("/openapi.json")
        assert set(served["paths"]) == {BASE + row.path for row in rows()}
        for row in rows():
            if row.role != "anyone" and "{" not in row.path:
                answer = await phone.http.request(row.method, BASE + row.path, json={})
                assert answer.status_code == 401, row.path
                assert answer.json()["kind"] == "NotSignedInError"
