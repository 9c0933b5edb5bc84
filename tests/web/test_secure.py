"""The secure page: an authority that can speak for this box alone, a switch, and a farewell when it is turned off."""

from __future__ import annotations

import ssl
import stat
import time
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Page, expect

from meshnode.web import authority
from meshnode.web.authority import Subject
from meshnode.web.taking import whole_page
from support.boxes import API, PASSPHRASE, WEB, boxes
from support.phones import PATIENCE_MS, Phones, barriers, tell

NOW = 1_790_000_000.0
DAY = 86_400.0
BOX = Subject("Ada", ("mesh.home.arpa",), ("127.0.0.1", "10.43.0.1"))
SAFE = msgspec.structs.replace(WEB, secure_port=0)


def loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def dates(pem: str) -> tuple[float, float]:
    made = loaded(pem)
    return made.not_valid_before_utc.timestamp(), made.not_valid_after_utc.timestamp()


def shakes_hands(held: authority.Held, certificate: str, name: str) -> bool:
    """Whether a client that trusts the authority alone takes this page under this name."""
    trusting = ssl.create_default_context(cadata=held.authority)
    ends = [ssl.MemoryBIO() for _ in range(2)]
    client = trusting.wrap_bio(ends[0], ends[1], server_hostname=name)
    server = authority.context(held, certificate).wrap_bio(ends[1], ends[0], server_side=True)
    for _ in range(4):
        for one in (client, server):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return client.version() is not None


def test_the_authority_speaks_for_the_box_and_for_nobody_else() -> None:
    now = time.time()  # OpenSSL looks at the date itself
    held = authority.new_authority(BOX, now)
    page = authority.page_certificate(held, BOX, now)
    for name in ("mesh.home.arpa", "10.43.0.1", "127.0.0.1"):
        assert shakes_hands(held, page, name), name
    assert not shakes_hands(held, page, "bank.example")
    assert authority.fits(held, BOX)
    for names, addresses in ((("bank.example",), ("10.43.0.1",)), (("mesh.home.arpa",), ("10.44.0.1",))):
        other = Subject("Ada", names, addresses)
        assert not authority.fits(held, other)
        stolen = authority.page_certificate(held, other, now)
        assert not any(shakes_hands(held, stolen, name) for name in (*names, *addresses))


def test_a_box_without_names_speaks_for_no_name() -> None:
    now = time.time()
    nameless = Subject("ada.box", (), ("127.0.0.1", "10.43.0.1"))
    held = authority.new_authority(nameless, now)
    assert shakes_hands(held, authority.page_certificate(held, nameless, now), "10.43.0.1")
    stolen = authority.page_certificate(held, Subject("Ada", ("bank.example",), ("10.43.0.1",)), now)
    assert not shakes_hands(held, stolen, "bank.example")


@pytest.mark.parametrize(
    "name", ["", "\u0628" * 64, "\N{FERRY}" * 64, "a" * 64], ids=["empty", "two octets", "three", "one"]
)
def test_a_box_is_called_as_it_likes(name: str) -> None:
    box = Subject(name, BOX.names, BOX.addresses)
    now = time.time()
    held = authority.new_authority(box, now)
    assert shakes_hands(held, authority.page_certificate(held, box, now), "mesh.home.arpa")


def test_a_box_that_had_no_date_is_trusted_once_it_has_one() -> None:
    now = time.time()
    held = authority.new_authority(BOX, 0.0)
    assert shakes_hands(held, authority.page_certificate(held, BOX, now), "mesh.home.arpa")
    assert authority.leaving(held, BOX, now).authority_key == ""


def test_an_authority_that_has_run_out_can_still_be_turned_off() -> None:
    held = authority.new_authority(BOX, NOW)
    gone = authority.leaving(held, BOX, NOW + 4000 * DAY)
    assert dates(gone.page)[1] == dates(held.authority)[1]


