"""What needs camera and microphone: a code scanned live, voice notes; on a secure page and on plain http."""

from __future__ import annotations

import io
import wave
from functools import partial
from pathlib import Path

import pytest
import segno
from playwright.sync_api import Page, Route, expect

from support.boxes import PASSPHRASE, Phone, boxes, until
from support.phones import Phones, barriers, tell

pytestmark = pytest.mark.browser

PLAIN = "delete Navigator.prototype.mediaDevices"  # as a browser has it where the page came over plain http
WIDTH, HEIGHT, MARGIN = 640, 480, 4
LISTENED = "async (one) => { one.load(); await new Promise((ready) => (one.onloadedmetadata = ready)); return true; }"


def film(path: Path, text: str) -> Path:
    """Two pictures of a QR code, as an uncompressed film."""
    code = [[0xEB if not dark else 0x10 for dark in row] for row in segno.make(text, micro=False).matrix]
    scale = HEIGHT // (len(code) + 2 * MARGIN)
    side = scale * (len(code) + 2 * MARGIN)

    def grey(x: int, y: int) -> int:
        column, row = x // scale - MARGIN, y // scale - MARGIN
        return code[row][column] if 0 <= row < len(code) and 0 <= column < len(code) else 0xEB

    picture = bytes(grey(x, y) if x < side and y < side else 0xEB for y in range(HEIGHT) for x in range(WIDTH))
    frame = b"FRAME\n" + picture + bytes([128]) * (WIDTH * HEIGHT // 2)
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 2)
    return path


def tone() -> bytes:
    """A second of nearly nothing, as a phone's recorder might give it."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000))
    return sound.getvalue()


def sign_up(page: Page, name: str) -> None:
    page.get_by_role("button", name="New profile").click()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.locator("form button").click()
    expect(page.get_by_role("navigation")).to_be_visible()


def write_to(page: Page, invite: str) -> None:
    page.get_by_role("link", name="Add somebody").first.click()
    page.get_by_label("Link or words").fill(invite)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="Write").click()


def breaking_once(page: Page) -> list[str]:
    """The line breaks while the first piece of an upload is on it; what is asked about the upload from now on."""
    asked = list[str]()

    def line(route: Route) -> None:
        asked.append(route.request.method)
        if len(asked) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*", line)
    return asked


async def came(phone: Phone, file: tuple[str, str]) -> bool:
    """True once a message with a file of this name and media is here."""
    last = [one["last"] for one in (await phone.get("/conversations"))["conversations"] if one["last"]]
    return file in [(one["name"], one["media"]) for message in last for one in message["files"]]


async def test_a_code_is_scanned_and_voice_notes_are_heard_before_and_after(tmp_path: Path) -> None:
    async with boxes(tmp_path / "boxes") as valley, await valley.keeper() as keeper, await valley.phone() as noa:
        await noa.sign_up("Noa")
        invite = (await noa.get("/contacts/mine"))["uri"]

        def story(phones: Phones) -> None:
            mia = phones.open(str(keeper.http.base_url))
            sign_up(mia, "Mia")
            mia.get_by_role("link", name="Add somebody").first.click()
            mia.get_by_role("button", name="Scan their code").click()
            expect(mia.get_by_role("heading", level=1)).to_have_text("Noa")
            mia.get_by_role("link", name="Write").click()
            mia.get_by_role("button", name="Record a voice note").click()
            expect(mia.get_by_text("of at most 3:00")).to_be_visible()
            expect(mia.locator(".voice .quiet")).not_to_have_text("0:00 of at most 3:00")
            mia.get_by_role("button", name="Stop").click()
            assert mia.locator(".voice audio").evaluate(LISTENED)
            assert not barriers(mia)
            mia.get_by_role("button", name="Send the voice note").click()
            assert mia.locator(".mine audio").evaluate(LISTENED)
            expect(mia.get_by_text("Nothing tells you that this arrived")).to_be_visible()
            mia.get_by_role("button", name="Record a voice note").click()
            mia.get_by_role("button", name="Discard").click()
            expect(mia.locator(".voice")).to_have_count(0)

            ivo = phones.open(str(keeper.http.base_url), script=PLAIN)
            sign_up(ivo, "Ivo")
            write_to(ivo, invite)
            recorder = ivo.get_by_label("Record a voice note")
            assert recorder.get_attribute("capture") is not None
            recorder.set_input_files({"name": "Recording 1.wav", "mimeType": "audio/wav", "buffer": tone()})
            assert ivo.locator(".voice audio").evaluate(LISTENED)
            pieces = breaking_once(ivo)
            ivo.get_by_role("button", name="Send the voice note").click()
            assert ivo.locator(".mine audio").evaluate(LISTENED)
            assert pieces == ["PATCH", "GET", "PATCH"]  # lost, asked how far it is, gone on
            ivo.get_by_role("link", name="Back").click()
            ivo.get_by_role("link", name="Add somebody").first.click()
            expect(ivo.get_by_text("Photograph their code")).to_be_visible()
            expect(ivo.get_by_role("button", name="Scan their code")).to_have_count(0)

        await tell(story, camera=film(tmp_path / "code.y4m", invite))
        for expected in (("Recording 1.wav", "audio/wav"), ("Voice note.webm", "audio/webm")):
            await until(partial(came, noa, expected))
