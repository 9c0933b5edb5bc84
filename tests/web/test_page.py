"""The page in a real browser: coming in, writing over three hops, losing the box, reading with no eyes or no mouse."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from random import Random

import msgspec
import pytest
import trio
from playwright.sync_api import Page, Route, expect

import meshnode
from meshnode.daemon.health import ADVICE
from meshnode.web.files import PAGE
from support.boxes import PASSPHRASE, WEB, Boxes, Phone, boxes, fill
from support.phones import DESK, Phones, barriers, tell
from support.ports import lasting_port

pytestmark = pytest.mark.browser

LINE = ("Alder", "Birch", "Cedar", "Doric")
READ_CODES = """async () => {
    const { default: decode } = await import("./vendor/qr-decode.js");
    return [...document.querySelectorAll(".poster .qr")].map((picture) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 520, height: 520 });
        const context = canvas.getContext("2d");
        context.fillStyle = "white";
        context.fillRect(0, 0, 520, 520);
        context.drawImage(picture, 0, 0, 520, 520);
        return decode(context.getImageData(0, 0, 520, 520));
    });
}"""
BRIDGE = {
    "state": "open", "opens_in_s": None, "uplinks": 1, "sent": 1_000_000, "sent_per_day": 20_000_000, "received": 0,
    "received_per_day": 0, "held_back": 3,
}  # fmt: skip
MORE_STREAMS = "globalThis.streams = [1, 2, 3, 4].map(() => new EventSource('/api/v1/events'))"
SLOW = {"offline": False, "latency": 20, "downloadThroughput": 250_000, "uploadThroughput": 250_000}  # bytes a second
SIGN_IN, NEW_PROFILE = "Sign in", "New profile"


def make_profile(page: Page, name: str) -> None:
    page.get_by_role("button", name=NEW_PROFILE).click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("form button").click()
    expect(page.get_by_role("navigation")).to_be_visible()


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name=SIGN_IN).first.click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("form button").click()
    expect(page.get_by_role("navigation")).to_be_visible()


def befriend(page: Page, name: str) -> str:
    """Takes somebody of the same box as a contact and opens the conversation; where that is."""
    page.get_by_role("link", name="People").click()
    page.locator("li", has_text=name).get_by_role("button", name="Add").click()
    page.locator(".list a", has_text=name).click()
    page.get_by_role("link", name="Write").click()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()
    return page.url


def join(page: Page, channel: str) -> None:
    page.get_by_role("link", name="People").click()
    page.get_by_label("Name of a channel").fill(channel)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name=channel)).to_be_visible()


MEMBER = {
    "node": "0a0b0c0d", "address": "profile guests", "carrier": "overlay", "last_heard_s": 1.0, "link": "",
    "bound": False, "session": True,
}  # fmt: skip


def write(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def as_a_bridge(route: Route) -> None:
    """The box's state, as if it were a bridge, and somebody had opened a profile on it."""
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "bridge": BRIDGE, "neighbours": [MEMBER]})


def as_full(route: Route) -> None:
    """What a box says whose store takes nothing more."""
    text = "The store cannot grow: the disk or its limit is full; free some space."
    route.fulfill(status=507, json={"kind": "StoreFullError", "text": text})


def as_without_addresses(route: Route) -> None:
    """What the doctor finds, as if the radio's interface had no addresses, and was named twice."""
    remedy = "sysctl net.ipv6.conf.halow0.disable_ipv6=0"
    check = {"name": "interface", "state": "fail", "detail": "halow0 has no IPv6 link-local address", "remedy": remedy}
    also = {"name": "channel", "state": "warn", "detail": "not known", "remedy": ""}
    route.fulfill(json={"checks": [check, also]})


async def post_to_square(phone: Phone, text: str) -> None:
    (square,) = [one["id"] for one in (await phone.get("/conversations"))["conversations"] if one["name"] == "square"]
    await phone.post(f"/conversations/{square}/messages", text=text, client_id="0b" * 16)


