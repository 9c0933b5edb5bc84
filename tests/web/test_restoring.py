"""A backup is restored on the page: by who has the set-up code, the keeper, or a member; what was there stays."""

from __future__ import annotations

import errno
import shutil
import tarfile
import threading
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import apsw
import httpx
import msgspec
import pytest
import trio

from meshnode import config as options
from meshnode.control import client
from meshnode.control.replies import ContactsReply, DoneReply
from meshnode.control.requests import BeginAnewRequest, ContactAddRequest
from meshnode.core.identity.invite import contact_uri
from meshnode.core.ids import PersonaKey
from meshnode.core.sealing.mesh import open_mesh
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon import arrival, backup, restoring, unpacking
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import create_home, is_home, open_home
from meshnode.daemon.vault import SealedReader, SealedWriter
from meshnode.errors import DISK_FULL, MeshnodeError, UsageError
from support.boxes import API, PATIENCE_S, WEB, Boxes, Phone, boxes, stands, until

MESH = open_mesh("valley")
WORDS = "words of the file"


async def saved(phone: Phone) -> bytes:
    answer = await phone.http.post(f"{API}/me/backup", json={"passphrase": WORDS})
    assert answer.status_code == 200
    return answer.content


async def brought(phone: Phone, backup: bytes, code: str = "") -> str:
    """A backup on the box; where it is asked about."""
    place = f"/restores/{(await phone.post('/restores', size=len(backup), code=code))['id']}"
    for begin in range(0, len(backup), 60_000):
        piece = backup[begin : begin + 60_000]
        answer = await phone.http.patch(
            f"{API}{place}?offset={begin}", content=piece, headers={"Content-Type": "application/octet-stream"}
        )
        assert answer.status_code == 200, answer.text
    assert (await phone.get(place))["offset"] == len(backup)
    return place


async def is_anew(valley: Boxes, box: int, name: str, to: Phone) -> bool:
    """True once the page of a box that begins anew answers with this name, and knows this phone no longer."""
    try:
        (to.http.base_url,) = (await valley.code(box)).addresses  # ValueError before it listens
        answer = await to.http.get(API)
    except (httpx.TransportError, MeshnodeError, ValueError):
        return False
    told = answer.json()
    return bool(answer.is_success and told["name"] == name and told["set_up"] and not told["me"])


async def test_a_new_box_becomes_the_one_that_burnt_down_and_what_it_was_stays(tmp_path: Path) -> None:
    async with boxes(tmp_path / "old", "Ada", "Bo") as valley, await valley.keeper(1) as bo:
        async with await valley.phone(1) as noa:
            await noa.sign_up("Noa")
            mine = await noa.get("/contacts/mine")
        await bo.post("/contacts", invite=mine["uri"])
        (friend,) = (await bo.get("/contacts"))["contacts"]
        await bo.post(f"/conversations/d-{friend['persona']}/messages", text="from before", client_id="01" * 16)
        persona, backup = (await bo.get("/me"))["persona"], await saved(bo)
    async with boxes(tmp_path / "new", "Ada", "New") as valley, await valley.phone(1) as phone:
        home, code = valley.homes[1], (await valley.code(1)).code
        keys, config = (home / "keys").read_bytes(), options.load(home / "config.toml")
        await phone.post("/restores", 403, size=len(backup), code="abcd-efgh")
        await phone.post("/restores", 403, size=1 << 40, code=code)
        place = await brought(phone, backup, code)
        refused = await phone.post(f"{place}/look", 400, passphrase="not the words", code=code)
        assert refused["text"] == "The passphrase does not fit, or the file is damaged."
        await phone.post(f"{place}/look", 403, passphrase=WORDS)
        found = await phone.post(f"{place}/look", passphrase=WORDS, code=code)
        assert (found["kind"], found["name"], found["members"], found["messages"]) == ("box", "Bo", ["Noa"], 1)
        assert found["keeper"]
        assert found["made_at"]
        assert (home / "keys").read_bytes() == keys, "only looked at"
        assert await phone.post(place, passphrase=WORDS, code=code) == found
        await until(lambda: is_anew(valley, 1, "Bo", phone))
        assert (home / "before-restore-1" / "keys").read_bytes() == keys
        assert options.load(home / "config.toml") == config
        assert (home / "config.backup.toml").exists()
        assert not list((home / "restores").iterdir())
        async with await valley.phone(1) as again, await valley.phone(0) as far:
            assert (await again.sign_in("Bo"))["persona"] == persona
            (kept,) = (await again.get(f"/conversations/d-{friend['persona']}/messages"))["messages"]
            assert kept["text"] == "from before"
            await far.sign_up("Mia")
            await far.post("/contacts", invite=(await again.get("/contacts/mine"))["uri"])
            mia = await again.post("/contacts", invite=(await far.get("/contacts/mine"))["uri"])
            (new,) = [one["persona"] for one in mia["contacts"] if one["name"] == "Mia"]
            sent = await again.post(f"/conversations/d-{new}/messages", text="here again", client_id="02" * 16)
            await until(lambda: stands(again, sent["id"], "delivered"))


