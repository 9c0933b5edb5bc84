"""Files over the page: uploads that break and go on, files that are fetched, and what a file must not do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import trio
import trio.testing

from meshnode.errors import DISK_FULL, MissingError, UsageError
from meshnode.web import spool
from support.boxes import API, Phone, boxes, unread, until

WHOLE = bytes(range(256)) * 700  # several chunks


async def put(phone: Phone, upload: str, offset: int, data: bytes, status: int = 200) -> int:
    answer = await phone.http.patch(
        f"{API}/uploads/{upload}?offset={offset}", content=data, headers={"Content-Type": "application/octet-stream"}
    )
    assert answer.status_code == status, answer.text
    return int(answer.json()["offset"]) if status == 200 else -1


async def test_a_file_goes_from_one_member_to_another(tmp_path: Path) -> None:
    async with boxes(tmp_path, "Ada", "Bo") as valley, await valley.keeper(0) as ada, await valley.keeper(1) as bo:
        for me, other in ((ada, bo), (bo, ada)):
            await me.post("/contacts", invite=(await other.get("/contacts/mine"))["uri"])
        talk = f"/conversations/d-{(await bo.get('/me'))['persona']}/messages"
        upload = (await ada.post("/uploads", size=len(WHOLE)))["id"]
        assert await put(ada, upload, 0, WHOLE[:100_000]) == 100_000
        await put(ada, upload, 0, WHOLE[:10], 400)
        assert (await ada.get(f"/uploads/{upload}"))["offset"] == 100_000
        await bo.get(f"/uploads/{upload}", 404)
        file = {"upload": upload, "name": "soup.png", "media": "image/png", "preview": "AAEC"}
        await ada.post(talk, 400, client_id="00" * 16, file=file)
        await put(ada, upload, 100_000, WHOLE[100_000:])
        sent = await ada.post(talk, client_id="00" * 16, file=file)
        assert (await ada.post(talk, client_id="00" * 16, file=file))["id"] == sent["id"]
        (got,) = await until(lambda: unread(bo))
        (told,) = got["last"]["files"]
        assert (told["name"], told["size"], told["preview"]) == ("soup.png", len(WHOLE), "AAEC")
        await bo.get(f"/files/{told['id']}", 404)
        await bo.post(f"/files/{told['id']}/fetch")

        async def here() -> bool:
            return (await bo.get("/files"))["files"][0]["file"]["state"] == "here"

        await until(here)
        whole = await bo.http.get(f"{API}/files/{told['id']}")
        assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, WHOLE, "image/png")
        assert "sandbox" in whole.headers["content-security-policy"]
        for asked, first, last in (("bytes=40000-90000", 40_000, 90_000), ("bytes=-7", len(WHOLE) - 7, len(WHOLE) - 1)):
            part = await bo.http.get(f"{API}/files/{told['id']}", headers={"Range": asked})
            assert (part.status_code, part.content) == (206, WHOLE[first : last + 1])
            assert part.headers["content-range"] == f"bytes {first}-{last}/{len(WHOLE)}"


@pytest.mark.parametrize(
    ("name", "media"),
    [("a.svg", "image/svg+xml"), ("a.html", "text/html"), ("a.exe", ""), ("a.js", "text/javascript")],
)
async def test_what_may_hold_a_script_is_only_saved(tmp_path: Path, name: str, media: str) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as ada:
        (square,) = (await ada.get("/channels"))["channels"]
        upload = (await ada.post("/uploads", size=5))["id"]
        await put(ada, upload, 0, b"<svg>")
        file = {"upload": upload, "name": name, "media": media}
        answer = await ada.http.post(
            f"{API}/conversations/c-{square['id']}/messages", json={"client_id": "00" * 16, "file": file}
        )
        if answer.status_code == 400:
            return  # a name that no file may have
        (row,) = (await ada.get("/files"))["files"]
        got = await ada.http.get(f"{API}/files/{row['file']['id']}")
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment")
        assert got.headers["x-content-type-options"] == "nosniff"


async def test_uploads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (spool.Most(4, spool.FILE_MOST, 25),))
    async with boxes(tmp_path) as valley, await valley.keeper() as ada, await valley.phone() as guest:
        await guest.post("/session/guest", name="Maya")
        await guest.post("/uploads", 403, size=5)
        await ada.post("/uploads", 400, size=10**9)
        ids = [(await ada.post("/uploads", size=size))["id"] for size in (5, 5, 5)]
        await guest.sign_up("Mia")
        await guest.get(f"/uploads/{ids[0]}", 404)
        await put(guest, ids[0], 0, b"1", 404)
        await ada.post("/uploads", 403, size=20)
        ids.append((await ada.post("/uploads", size=5))["id"])
        await ada.post("/uploads", 403, size=5)
        await put(ada, ids[0], 0, b"123456", 400)
        await put(ada, ids[0], 0, b"12345")
        await put(ada, "00" * 16, 0, b"1", 404)
        await ada.send("DELETE", f"/uploads/{ids[0]}")
        await ada.get(f"/uploads/{ids[0]}", 404)
        assert sorted(path.name for path in (valley.homes[0] / "uploads").glob("*")) == sorted(ids[1:])
        await ada.post(f"/conversations/d-{'00' * 32}/messages", 400, client_id="00" * 16)


async def test_what_lies_still_is_dropped(tmp_path: Path) -> None:
    now = [0.0]
    kept = spool.Spool(tmp_path / "uploads", lambda: now[0])
    kept.open()
    first = await kept.begin("ada", 5)
    now[0] = spool.STILL_S + 1
    second = await kept.begin("ada", 5)
    assert not first.path.exists()
    assert kept.find("ada", second.id) is second
    kept.open()
    assert not second.path.exists()


async def test_what_lies_still_goes_even_if_nobody_begins_another(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    kept = spool.Spool(tmp_path / "uploads", trio.current_time)
    kept.open()
    left = await kept.begin("ada", 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.tidy)
        await trio.sleep(spool.STILL_S / 2)
        assert left.path.exists()
        await trio.sleep(3 * spool.STILL_S)
        with pytest.raises(MissingError):
            kept.find("ada", left.id)
        nursery.cancel_scope.cancel()
    assert not left.path.exists()


async def test_who_drips_bytes_holds_no_room_for_long(tmp_path: Path) -> None:
    now = [0.0]
    kept = spool.Spool(tmp_path / "uploads", lambda: now[0])
    kept.open()

    async def drip() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"."
            now[0] += spool.PIECE_WITHIN_S * 0.9

    upload = await kept.begin("kim", 1000)
    async with aclosing(drip()) as pieces:
        with pytest.raises(UsageError, match="too long"):
            await kept.write(upload, 0, pieces)
    assert now[0] < 2 * spool.STILL_S
    assert not upload.path.exists()
    assert kept.promised(but=()) == 0


async def test_who_drips_bytes_in_requests_of_their_own_holds_no_room_either(tmp_path: Path) -> None:
    now = [0.0]
    kept = spool.Spool(tmp_path / "uploads", lambda: now[0])
    kept.open()
    upload = await kept.begin("kim", 1000)
    for _ in range(2):
        await kept.write(upload, upload.offset, aiter_of(b"."))
        now[0] += spool.STILL_S * 0.6
    await kept.begin("mia", 1)
    assert not upload.path.exists()


async def aiter_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_disk_that_is_full_is_said_and_keeps_nothing_of_a_file(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as ada:
        id = (await ada.post("/uploads", size=10))["id"]
        await put(ada, id, 0, b"12345")
        path = valley.homes[0] / "uploads" / id
        path.unlink()
        path.symlink_to("/dev/full")
        head = {"Content-Type": "application/octet-stream"}
        answer = await ada.http.patch(f"{API}/uploads/{id}?offset=5", content=b"67890", headers=head)
        assert (answer.status_code, answer.json()["text"]) == (507, DISK_FULL)
        assert not path.is_symlink()
        await ada.get(f"/uploads/{id}", 404)