def last_state(page: Page, state: str) -> None:
    expect(page.locator(".mine .ticks").last).to_have_attribute("data-state", state)


def striped_png(width: int, height: int) -> bytes:
    """A picture of grey stripes, as a PNG written by hand."""
    rows = b"".join(b"\0" + bytes([y * 7 % 256]) * width for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def addresses(valley: Boxes) -> list[str]:
    return [(await valley.code(box)).addresses[0] for box in range(len(valley.homes))]


async def open_boxes(valley: Boxes) -> list[str]:
    """Each has its keeper."""
    for box in range(len(valley.homes)):
        async with await valley.keeper(box):
            pass
    return await addresses(valley)


async def test_a_new_box_is_set_up_and_its_keeper_reads_with_any_eyes(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley:
        code = await valley.code()

        def story(phones: Phones) -> None:
            page = phones.open(code.addresses[0])
            page.get_by_label("Set-up code").fill("none-such")
            page.get_by_label("Passphrase").fill(PASSPHRASE)
            page.locator("form button").click()
            wrong = page.get_by_text("This is not the set-up code; the command meshnode web")
            expect(wrong).to_be_visible()
            page.get_by_label("Set-up code").fill(code.code)
            assert not barriers(page)
            page.locator("form button").click()
            expect(page.get_by_role("heading", name="Chats")).to_be_visible()
            expect(wrong).to_be_hidden(timeout=4000)  # and not only when its eight seconds are over
            for place in ("Chats", "People", "Add somebody", "Me", "Box", "Make a poster"):
                page.get_by_role("link", name=place).first.click()
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                assert not barriers(page), place
            page.route("**/api/v1/box", as_a_bridge)
            page.route("**/api/v1/box/doctor", as_without_addresses)
            page.get_by_role("link", name="Box", exact=True).click()
            for words in (
                "Open: messages pass",
                "1 MB of 20 MB",
                "Receiving has no limit.",
                "3 messages are held back",
            ):
                expect(page.get_by_text(words)).to_be_visible()
            expect(page.get_by_text("No guest is signed in.")).to_be_visible()
            expect(page.get_by_text("No other box is in reach now.")).to_be_visible()
            expect(page.get_by_text("Something about the radio is not as it should be.")).to_have_count(1)
            expect(page.get_by_text("sysctl")).to_be_hidden()
            page.get_by_text("For who looks after the machine").click()
            expect(page.get_by_text("sysctl")).to_be_visible()
            assert not barriers(page)
            page.get_by_role("link", name="Make a poster").click()
            page.get_by_label("Name of the Wi-Fi").fill('Mill "2;4"')
            expect(page.locator(".poster .qr")).to_have_count(2)
            assert page.evaluate(READ_CODES) == ['WIFI:T:nopass;S:Mill \\"2\\;4\\";;', code.addresses[0]]
            page.get_by_role("link", name="Me", exact=True).click()
            page.get_by_role("button", name="Sign out here").click()
            expect(page.locator("form input[type=password]")).to_have_count(1)
            expect(page.get_by_label("Your name")).to_have_value("Ada")

        await tell(story)


async def test_a_box_that_burnt_down_is_restored_on_the_first_screen(tmp_path: Path) -> None:
    """With its people, who sign in and write; the port is the same again, as on a real box."""
    file = tmp_path / "bo.backup"
    async with boxes(tmp_path / "old", "Bo") as valley, await valley.keeper() as bo:
        square = "c-" + (await bo.post("/channels", name="square"))["channels"][0]["id"]
        await bo.post(f"/conversations/{square}/messages", text="from before", client_id="01" * 16)
        await bo.post("/box/members", name="Noa", passphrase=PASSPHRASE)
        saved = await bo.http.post("/api/v1/me/backup", json={"passphrase": "words of the file"})
        file.write_bytes(saved.content)
    web = msgspec.structs.replace(WEB, port=lasting_port())
    async with boxes(tmp_path / "new", "New", web=web) as valley:
        code = await valley.code()

        def story(phones: Phones) -> None:
            page = phones.open(code.addresses[0])
            page.get_by_role("button", name="I have a backup").click()
            page.get_by_label("Set-up code").fill(code.code)
            page.get_by_label("File of the backup").set_input_files(file)
            words = page.get_by_label("Its passphrase, or its twelve words")
            words.fill("other words")
            page.get_by_role("button", name="Look into it").click()
            expect(page.get_by_text("the passphrase does not fit")).to_be_visible()
            words.fill("words of the file")
            page.get_by_role("button", name="Look into it").click()
            expect(page.get_by_role("heading", name="The box Bo")).to_be_visible()
            expect(page.get_by_text("the passphrase does not fit")).to_be_hidden(timeout=4000)
            expect(page.get_by_text("1 message is in it.")).to_be_visible()
            expect(page.get_by_text("Profiles: Noa")).to_be_visible()
            assert not barriers(page)
            page.get_by_role("button", name="Restore it").click()
            expect(page.get_by_text("This box is Bo again.")).to_be_visible()
            page.get_by_role("button", name="Go on").click()
            expect(page.get_by_label("Your name")).to_have_value("Bo")
            page.get_by_label("Passphrase").fill(PASSPHRASE)
            page.locator("form button").click()
            page.locator(".list a", has_text="square").click()
            expect(page.locator(".mine p")).to_have_text("from before")
            write(page, "here again")
            expect(page.locator(".mine p")).to_have_text(["from before", "here again"])
            last_state(page, "kept")
            sign_in(phones.open(code.addresses[0]), "Noa")

        await tell(story)


async def test_two_phones_three_hops_apart_write_and_the_ticks_are_true(tmp_path: Path) -> None:
    """Words and a photo, and words again over a box that was off between them."""
    photo = tmp_path / "soup.png"
    photo.write_bytes(striped_png(600, 300))
    async with boxes(tmp_path / "boxes", *LINE) as valley:
        near, _, _, far = await open_boxes(valley)

        def story(phones: Phones) -> None:
            mia, noa = phones.open(near), phones.open(far)
            make_profile(mia, "Mia")
            make_profile(noa, "Noa")
            noa.get_by_role("link", name="Add somebody").first.click()
            words = noa.locator(".words").inner_text()
            mia.get_by_role("link", name="Add somebody").first.click()
            mia.get_by_label("Link or words").fill(words)
            mia.get_by_role("button", name="Add", exact=True).click()
            mia.get_by_role("link", name="Write").click()
            write(mia, "<b>soup</b> is ready & hot")
            noa.get_by_role("link", name="Chats").click()
            noa.locator(".list a", has_text="soup").click()
            expect(noa.locator(".theirs p")).to_have_text("<b>soup</b> is ready & hot")
            last_state(mia, "carried")  # a stranger does not learn more
            noa.get_by_label("What you call them").fill("Mia from the mill")
            noa.get_by_role("button", name="Accept").click()
            last_state(mia, "read")
            mia.locator(".mine .ticks").click()
            expect(mia.locator(".why")).to_contain_text("They have opened it.")
            write(noa, "on my way")
            expect(mia.locator(".theirs p")).to_have_text("on my way")
            mia.locator(".attach input").set_input_files(photo)
            noa.get_by_role("button", name="Fetch").click()
            expect(noa.locator(".theirs .picture img")).to_be_visible()
            last_state(mia, "read")
            trio.from_thread.run(valley.stop, 2)  # the only way between them
            write(mia, "bring bread")
            last_state(mia, "carried")  # by the box before the gap
            trio.from_thread.run(valley.start, 2)
            expect(noa.locator(".theirs p").last).to_have_text("bring bread")
            last_state(mia, "read")

        await tell(story)


async def test_who_signs_in_next_does_not_see_what_was_shown_before(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:

        def story(phones: Phones) -> None:
            address = str(keeper.http.base_url)
            page = phones.open(address)
            for name in ("Noa", "Ivo"):
                make_profile(phones.open(address), name)
            make_profile(page, "Una")
            place = befriend(page, "Noa")
            write(page, "for Noa alone")
            expect(page.locator(".mine p")).to_have_text("for Noa alone")
            page.get_by_role("link", name="Back").click()
            page.get_by_role("link", name="Me", exact=True).click()
            page.get_by_role("button", name="Sign out here").click()
            sign_in(page, "Ivo")
            assert befriend(page, "Noa") == place
            write(page, "a word of mine")
            expect(page.locator(".mine p")).to_have_text(["a word of mine"])
            page.goto(place.replace("/chat/d-", "/person/"))
            expect(page.locator(".words")).to_be_visible()
            assert not barriers(page)
            page.goto(f"{address.rstrip('/')}/#/search")
            page.get_by_role("searchbox").fill("word")
            page.keyboard.press("Enter")
            expect(page.locator(".list a")).to_contain_text("a word of mine")
            assert not barriers(page)

        await tell(story)


async def test_a_guest_writes_the_first_message_with_few_taps(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url))
            page.get_by_label("Your name").tap()
            page.keyboard.type("Ida")
            page.get_by_role("button", name="Start writing").tap()
            page.get_by_label("Message", exact=True).tap()
            page.keyboard.type("is the ferry late?")
            page.get_by_role("button", name="Send", exact=True).tap()  # the fourth tap
            expect(page.locator(".mine p")).to_have_text("Ida: is the ferry late?")
            assert not barriers(page)
            page.evaluate(MORE_STREAMS)  # as four other tabs would: this one gives its place up
            expect(page.get_by_text("nothing new shows until you come back")).to_be_visible()
            page.evaluate("streams.forEach((one) => one.close()), dispatchEvent(new Event('focus'))")
            trio.from_thread.run(post_to_square, keeper, "it comes at nine")
            expect(page.get_by_text("it comes at nine")).to_be_visible()
            page.route("**/messages", as_full)
            write(page, "then I wait")
            expect(page.get_by_text("The disk of this box is full; its keeper can make room.")).to_be_visible()
            page.unroute("**/messages")
            page.get_by_role("button", name="Try again").click()
            expect(page.locator(".mine p").last).to_have_text("Ida: then I wait")

        await tell(story)


async def test_what_is_written_while_the_box_is_off_waits_and_goes_once(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")
        address = str(keeper.http.base_url)

        def story(phones: Phones) -> None:
            page = phones.open(address)
            page.get_by_label("Your name").fill("Ida")
            page.get_by_role("button", name="Start writing").click()
            write(page, "one")
            expect(page.locator(".mine p")).to_have_text("Ida: one")
            page.context.set_offline(True)
            write(page, "two")
            last_state(page, "unsent")
            page.get_by_label("Message", exact=True).fill("half a thought")
            page.route("**/messages", lambda route: route.fulfill(body="{", status=200))
            with page.expect_response("**/messages") as broken_off:
                page.context.set_offline(False)
            broken_off.value.finished()
            expect(page.get_by_role("button", name="Try again")).to_have_count(0)
            page.unroute("**/messages")
            page.reload()
            expect(page.get_by_label("Message", exact=True)).to_have_value("half a thought")
            expect(page.locator(".mine p")).to_have_text(["Ida: one", "Ida: two"])

        await tell(story)


async def test_a_chat_of_ten_thousand_scrolls_and_a_second_tab_follows(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper():
        await valley.stop(0)
        await trio.to_thread.run_sync(fill, valley.homes[0], 10_000)
        await valley.start(0)
        address = (await valley.code()).addresses[0]

        def story(phones: Phones) -> None:
            page = phones.open(address)
            sign_in(page, "Ada")
            page.locator(".list a", has_text="square").click()
            bubbles, last = page.locator(".messages .theirs"), page.get_by_text("post 10000:")
            expect(bubbles).to_have_count(50)
            expect(last).to_be_in_viewport()
            for first in range(9901, 9401, -50):  # more pages than the browser holds
                page.locator(".messages").evaluate("list => list.scrollTo(0, 0)")
                expect(page.get_by_text(f"post {first}:")).to_be_attached()
            expect(bubbles).to_have_count(400)
            expect(last).not_to_be_attached()
            page.get_by_role("button", name="To the newest message").click()
            expect(last).to_be_in_viewport()
            other = page.context.new_page()
            other.goto(page.url)
            expect(other.locator(".theirs")).to_have_count(50)
            write(other, "from the second tab")
            expect(page.locator(".mine p")).to_have_text("from the second tab")
            page.go_back()
            expect(page.get_by_role("heading", name="Chats")).to_be_visible()
            page.get_by_role("link", name="Box", exact=True).click()
            page.get_by_text("What goes first when it is full").click()
            going = page.locator("details[open] li")
            expect(going).to_have_count(20)
            expect(going.first).to_contain_text("Post by Unknown 07070707 in square")

        await tell(story)


async def test_a_member_takes_a_backup_home_and_takes_another_passphrase(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url))
            make_profile(page, "Mia")
            page.get_by_role("link", name="Me", exact=True).click()
            page.get_by_label("Passphrase").fill("words for the file")
            with page.expect_download() as download:
                page.get_by_role("button", name="Make a backup").click()
            assert download.value.suggested_filename == "meshnode.backup"
            assert download.value.path().stat().st_size > 10_000
            page.get_by_label("The one until now").fill(PASSPHRASE)
            page.get_by_label("The new one").fill("words of tomorrow")
            page.get_by_role("button", name="Change the passphrase").click()
            expect(page.get_by_text("only the new passphrase")).to_be_visible()
            german = phones.open(str(keeper.http.base_url), language="de-DE")
            german.get_by_role("button", name="Anmelden").first.click()
            german.get_by_label("Dein Name").fill("Mia")
            german.get_by_label("Passphrase").fill(PASSPHRASE)
            german.locator("form button").click()
            expect(german.get_by_text("Name und Passphrase passen nicht zusammen.")).to_be_visible()
            page.get_by_role("link", name="Chats", exact=True).click()
            expect(page.get_by_role("heading", name="Chats")).to_be_visible()

        await tell(story)


async def test_a_photo_goes_smaller_and_its_preview_first(tmp_path: Path) -> None:
    photo = tmp_path / "ferry at eight.png"
    photo.write_bytes(striped_png(2400, 1200))
    async with boxes(tmp_path / "boxes", "Alder", "Birch") as valley:
        near, far = await open_boxes(valley)

        def story(phones: Phones) -> None:
            mia, noa = phones.open(near), phones.open(far)
            for page, name in ((mia, "Mia"), (noa, "Noa")):
                make_profile(page, name)
                join(page, "square")
            mia.get_by_label("Message", exact=True).fill("look")
            mia.locator(".attach input").set_input_files(photo)
            expect(mia.locator(".mine .picture img")).to_be_visible()
            expect(noa.locator(".theirs p").last).to_have_text("look")
            expect(noa.locator(".theirs .file img")).to_be_visible()
            noa.get_by_role("button", name="Fetch").click()
            whole = noa.locator(".theirs .picture img")
            expect(whole).to_be_visible()
            assert whole.evaluate("async (one) => (await one.decode(), [one.naturalWidth, one.naturalHeight])") == [
                1600,
                800,
            ]
            assert whole.get_attribute("alt") == "ferry at eight.jpg"

        await tell(story)


async def test_a_file_goes_on_where_a_slow_line_broke(tmp_path: Path) -> None:
    """A megabyte at 2 Mbit/s, cut in the middle; 20 MB at 1 Mbit/s take minutes, so `bench/page.py` does that."""
    film = tmp_path / "film.bin"
    film.write_bytes(Random(6).randbytes(1_000_000))
    async with boxes(tmp_path / "boxes") as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")
        begun, pieces = list[str](), list[str]()

        def carry(route: Route) -> None:
            pieces.append(route.request.url)
            if 7 <= len(pieces) < 10:
                route.abort("internetdisconnected")
            else:
                route.continue_()

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url), device=DESK)
            page.on("request", lambda request: begun.append(request.url) if request.url.endswith("/uploads") else None)
            page.route("**/uploads/*?offset=*", carry)
            sign_in(page, "Ada")
            page.locator(".list a", has_text="square").click()
            line = page.context.new_cdp_session(page)
            line.send("Network.emulateNetworkConditions", SLOW)
            page.locator(".attach input").set_input_files(film)
            expect(page.locator(".mine .file")).to_contain_text("film.bin")

        await tell(story)
        assert len(begun) == 1, "it went on, and did not begin again"
        assert len(set(pieces)) == len(pieces) - 3 == -(-1_000_000 // 65_536), "no piece went twice but the one cut off"
        (file,) = (await keeper.get("/files"))["files"]
        assert (await keeper.http.get(f"/api/v1/files/{file['file']['id']}")).content == film.read_bytes()


async def test_an_emergency_is_held_to_send_and_taken_back_for_all(tmp_path: Path) -> None:
    async with boxes(tmp_path, "Alder", "Birch") as valley:
        near, far = await open_boxes(valley)

        def story(phones: Phones) -> None:
            mia, noa = phones.open(near), phones.open(far)
            for page, name in ((mia, "Mia"), (noa, "Noa")):
                make_profile(page, name)
                join(page, "square")
            mia.get_by_label("Message", exact=True).fill("the mill is on fire")
            hold = mia.get_by_role("button", name="Emergency: hold to send")
            mia.clock.install()
            mia.clock.pause_at(mia.evaluate("Date.now() + 1000"))  # however long this machine takes to let go
            hold.dispatch_event("pointerdown")
            expect(mia.get_by_text("Let go to cancel")).to_be_visible()
            hold.dispatch_event("pointerup")
            expect(mia.get_by_text("Let go to cancel")).to_have_count(0)
            mia.clock.resume()
            expect(mia.get_by_label("Message", exact=True)).to_have_value("the mill is on fire")
            hold.dispatch_event("pointerdown")
            expect(mia.locator(".mine .alarm")).to_have_text("Emergency")
            expect(noa.locator(".theirs .alarm")).to_have_text("Emergency")
            expect(noa.get_by_role("button", name="It is over")).to_have_count(0)
            assert not barriers(mia)
            mia.get_by_role("button", name="It is over").click()
            for one in (mia.locator(".mine"), noa.locator(".theirs")):
                expect(one.locator(".alarm")).to_have_text(["Emergency, taken back", "No emergency any more:"])
                expect(one.locator("s")).to_have_text("the mill is on fire")

        await tell(story)


async def test_what_was_written_and_not_sent_is_the_writers_alone(tmp_path: Path) -> None:
    """The box signs Mia out while her words wait; others use the same browser before her, and another tab after."""
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/box/members", name="Ivo", passphrase=PASSPHRASE)

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url), device=DESK)
            field, mine = page.get_by_label("Message", exact=True), page.locator(".mine p")
            make_profile(page, "Mia")
            join(page, "square")
            page.context.set_offline(True)
            write(page, "words of Mia")
            last_state(page, "unsent")
            field.fill("half a thought")
            trio.from_thread.run(keeper.post, "/box/members/Mia/lock")
            page.context.set_offline(False)
            expect(page.get_by_text("Please sign in again.")).to_be_visible()
            sign_in(page, "Ivo")
            join(page, "square")
            expect(field).to_have_value("")
            write(page, "a word of Ivo")
            expect(mine).to_have_text(["a word of Ivo"])
            other = page.context.new_page()
            other.goto(page.url)
            other.get_by_role("link", name="Me", exact=True).click()
            other.get_by_role("button", name="Sign out here").click()
            sign_in(other, "Mia")
            other.locator(".list a", has_text="square").click()
            expect(other.locator(".mine p")).to_have_text(["words of Mia"])
            expect(other.get_by_label("Message", exact=True)).to_have_value("half a thought")
            write(page, "more of Ivo")
            expect(page.get_by_text("Mia is signed in with this browser now.")).to_be_visible()
            page.locator(".list a", has_text="square").click()
            expect(mine).to_have_text(["words of Mia"])
            expect(field).to_have_value("half a thought")

        await tell(story)
        said = (await keeper.get("/search", q="of"))["messages"]
        assert [one["text"] for one in said] == ["words of Mia", "a word of Ivo"]


