"""The page that was taken along: one file from a disk or any host, a box that allows it, a token and no cookie."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.sync_api import expect

from meshnode.errors import ConfigError
from meshnode.web.files import PAGE
from meshnode.web.foreign import GLASS_HEADER, TOKEN_HEADER, Foreign
from meshnode.web.taking import page_zip
from support.boxes import API, PASSPHRASE, WEB, boxes
from support.phones import Phones, barriers, tell

AWAY = "https://chat.example.org"
CROSS = {"Origin": AWAY, "Sec-Fetch-Site": "cross-site"}
ANOTHER = '"http://127.0.0.1:9"'  # a box, as the page writes it down
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}


def test_the_zip_is_the_same_each_time_and_holds_every_module_once() -> None:
    packed = page_zip()
    assert page_zip() == packed
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        page = archive.read("meshnode-page/index.html").decode()
        assert {name.split("/")[1] for name in archive.namelist()} == {"index.html", "README.txt", "licences"}
    found = re.search(r'<script type="importmap">(.*)</script>', page)
    assert found
    imports = json.loads(found[1])["imports"]
    assert set(imports) == {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.js")}
    assert not re.search(r"""(src|href)="(?!data:|\$)""", page.partition("<body>")[0].replace(found[1], ""))


@pytest.mark.parametrize(
    "text", ["", "chat.example.org", "https://chat.example.org/", "ftp://a", "*", "https://", "http://[::1"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.origins"):
        Foreign((text,))


async def test_a_page_elsewhere_is_refused_until_the_keeper_allows_it(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        asked = await phone.http.options(API + "/session/guest", headers=CROSS | ASKS)
        assert "access-control-allow-origin" not in asked.headers
        written = await phone.http.post(API + "/session/guest", json={"name": "Maya"}, headers=CROSS)
        assert written.status_code == 403
        assert TOKEN_HEADER not in written.headers


async def test_a_page_elsewhere_shows_a_token_and_no_cookie_counts_for_it(tmp_path: Path) -> None:
    web = msgspec.structs.replace(WEB, origins=(AWAY, "file"))
    async with boxes(tmp_path, web=web) as valley, await valley.keeper() as phone:
        may = await phone.http.options(API + "/session", headers=CROSS | ASKS)
        assert may.headers["access-control-allow-origin"] == AWAY
        assert may.headers["access-control-allow-private-network"] == "true"
        assert "access-control-allow-credentials" not in may.headers
        assert (await phone.http.get(API + "/me", headers=CROSS)).status_code == 401  # though the cookie was sent
        assert (await phone.http.get("/", headers=CROSS)).headers.get("access-control-allow-origin") is None
        body = {"name": "Ada", "passphrase": PASSPHRASE}
        signed = await phone.http.post(API + "/session", json=body, headers=CROSS)
        assert "set-cookie" not in signed.headers
        token, glass = signed.headers[TOKEN_HEADER], signed.headers[GLASS_HEADER]
        shown = CROSS | {"Authorization": f"Bearer {token}"}
        assert (await phone.http.get(API + "/me", headers=shown)).json()["name"] == "Ada"
        phone.http.cookies.clear()
        picture = await phone.http.get(API + "/contacts/mine.svg", params={"look": glass})
        assert (picture.status_code, picture.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
        for path, query in (("/me", glass), ("/contacts", glass), ("/contacts/mine.svg", token)):
            assert (await phone.http.get(API + path, params={"look": query})).status_code == 401, path
        name = signed_as(await phone.http.post(API + "/session", json=body))
        for path, query in (("/me", "anything"), ("/contacts/mine.svg", "anything"), ("/me", glass)):
            assert (await phone.http.get(API + path, params={"look": query})).status_code == 401, path
        for posing in ({"Authorization": f"Bearer {glass}"}, CROSS | {"Authorization": f"Bearer {glass}"}):
            assert (await phone.http.get(API + "/me", headers=posing)).status_code == 401, posing
        phone.http.cookies.clear()
        phone.http.cookies.set(name, glass)
        for path in ("/me", "/contacts"):
            assert (await phone.http.get(API + path)).status_code == 401, path
        phone.http.cookies.clear()
        out = await phone.http.request("DELETE", API + "/session", headers=shown)
        assert out.headers[TOKEN_HEADER] == ""
        assert (await phone.http.get(API + "/contacts/mine.svg", params={"look": glass})).status_code == 401


def signed_as(signed: httpx.Response) -> str:
    """What the cookie of a box is called."""
    return next(iter(signed.cookies))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on a web server that knows nothing of us."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *given: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.browser
async def test_the_page_from_a_disk_and_from_elsewhere_writes_on_the_box(tmp_path: Path) -> None:
    away = tmp_path / "away"
    with served(away) as host:
        web = msgspec.structs.replace(WEB, origins=("file", host))
        async with boxes(tmp_path / "boxes", web=web) as valley, await valley.keeper() as keeper:
            await keeper.post("/channels", name="square")
            packed = (await keeper.http.get(API + "/page.zip")).content
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(away)
            box = str(keeper.http.base_url).rstrip("/")

            def story(phones: Phones) -> None:
                for place, text in ((f"{host}/meshnode-page/", "from elsewhere"), (_on_disk(away), "from a disk")):
                    page = phones.open(place, also=[box])
                    page.get_by_label("Where is the box?").fill(box)
                    assert not barriers(page)
                    page.get_by_role("button", name="Go there").click()
                    page.get_by_role("button", name="Sign in").first.click()
                    page.get_by_label("Your name").fill("Ada")
                    page.get_by_label("Passphrase").fill(PASSPHRASE)
                    page.locator("form button").click()
                    page.locator(".list a", has_text="square").click()
                    page.get_by_label("Message", exact=True).fill(text)
                    page.get_by_role("button", name="Send", exact=True).click()
                    expect(page.locator(".mine p").last).to_have_text(text)
                    page.evaluate(f"localStorage.setItem('meshnode.address', '{ANOTHER}')")  # as another tab does
                    page.reload()
                    expect(page.locator(".mine p").last).to_have_text(text)
                    page.goto(page.url.partition("#")[0] + "#/add")
                    code = page.locator("img.qr")
                    expect(code).to_be_visible()
                    assert code.evaluate("async (one) => (await one.decode(), one.naturalWidth > 0)")

            await tell(story)
            (square,) = [
                one for one in (await keeper.get("/conversations"))["conversations"] if one["name"] == "square"
            ]
            assert square["last"]["text"] == "from a disk"


def _on_disk(folder: Path) -> str:
    return (folder / "meshnode-page" / "index.html").as_uri()