async def test_a_member_brings_the_own_profile_along_and_nobody_elses_name(tmp_path: Path) -> None:
    async with boxes(tmp_path / "old") as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        persona = (await phone.sign_up("Mia"))["persona"]
        profile, whole = await saved(phone), await saved(keeper)
        place = await brought(phone, profile)
        await phone.get(place.replace("/restores/", "/uploads/"), 404)
        taken = await phone.post(place, 400, passphrase=WORDS)
        assert "already: sign in" in taken["text"]
    async with boxes(tmp_path / "new", "Bo") as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        place = await brought(phone, whole)
        assert "its keeper restores it" in (await phone.post(place, 403, passphrase=WORDS))["text"]
        await phone.post(f"{place}/look", passphrase=WORDS)
        place = await brought(phone, profile)  # in place of the other
        found = await phone.post(place, passphrase=WORDS)
        assert (found["kind"], found["name"], found["persona"]) == ("profile", "Mia", persona)
        assert (await phone.sign_in("Mia"))["persona"] == persona
        await keeper.post("/box/members/Mia/lock")
        (card,) = valley.homes[0].glob("profiles/*/profile.json")
        card.write_text(card.read_text().replace(persona, "00" * 32))
        assert "somebody else's" in (await phone.sign_in("Mia", status=403))["text"]


async def test_a_keeper_goes_back_to_a_backup_and_others_may_not(tmp_path: Path) -> None:
    web = msgspec.structs.replace(WEB, sign_up=False)
    async with boxes(tmp_path, web=web) as valley, await valley.phone() as phone, await valley.keeper() as keeper:
        await phone.post("/restores", 403, size=1000)
        configured = valley.homes[0] / "config.toml"
        aside = configured.rename(tmp_path / "aside")
        place = await brought(keeper, await saved(keeper))  # without a configuration: its mesh is known from its keys
        aside.rename(configured)
        await phone.get(place, 404)
        await keeper.post("/channels", name="mill")
        await keeper.post(place, passphrase=WORDS)
        await until(lambda: is_anew(valley, 0, "Ada", keeper))
        assert (valley.homes[0] / "before-restore-1" / "store.db").exists()
        assert options.load(configured).mesh.name == "valley"
        assert not (valley.homes[0] / "config.backup.toml").exists()
        async with await valley.phone() as again:
            await again.sign_in("Ada")
            assert [one["name"] for one in (await again.get("/channels"))["channels"]] == ["square"]
            kept = await again.get("/box/before")
            assert kept["homes"] == 1
            assert kept["bytes"] > (valley.homes[0] / "before-restore-1" / "store.db").stat().st_size
            assert await again.send("DELETE", "/box/before") == {"homes": 0, "bytes": 0}
            assert not list(valley.homes[0].glob("before-*"))
            assert not (valley.homes[0] / "dropped").exists()
            place = await brought(again, await saved(again))
            await again.send("DELETE", place)
            await again.post(place, 404, passphrase=WORDS)


async def test_the_household_signs_in_while_a_backup_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    unpack = restoring.unpack_checked

    def large(opened: SealedReader, place: Path, *, renewed: bool) -> unpacking.About:
        begun.set()
        assert go_on.wait(PATIENCE_S), "nobody could sign in"
        return unpack(opened, place, renewed=renewed)

    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        place = await brought(keeper, await saved(keeper))
        monkeypatch.setattr(restoring, "unpack_checked", large)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(keeper.post, f"{place}/look", passphrase=WORDS))
            await trio.to_thread.run_sync(begun.wait)
            await phone.sign_up("Mia")
            await phone.sign_in("Ada")
            go_on.set()


async def test_a_disk_that_is_full_is_said_and_keeps_nothing_of_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(opened: SealedReader, place: Path, *, renewed: bool) -> unpacking.About:
        (place / "keys").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        place = await brought(keeper, await saved(keeper))
        with monkeypatch.context() as patched:
            patched.setattr(restoring, "unpack_checked", full)
            assert (await keeper.post(place, 507, passphrase=WORDS))["text"] == DISK_FULL
        assert not (valley.homes[0] / "restoring").exists()
        assert (await keeper.post(f"{place}/look", passphrase=WORDS))["name"] == "Ada", "room was made meanwhile"


async def test_what_all_visitors_bring_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "VISITORS_MOST", 2500)
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone(0, "127.0.0.2") as mia:
        await keeper.post("/restores", size=10_000)
        await mia.post("/restores", size=1500)
        async with await valley.phone(0, "127.0.0.3") as kim:
            assert "too many" in (await kim.post("/restores", 403, size=1500))["text"].casefold()
            await kim.post("/restores", size=1000)
        await mia.post("/restores", size=1500)  # in place of the one before
        free = shutil.disk_usage(tmp_path)._replace(free=restoring.SPARE_VISITORS + 2000)
        monkeypatch.setattr(restoring.shutil, "disk_usage", lambda path: free)
        assert "too little" in (await mia.post("/restores", 403, size=1500))["text"]