async def test_keys_alone_reach_everything(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        await keeper.post("/channels", name="square")

        def story(phones: Phones) -> None:
            page = phones.open(str(keeper.http.base_url), device=DESK)
            page.get_by_label("Your name").focus()
            page.keyboard.type("Ida")
            page.keyboard.press("Enter")
            expect(page.get_by_label("Message", exact=True)).to_be_focused()
            page.keyboard.type("typed")
            page.keyboard.press("Enter")
            expect(page.locator(".mine p")).to_have_text("Ida: typed")
            page.keyboard.press("Shift+Tab")  # an empty message cannot be sent: before the line are the ticks
            page.keyboard.press("Enter")
            expect(page.locator(".why")).to_be_visible()

        await tell(story)


def test_every_language_has_every_word_and_its_places() -> None:
    catalogues = {path.stem: json.loads(path.read_text()) for path in (PAGE / "lang").glob("*.json")}
    assert set(catalogues) == {"en", "de", "es", "fr", "ar"}
    english = catalogues["en"]
    for code, catalogue in catalogues.items():
        assert catalogue.keys() == english.keys(), code
        for key, text in catalogue.items():
            assert _places(text) == _places(english[key]), f"{code} {key}"


def test_the_page_knows_the_sentences_of_the_box_as_it_says_them() -> None:
    table = re.search(r"SENTENCES = \{(.*?)\n\};", (PAGE / "said.js").read_text(), re.DOTALL)
    assert table is not None
    sentences = json.loads("{" + table[1].rstrip().rstrip(",") + "}")
    source = "".join(path.read_text() for path in Path(meshnode.__file__).parent.rglob("*.py"))
    for key, sentence in sentences.items():
        assert all(part in source for part in re.split(r"\{\w+\}|; ", sentence)), key
        for catalogue in (PAGE / "lang").glob("*.json"):
            assert _places(json.loads(catalogue.read_text())[key]) == _places(sentence), key


def test_the_page_has_a_sentence_for_every_check_and_warning() -> None:
    named = re.search(r"ABOUT = \{(.*?)\n\};", (PAGE / "parts" / "health.js").read_text(), re.DOTALL)
    assert named is not None
    known = {name for names in json.loads("{" + named[1].rstrip().rstrip(",") + "}").values() for name in names}
    daemon = Path(meshnode.__file__).parent / "daemon"
    source = "".join(path.read_text() for path in (daemon / "doctor.py", *daemon.glob("checks_*.py")))
    checks = set(re.findall(r'(?:_warn|_fail|CheckInfo)\(\s*(?:name=)?"([a-z -]+)"', source))
    assert len(checks) > 20
    assert checks - {"node", "keys"} == known - ADVICE.keys(), "those two are of a node that does not run"
    assert ADVICE.keys() <= known


def _places(text: str | dict[str, str]) -> set[str]:
    forms = [text] if isinstance(text, str) else list(text.values())
    return {part.split("}")[0] for form in forms for part in form.split("{")[1:]}