def test_a_box_that_wakes_in_the_past_makes_no_certificate_of_before_its_authority() -> None:
    held = authority.new_authority(BOX, NOW)
    born, _ = dates(held.authority)
    for now, begins in ((0.0, born), (NOW, born), (NOW + 100 * DAY, NOW + 99 * DAY)):
        page = authority.page_certificate(held, BOX, now)
        assert dates(page) == (begins, begins + 820 * DAY)
    last = authority.page_certificate(held, BOX, NOW + 3600 * DAY)
    assert dates(last)[1] == dates(held.authority)[1]


def test_a_farewell_has_no_key_that_could_make_another() -> None:
    held = authority.new_authority(BOX, NOW)
    gone = authority.leaving(held, BOX, NOW)
    assert gone.authority_key == ""
    assert dates(gone.page)[1] == dates(gone.page)[0] + 90 * DAY


async def test_the_keeper_turns_it_on_and_off_and_the_plain_page_stays(tmp_path: Path) -> None:
    web = msgspec.structs.replace(SAFE, origins=("file",))
    async with boxes(tmp_path, web=web) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        assert (await phone.get("/secure"))["state"] == "off"
        assert (await phone.http.get(API + "/secure/authority.crt")).status_code == 400
        await phone.sign_up("Mia")
        await phone.post("/box/secure", 403)
        told = list[Any]()

        async def turn_on() -> None:
            told.append(await keeper.post("/box/secure"))

        async with trio.open_nursery() as nursery:  # tapped twice
            nursery.start_soon(turn_on)
            nursery.start_soon(turn_on)
        on = await keeper.post("/box/secure")
        assert told == [on, on]
        assert on == await phone.get("/secure")
        file = valley.homes[0] / "authority"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        installed = (await phone.http.get(API + "/secure/authority.crt")).content
        assert sha256(installed).hexdigest().upper() == on["fingerprint"].replace(":", "")
        with pytest.raises(httpx.RemoteProtocolError):
            await phone.http.get(f"http://127.0.0.1:{on['port']}/")  # no TLS: it hangs up, and goes on
        trusting = ssl.create_default_context(cadata=installed)
        home = f"https://127.0.0.1:{on['port']}"
        async with httpx.AsyncClient(base_url=home, verify=trusting, timeout=60.0) as safe:
            body = {"name": "Mia", "passphrase": PASSPHRASE}
            signed = await safe.post(API + "/session", json=body)
            assert all(word in signed.headers["set-cookie"] for word in ("-secure=", "; Secure", "HttpOnly"))
            assert signed.headers["set-cookie"].startswith("__Host-")  # no plain page plants one of this name
            assert (await safe.get(API + "/me")).json()["name"] == "Mia"
            assert "strict-transport-security" not in signed.headers
            for scheme, status in (("http", 403), ("https", 200)):
                own = {"Origin": f"{scheme}://127.0.0.1:{on['port']}"}
                assert (await safe.post(API + "/session", json=body, headers=own)).status_code == status
        off = await keeper.send("DELETE", "/box/secure")
        assert (off["state"], off["fingerprint"]) == ("leaving", "")
        assert msgspec.json.decode(file.read_bytes(), type=authority.Held).authority_key == ""
        async with httpx.AsyncClient(base_url=home, verify=trusting, timeout=60.0) as safe:
            went = await safe.get("/")
            assert went.headers["location"].rstrip("/") == str(keeper.http.base_url).rstrip("/")
            assert "unregister" in (await safe.get("/worker.js")).text
            told = await safe.get(API + "/me")
            assert (told.status_code, told.headers["location"]) == (410, went.headers["location"])
            assert "access-control-allow-origin" not in told.headers
            told = await safe.get(API + "/me", headers={"Origin": "null"})
            assert (told.status_code, told.headers["access-control-allow-origin"]) == (410, "null")
            assert "Location" in told.headers["access-control-expose-headers"]
            asks = {"Origin": "null", "Access-Control-Request-Method": "GET"}
            may = await safe.options(API + "/me", headers=asks)
            assert (may.status_code, may.headers["access-control-allow-origin"]) == (204, "null")
            assert "Authorization" in may.headers["access-control-allow-headers"]
        again = await keeper.post("/box/secure")
        assert again["fingerprint"] not in ("", on["fingerprint"])
        await valley.stop(0)
        await valley.start(0)
        async with await valley.phone() as later:
            assert (await later.get("/secure"))["fingerprint"] == again["fingerprint"]


