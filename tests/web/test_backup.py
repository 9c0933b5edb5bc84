"""Everything of a box and its profiles in one file, made while they run; a restored one loses nothing."""

from __future__ import annotations

import os
import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from meshnode.control import client
from meshnode.control.replies import BackupReply
from meshnode.control.requests import BackupRequest
from meshnode.core.sealing.primitives import RealSealer
from meshnode.daemon import backup
from meshnode.daemon.entropy import SystemEntropy
from meshnode.daemon.home import open_home
from meshnode.daemon.vault import SealedWriter
from meshnode.errors import HomeError, UsageError
from support.boxes import Boxes, boxes, stands, unread, until

WORDS = "one two three"


async def saved(valley: Boxes, box: int, file: Path) -> BackupReply:
    async with client.connect(valley.homes[box] / "control.sock") as node:
        return await node.ask(BackupRequest(path=str(file), passphrase=WORDS), BackupReply)


async def test_a_box_that_burnt_down_goes_on_from_its_backup(tmp_path: Path) -> None:
    """Also a message that nobody had confirmed, and a profile that was locked, and one that was open."""
    file = tmp_path / "bo.backup"
    async with boxes(tmp_path, "Ada", "Bo") as valley, await valley.phone(0) as far, await valley.phone(1) as near:
        await far.sign_up("Mia")
        await near.sign_up("Noa")
        await far.post("/contacts", invite=(await near.get("/contacts/mine"))["uri"])
        await near.post("/contacts", invite=(await far.get("/contacts/mine"))["uri"])
        noa, mia = (await near.get("/me"))["persona"], (await far.get("/me"))["persona"]
        first = await near.post(f"/conversations/d-{mia}/messages", text="one", client_id="01" * 16)
        await until(lambda: stands(near, first["id"], "delivered"))
        made = await saved(valley, 1, file)
        assert (made.profiles, made.path) == (1, str(file))
        assert list(valley.homes[1].glob("**/backup*")) == []
        await valley.stop(1)
        identity = (valley.homes[1] / "keys").read_bytes()
        shutil.rmtree(valley.homes[1])
        assert backup.verify(file, WORDS, RealSealer(), tmp_path).name == "Bo"
        backup.restore(file, valley.homes[1], WORDS, RealSealer())
        assert (valley.homes[1] / "keys").read_bytes() == identity
        await valley.start(1)
        assert (valley.homes[1] / "keys").read_bytes() != identity, "a new incarnation"
        async with await valley.phone(1) as again:
            assert (await again.sign_in("Noa"))["persona"] == noa
            (kept,) = (await again.get(f"/conversations/d-{mia}/messages"))["messages"]
            assert kept["text"] == "one"
            second = await far.post(f"/conversations/d-{noa}/messages", text="two", client_id="02" * 16)
            await until(lambda: stands(far, second["id"], "delivered"))
            assert (await unread(again))[0]["last"]["text"] == "two"
            third = await again.post(f"/conversations/d-{mia}/messages", text="three", client_id="03" * 16)
            await until(lambda: stands(again, third["id"], "delivered"))


async def test_locked_profiles_are_saved_and_a_running_home_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "ada.backup"
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        await phone.sign_up("Mia")
        await phone.post("/session/guest", name="Maya")
        await keeper.post("/box/members/Mia/lock")
        assert (await saved(valley, 0, file)).profiles == 2
        with pytest.raises(HomeError, match="not empty"):
            backup.restore(file, valley.homes[0], WORDS, RealSealer())
        await phone.sign_in("Mia")
        with pytest.raises(UsageError, match="is a directory"):
            await saved(valley, 0, tmp_path)
    about = backup.restore(file, tmp_path / "new", WORDS, RealSealer())
    assert len(about.homes) == 3
    with open_home(tmp_path / "new") as home:
        assert (home.name, (home.path / "keeper").exists()) == ("Ada", True)
    assert set(os.listdir(tmp_path)) == {"ada", "new", "ada.backup"}


@pytest.mark.parametrize("name", ["../keys", "/etc/keys", "profiles/../../x", "profiles/zz/keys", "a/b"])
def test_nothing_in_a_backup_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.backup"
    with file.open("wb") as raw, SealedWriter(raw, WORDS, RealSealer(), SystemEntropy()) as sealed:  # noqa: SIM117
        with tarfile.open(fileobj=sealed, mode="w|") as tar:  # type: ignore[call-overload]
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, BytesIO(b"evil"))
    with pytest.raises(UsageError, match="holds something"):
        backup.restore(file, tmp_path / "in" / "new", WORDS, RealSealer())
    assert list(tmp_path.rglob("*")) == [tmp_path / "evil.backup", tmp_path / "in"] or not (tmp_path / "keys").exists()
    assert list((tmp_path / "in").iterdir()) == []


def test_what_is_no_backup_says_so(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"noise, and more of it")
    with pytest.raises(UsageError, match="no backup"):
        backup.verify(tmp_path / "noise", WORDS, RealSealer(), tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        backup.verify(tmp_path / "missing", WORDS, RealSealer(), tmp_path)