async def test_room_that_was_promised_is_not_promised_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=restoring.SPARE + 2500)
    monkeypatch.setattr(restoring.shutil, "disk_usage", lambda path: free)
    async with boxes(tmp_path) as valley, await valley.phone() as phone, await valley.phone(0, "127.0.0.2") as other:
        code = (await valley.code()).code
        await phone.post("/restores", size=1000, code=code)
        await phone.post("/restores", size=1000, code=code)  # in place of the one before
        refused = await other.post("/restores", 403, size=1000, code=code)
        assert "too little" in refused["text"]
        await other.post("/restores", size=700, code=code)


async def test_a_box_in_use_is_not_given_away_for_its_code(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        code = (await valley.code()).code
        await phone.post("/restores", size=1000, code=code)
        async with client.connect(valley.homes[0] / "control.sock") as box:
            kim = contact_uri(PersonaKey(bytes([7]) * 32), "Kim")
            await box.ask(ContactAddRequest(uri=kim), ContactsReply)
            with pytest.raises(UsageError, match="No backup of a box"):
                await box.ask(BeginAnewRequest(), DoneReply)
        refused = await phone.post("/restores", 403, size=1000, code=code)
        assert "messages of its own" in refused["text"]
        await phone.post("/restores", 403, size=1000)


def test_a_power_cut_between_any_two_steps_leaves_one_home_or_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step that moves something is cut off once; whoever opens the home next goes on from there."""
    path = tmp_path / "home"
    create_home(path, "Old", MESH).close()
    with arrival.unpacking(path) as place:
        create_home(place, "New", MESH).close()
        arrival.lay(path)
    steps = len(restored(shutil.copytree(path, tmp_path / "whole"), monkeypatch, cut=1000))
    assert steps > 10
    for cut in range(steps):
        restored(shutil.copytree(path, tmp_path / str(cut)), monkeypatch, cut=cut)


def restored(path: Path, monkeypatch: pytest.MonkeyPatch, *, cut: int) -> list[str]:
    """A home that becomes another one, with the power gone after so many steps; the names that were moved."""
    moved: list[str] = []

    def moving(source: Path, target: Path) -> None:
        if len(moved) == cut:
            raise OSError("no power")
        moved.append(source.name)
        source.rename(target)

    with monkeypatch.context() as patched:
        patched.setattr(arrival.os, "replace", moving)
        with suppress(OSError):
            arrival.take_up(path)
    assert is_home(path)
    with open_home(path) as opened:
        assert opened.name == "New"
    with open_home(path / "before-restore-1") as before:
        assert before.name == "Old"
    assert not arrival.is_due(path)
    return moved


@pytest.mark.parametrize("bomb", ["sparse", "claims", "notes", "many", "short"])
def test_an_archive_that_claims_more_than_it_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    monkeypatch.setattr(unpacking, "FILES_MOST", 10)
    file, member = tmp_path / "evil.backup", tarfile.TarInfo("keys")
    with file.open("wb") as raw, SealedWriter(raw, WORDS, RealSealer(), SystemEntropy()) as sealed:
        if bomb == "sparse":
            member.type, member.size = tarfile.GNUTYPE_SPARSE, 1 << 32
        elif bomb == "notes":
            member.type, member.size = tarfile.XHDTYPE, 1 << 32
        elif bomb == "claims":
            member.size = 1 << 32
        for number in range(11 if bomb == "many" else 1):
            member.name = f"keys{number}"
            sealed.write(member.tobuf(tarfile.GNU_FORMAT)[: 100 if bomb == "short" else 512])
    with pytest.raises(UsageError, match=r"no backup holds|ends too early"):
        backup.verify(file, WORDS, RealSealer(), tmp_path)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("CREATE TRIGGER more AFTER INSERT ON fact BEGIN DELETE FROM message; END", "tables that are not ours"),
        ("PRAGMA user_version = 9999", "newer meshnode; update this one first"),
    ],
)
def test_a_store_of_somebody_elses_or_of_a_later_day_is_refused(tmp_path: Path, more: str, told: str) -> None:
    home = create_home(tmp_path / "home", "Mia", MESH)
    home.close()
    with closing(apsw.Connection(str(tmp_path / "home" / "store.db"))) as database:
        database.execute(more)
    about = backup.about_home("Mia", home.keys.persona.hex(), [], "")
    sources = [backup.Source(tmp_path / "home", "", None)]
    backup.save(tmp_path / "evil.backup", WORDS, about, sources, RealSealer(), SystemEntropy())
    with pytest.raises(UsageError, match=told):
        backup.verify(tmp_path / "evil.backup", WORDS, RealSealer(), tmp_path)


def test_what_is_not_ours_to_move_stays_and_what_was_laid_before_goes(tmp_path: Path) -> None:
    path = tmp_path / "home"
    create_home(path, "Old", MESH).close()
    (path / "lost+found").mkdir()
    for name in ("First", "Second"):
        with arrival.unpacking(path) as place:
            create_home(place, name, MESH).close()
            arrival.lay(path)
    with pytest.raises(UsageError, match="about to take the place"):
        arrival.forget(path)
    with open_home(path) as home:
        assert home.name == "Second"
    assert (path / "lost+found").exists()
    assert not (path / "dropped").exists()