async def test_a_damaged_authority_leaves_the_plain_page_alone(tmp_path: Path) -> None:
    async with boxes(tmp_path, web=SAFE) as valley, await valley.keeper() as keeper:
        await keeper.post("/box/secure")
        file = valley.homes[0] / "authority"
        whole = file.read_text()
        for damaged in ("", whole[:100], whole.replace("BEGIN", "END")):
            await valley.stop(0)
            file.write_text(damaged)
            await valley.start(0)
            async with await valley.phone() as phone:
                assert (await phone.get("/secure"))["state"] == "off"
        async with await valley.phone() as again:
            await again.sign_in("Ada")
            assert (await again.post("/box/secure"))["state"] == "on"


@pytest.mark.browser
async def test_a_phone_that_trusts_the_box_keeps_its_page_until_it_is_turned_off(tmp_path: Path) -> None:
    taken = tmp_path / "taken.html"
    taken.write_text(whole_page())
    web = msgspec.structs.replace(SAFE, origins=("file",))
    async with boxes(tmp_path / "boxes", web=web) as valley, await valley.keeper() as keeper:
        plain = str(keeper.http.base_url)
        state = await keeper.post("/box/secure")

        def story(phones: Phones) -> None:
            desk = phones.open(plain)
            sign_in(desk)
            desk.get_by_role("link", name="Me", exact=True).click()
            desk.get_by_role("link", name="Make this phone secure").click()
            expect(desk.get_by_text(state["fingerprint"])).to_be_visible()
            assert not barriers(desk)
            address = desk.get_by_role("link", name="Open the secure page").get_attribute("href") or ""
            page = phones.open(address, also=[plain])
            page.get_by_label("Your name").fill("Ida")
            page.get_by_role("button", name="Start writing").click()
            expect(page.get_by_label("Message", exact=True)).to_be_visible()
            assert page.evaluate("isSecureContext && typeof navigator.mediaDevices.getUserMedia === 'function'")
            page.get_by_role("link", name="Me", exact=True).click()
            page.get_by_role("button", name="Keep the page on this phone").click()
            expect(page.get_by_role("button", name="Keep it no longer")).to_be_visible()
            safe = phones.open(address, also=[plain])
            sign_in(safe)
            safe.on("dialog", lambda dialog: dialog.accept())
            safe.get_by_role("link", name="Box", exact=True).click()
            safe.get_by_role("button", name="Turn the secure page off").click()  # under the keeper's own feet
            expect(safe.get_by_text("From now on the page is here:")).to_be_visible()
            safe.get_by_role("link", name=plain.rstrip("/")).click()
            expect(safe.get_by_role("button", name="Start writing")).to_be_visible()
            sign_in(safe)
            safe.get_by_role("link", name="Box", exact=True).click()
            expect(safe.get_by_role("button", name="Turn the secure page on")).to_be_visible()
            along = phones.open(taken.as_uri(), also=[address, plain])
            along.get_by_label("Where is the box?").fill(address)
            along.get_by_role("button", name="Go there").click()
            expect(along.get_by_text("From now on the page is here:")).to_be_visible()
            assert not barriers(along)
            along.get_by_role("button", name=plain.rstrip("/")).click()
            expect(along.get_by_role("button", name="Start writing")).to_be_visible()
            page.evaluate("setTimeout(() => location.reload())")  # from what the phone keeps, which then goes
            page.wait_for_url(plain.rstrip("/") + "/**", timeout=PATIENCE_MS)

        await tell(story, key=public_mark(valley.homes[0] / "authority"))


def sign_in(page: Page) -> None:
    """As the keeper."""
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("form button").click()
    expect(page.get_by_role("navigation")).to_be_visible()


def public_mark(file: Path) -> str:
    """What a browser is told of the page's key."""
    held = msgspec.json.decode(file.read_bytes(), type=authority.Held)
    public = loaded(authority.page_certificate(held, BOX, NOW)).public_key()
    told = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(told).digest()).decode()
