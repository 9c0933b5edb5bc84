"""People come in: the first keeper, profiles, guests; what each may do, and what the start of the box changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from meshnode.config import WebSection
from meshnode.control import client
from meshnode.control.replies import UriReply
from meshnode.control.requests import MeshRenewRequest
from support.boxes import PASSPHRASE, Phone, boxes, stands, unread, until

KEY = "0a" * 16  # of a guest
EARLY = WebSection(enabled=True, port=0, addresses=("127.0.0.1", "192.0.2.1"))  # of a hotspot that is not up yet
CLOSED = WebSection(enabled=True, port=0, addresses=("127.0.0.1",), sign_up=False, guests=False, profiles=1)


async def befriend(one: Phone, two: Phone) -> str:
    """Both add each other; the conversation as the first one calls it."""
    for me, other in ((one, two), (two, one)):
        await me.post("/contacts", invite=(await other.get("/contacts/mine"))["uri"])
    return "d-" + (await two.get("/me"))["persona"]


async def test_the_first_visitor_with_the_code_is_the_keeper(tmp_path: Path) -> None:
    async with boxes(tmp_path, web=EARLY) as valley, await valley.phone() as phone:
        assert (await phone.get(""))["set_up"] is False
        told = await valley.code()
        assert [urlsplit(one).hostname for one in told.addresses] == list(EARLY.addresses)
        assert told.absent == told.addresses[1:]
        code = told.code
        await phone.post("/set-up", 403, code="wrong-code", passphrase=PASSPHRASE)
        me = await phone.post("/set-up", code=code.upper().replace("-", " "), passphrase=PASSPHRASE)
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
        await one.post("/profiles", 400, name="MIA", passphrase=PASSPHRASE)
        (noa,) = (await one.get("/nearby"))["people"]
        assert (noa["name"], noa["contact"]) == ("Noa", False)
        talk = await befriend(one, two)
        sent = await one.post(f"/conversations/{talk}/messages", text="soup is ready", client_id="00" * 16)
        again = await one.post(f"/conversations/{talk}/messages", text="soup is ready", client_id="00" * 16)
        assert again["id"] == sent["id"]
        (got,) = await until(lambda: unread(two))
        (message,) = (await two.get(f"/conversations/{got['id']}/messages"))["messages"]
        assert (message["text"], message["from"], message["outgoing"]) == ("soup is ready", "Mia", False)
        await two.post(f"/conversations/{got['id']}/read", cursor=message["cursor"])
        await until(lambda: stands(one, sent["id"], "read"))
        assert await unread(two) == []


async def test_mail_for_a_locked_profile_waits_on_the_box_for_its_member(tmp_path: Path) -> None:
    async with boxes(tmp_path, "Ada", "Bo") as valley, await valley.phone(0) as far, await valley.phone(1) as near:
        await far.sign_up("Mia")
        await near.sign_up("Noa")
        talk = await befriend(far, near)
        first = await far.post(f"/conversations/{talk}/messages", text="are you there?", client_id="00" * 16)
        await until(lambda: stands(far, first["id"], "delivered"))
        await valley.stop(1)
        await valley.start(1)
        second = await far.post(f"/conversations/{talk}/messages", text="soup is ready", client_id="01" * 16)
        await until(lambda: stands(far, second["id"], "carried"))
        async with await valley.phone(1) as home_again:
            await home_again.get("/me", 401)
            await home_again.sign_in("noa")
            await until(lambda: stands(far, second["id"], "delivered"))
            (talk_there,) = await unread(home_again)
            assert talk_there["last"]["text"] == "soup is ready"
            assert talk_there["unread"] == 2


async def test_with_another_passphrase_the_other_browsers_are_signed_out(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as one, await valley.phone() as two:
        await one.sign_up("Mia")
        await two.sign_in("mia")
        await one.post("/me/passphrase", 403, passphrase="wrong words", to="words of tomorrow")
        await two.get("/me")
        me = await one.post("/me/passphrase", passphrase=PASSPHRASE, to="words of tomorrow")
        assert await one.get("/me") == me
        await two.get("/me", 401)
        await two.sign_in("Mia", PASSPHRASE, 403)
        await two.sign_in("Mia", "words of tomorrow")
        (running,) = valley.homes[0].glob("profiles/*/control.sock")
        async with client.connect(running) as connection:  # its node seals its keys once more
            await connection.ask(MeshRenewRequest(), UriReply)
        await valley.stop(0)
        await valley.start(0)
        async with await valley.phone() as later:
            await later.sign_in("Mia", PASSPHRASE, 403)
            await later.sign_in("Mia", "words of tomorrow")


async def test_the_keeper_takes_another_passphrase(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        await keeper.post("/me/passphrase", 403, passphrase="wrong words", to="words of tomorrow")
        await keeper.post("/me/passphrase", passphrase=PASSPHRASE, to="words of tomorrow")
        assert (await keeper.get("/box"))["name"] == "Ada"
        await phone.sign_in("ada", PASSPHRASE, 403)
        assert (await phone.sign_in("ada", "words of tomorrow"))["role"] == "keeper"


async def test_a_guest_writes_in_public_channels_and_nowhere_else(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.phone() as guest, await valley.keeper() as keeper:
        me = await guest.post("/session/guest", name="  Maya   Lee ", key=KEY)
        assert (me["name"], me["role"]) == ("Maya Lee", "guest")
        (square,) = (await guest.get("/conversations"))["conversations"]
        await guest.post(f"/conversations/{square['id']}/messages", text="hello", client_id="00" * 16)
        (seen,) = await until(lambda: unread(keeper))
        assert seen["last"]["text"] == "Maya Lee: hello"
        alarm = await guest.post(
            f"/conversations/{square['id']}/messages", text="fire", client_id="02" * 16, urgent=True
        )
        async with await valley.phone() as other:
            for key in ("", "07" * 16):
                await other.post("/session/guest", name="Maya Lee", key=key)
                await other.post(f"/messages/{alarm['id']}/cancel", 403)
        await guest.post("/session/guest", name="maya lee", key=KEY)  # the same one, in a new session
        await guest.post(f"/messages/{alarm['id']}/cancel")
        talk = f"/conversations/{square['id']}/messages"
        own = (await guest.get(talk))["messages"]
        assert [one["request"][:16] for one in own] == [me["id"]] * 3
        told = await until(lambda: so_many(keeper, talk, 3))  # guests write from a node of their own
        assert [(one["text"], one["urgent"], one["cancels"]) for one in told[1:]] == [
            ("Maya Lee: fire", True, ""),
            ("✖ Maya Lee: fire", True, alarm["id"]),
        ]
        await guest.post(f"/conversations/d-{'00' * 32}/messages", 403, text="hello", client_id="01" * 16)
        for path in ("/contacts", "/nearby", "/search", "/box", "/box/members"):
            await guest.get(path, 403)
        assert (await keeper.get("/box"))["name"] == "Ada"
        here = (await keeper.get("/box/guests"))["guests"]
        assert [one["name"] for one in here] == ["Maya Lee", "maya lee"], "the one who came first"
        left = await keeper.send("DELETE", f"/box/guests/{me['id']}")
        assert left["guests"] == [one for one in here if one["id"] != me["id"]]
        await guest.get("/me", 401)
        await keeper.send("DELETE", f"/box/guests/{me['id']}", 404)


async def test_a_closed_box_takes_whom_its_keeper_brings(tmp_path: Path) -> None:
    async with boxes(tmp_path, web=CLOSED) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        await phone.post("/session/guest", 403, name="Maya")
        await phone.post("/profiles", 403, name="Mia", passphrase=PASSPHRASE)
        listed = await keeper.post("/box/members", name="Mia", passphrase=PASSPHRASE)
        assert [one["name"] for one in listed["members"]] == ["Mia"]
        await keeper.post("/box/members", 403, name="Noa", passphrase=PASSPHRASE)
        await phone.sign_in("Mia")
        await phone.get("/box", 403)
        await keeper.post("/box/members/mia/lock")
        await phone.get("/me", 401)
        await phone.sign_in("Mia")
        await keeper.send("DELETE", "/box/members/Mia")
        await phone.get("/me", 401)
        await phone.sign_in("Mia", PASSPHRASE, 403)
        await keeper.send("DELETE", "/box/members/Mia", 404)


async def test_the_keeper_sees_the_box(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        assert (await keeper.get("/box"))["mesh"] == "valley"
        assert {one["name"] for one in (await keeper.get("/box/doctor"))["checks"]} >= {"home", "store"}
        assert (await keeper.get("/box/queue"))["queue"] == []
        assert (await keeper.get("/box/peers"))["overlay"] == []
        assert (await keeper.get("/box/mesh"))["uri"].startswith("mesh:m")
        metrics = (await phone.http.get("/metrics")).text
        assert 'meshnode_page{what="signed_in"} 1.0' in metrics
        assert "Ada" not in metrics


async def test_contacts_are_added_compared_renamed_blocked_and_removed(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper, await valley.phone() as phone:
        await phone.sign_up("Mia")
        mine = await phone.get("/contacts/mine")
        picture = await phone.http.get(mine["qr"])
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.text.startswith("<svg")
        assert contact(await keeper.post("/contacts", invite=mine["words"]))["name"] == "Mia"
        place = f"/contacts/{(await phone.get('/me'))['persona']}"
        words = contact(await keeper.get(f"{place}/words"))["words"]
        await phone.post("/contacts", invite=(await keeper.get("/contacts/mine"))["uri"], name="the box")
        (theirs,) = (await phone.get("/contacts"))["contacts"]
        assert contact(await phone.get(f"/contacts/{theirs['persona']}/words"))["words"] == words
        changed = contact(await keeper.send("PATCH", place, name="Mimi", verified=True, blocked=True))
        assert (changed["name"], changed["verified"], changed["blocked"]) == ("Mimi", True, True)
        await keeper.send("PATCH", place, 404)
        await keeper.send("DELETE", place)
        assert (await keeper.get("/contacts"))["contacts"] == []


async def test_channels_are_joined_searched_and_left(tmp_path: Path) -> None:
    async with boxes(tmp_path) as valley, await valley.keeper() as keeper:
        channels = (await keeper.post("/channels", name="Über/..%2f"))["channels"]
        odd = next(one for one in channels if one["name"] != "square")
        talk = f"/conversations/c-{odd['id']}/messages"
        for number in range(5):
            await keeper.post(talk, text=f"Straße {number}", client_id=f"{number:032x}", urgent=number == 3)
        page = await keeper.get(talk, limit=2)
        assert ([one["text"] for one in page["messages"]], page["more"]) == (["Straße 3", "Straße 4"], True)
        assert [one["urgent"] for one in page["messages"]] == [True, False]
        page = await keeper.get(talk, before=page["messages"][0]["cursor"], limit=2)
        assert [one["text"] for one in page["messages"]] == ["Straße 1", "Straße 2"]
        page = await keeper.get(talk, after=page["messages"][-1]["cursor"], limit=9)
        assert ([one["text"] for one in page["messages"]], page["more"]) == (["Straße 3", "Straße 4"], False)
        found = await keeper.get("/search", q="STRASSE 2")
        assert [one["text"] for one in found["messages"]] == ["Straße 2"]
        assert (await keeper.get("/search", q="e", limit=1))["more"] is True
        await keeper.send("DELETE", f"/channels/{odd['id']}")
        await keeper.post(talk, 404, text="late", client_id="ff" * 16)


def contact(listed: Any) -> Any:
    """The one contact of an answer."""
    (one,) = listed["contacts"]
    return one


async def so_many(phone: Phone, talk: str, count: int) -> list[Any]:
    """The messages of a conversation once there are so many; nothing before."""
    messages = (await phone.get(talk))["messages"]
    return messages if len(messages) >= count else []
