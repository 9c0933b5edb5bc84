"""People come in: the first keeper, profiles, guests; what each may do, and what the start of the box changes."""

from __future__ import annotations

from pathlib import Path

from support.boxes import PASSPHRASE, boxes, stands, unread, until


async def test_the_first_visitor_with_the_code_is_the_keeper(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as phone:
        assert (await phone.get(""))["set_up"] is False
        code = (await valley.code()).code
        await phone.post("/set-up", 403, code="wrong-code", passphrase=PASSPHRASE)
        me = await phone.post("/set-up", code=code, passphrase=PASSPHRASE)
        assert (me["name"], me["role"]) == ("Ada", "keeper")
        assert (await phone.get("/me")) == me
        assert (await valley.code()).code == ""
        await phone.post("/set-up", 403, code=code, passphrase=PASSPHRASE)
        await phone.sign_in("ada", "wrong words", 403)
        assert (await phone.sign_in("ada"))["role"] == "keeper"


async def test_two_members_of_one_box_write_to_each_other(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as one, await valley.phone() as two:
        await one.sign_up("Mia")
        await two.sign_up("Noa")
        for phone in (one, two):
            (other,) = (await phone.get("/nearby"))["people"]
            await phone.post("/contacts", invite=other["invite"])
        (talk,) = [c for c in (await one.get("/conversations"))["conversations"] if c["kind"] == "direct"]
        sent = await one.post(f"/conversations/{talk['id']}/messages", text="soup is ready", client_id="00" * 16)
        got = await until(lambda: unread(two))
        assert got[0]["last"]["text"] == "soup is ready"
        (message,) = (await two.get(f"/conversations/{got[0]['id']}/messages"))["messages"]
        await two.post(f"/conversations/{got[0]['id']}/read", cursor=message["cursor"])
        await until(lambda: stands(one, sent["id"], "read"))
