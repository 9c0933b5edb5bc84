"""Hostile clients: refused or bounded, and the box goes on answering everybody else."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
import trio

from meshnode.web import answering, authority, server, service
from meshnode.web.logins import Patience
from meshnode.web.places import EACH
from support.boxes import API, WEB, Boxes, Phone, boxes, until

HEAD = b"GET /api/v1 HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/session/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
UPGRADE = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
MALFORMED = {
    "nothing": b"",
    "noise": bytes(range(256)) * 8,
    "tls": bytes.fromhex("160301020001000001fc0303") + bytes(500),
    "half a line": b"GET /api",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": HEAD + b"Host: else\r\n\r\n",
    "http 9": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64),
    "h2c upgrade": HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: !!!!\r\n\r\n",
    "a websocket": UPGRADE + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "a bad websocket": UPGRADE + b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: short\r\n\r\n",
    "huge header": HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(5_000)) + b"\r\n",
    "a name with a zero": HEAD + b"X\0Y: a\r\n\r\n",
    "folded header": HEAD + b"X: a\r\n b\r\n\r\n",
    "bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "chunk too long": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a body cut short": POST + b"Content-Length: 500\r\n\r\n{",
    "a target that is none": b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a host that is none": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "pipelined": (HEAD + b"\r\n") * 50,
}


@pytest.fixture
async def valley(tmp_path: Path) -> AsyncIterator[Boxes]:
    async with boxes(tmp_path) as running:
        yield running


@pytest.fixture
async def phone(valley: Boxes) -> AsyncIterator[Phone]:
    async with await valley.phone() as one:
        yield one


def place(phone: Phone) -> tuple[str, int]:
    found = urlsplit(str(phone.http.base_url))
    return found.hostname or "", found.port or 0


async def dialled(phone: Phone) -> trio.SocketStream:
    return await trio.open_tcp_stream(*place(phone))


async def until_closed(stream: trio.abc.ReceiveStream) -> bytes:
    """All it says until it hangs up."""
    said = b""
    try:
        while data := await stream.receive_some(65_536):
            said += data
    except trio.BrokenResourceError:
        pass
    return said


async def test_what_is_no_http_harms_nobody(phone: Phone) -> None:
    for name, sent in MALFORMED.items():
        for reset in (False, True):
            stream = await dialled(phone)
            try:
                await stream.send_all(sent)
                if not reset:
                    await stream.send_eof()
                    with trio.fail_after(60):
                        said = await until_closed(stream)
                    assert b" 500 " not in said.partition(b"\r\n")[0], name
            except trio.BrokenResourceError:
                pass  # it hung up before it had heard all
            if reset:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.aclose()
        assert (await phone.get(""))["name"] == "Ada", name


async def test_pages_of_others_can_make_a_browser_change_nothing(phone: Phone) -> None:
    body = {"name": "Maya"}
    base = str(phone.http.base_url).rstrip("/")
    for headers, status in (
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": base + "1"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({"Origin": base, "Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ):
        async with httpx.AsyncClient(base_url=base, timeout=60.0) as browser:
            answer = await browser.post(API + "/session/guest", json=body, headers=headers)
        assert answer.status_code == status, headers
        assert "access-control-allow-origin" not in answer.headers


async def test_a_name_of_somebody_else_that_leads_here_shows_nothing(phone: Phone) -> None:
    answer = await phone.http.get(API, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["location"].endswith("/welcome")) == (302, True)
    for host in ("mesh.home.arpa", "localhost:1", "10.43.0.1", "[::1]:8080"):
        assert (await phone.http.get(API, headers={"Host": host})).status_code == 200


async def test_every_answer_is_strict(phone: Phone) -> None:
    for path in ("/", "/nothing", API, API + "/me", "/welcome"):
        headers = (await phone.http.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


async def test_no_path_leads_out_of_the_page(phone: Phone) -> None:
    stream_paths = [
        b"/../service.py", b"/..%2fservice.py", b"/%2e%2e/service.py", b"/....//service.py", b"//etc/passwd",
        b"/page/../../app.py", b"/..%5cservice.py", b"/index.html%00.txt", b"/%2e%2e%2f%2e%2e%2fetc/passwd",
    ]  # fmt: skip
    for path in stream_paths:
        stream = await dialled(phone)
        await stream.send_all(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = await until_closed(stream)
        await stream.aclose()
        assert said.startswith(b"HTTP/1.1 404 "), path
        assert b"import" not in said
        assert b"root:" not in said


async def test_files_have_ranges_and_are_asked_for_again(phone: Phone) -> None:
    whole = await phone.http.get("/")
    part = await phone.http.get("/index.html", headers={"Range": "bytes=2-8"})
    assert (part.status_code, part.text) == (206, whole.text[2:9])
    same = await phone.http.get("/index.html", headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, whole.headers["cache-control"]) == (304, "no-cache")


async def test_a_token_set_by_somebody_else_is_worth_nothing(phone: Phone) -> None:
    name = "meshnode-"
    planted = {}
    answer = await phone.http.post(API + "/session/guest", json={"name": "Maya"})
    (cookie,) = answer.headers.get_list("set-cookie")
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word.lower() in cookie.lower()
    name = cookie.partition("=")[0]
    planted = {name: "fixed-by-the-attacker"}
    async with httpx.AsyncClient(base_url=phone.http.base_url, cookies=planted, timeout=60.0) as victim:
        assert (await victim.get(API + "/me")).status_code == 401
        fresh = await victim.post(API + "/session/guest", json={"name": "Noa"})
        assert "fixed-by-the-attacker" not in fresh.headers["set-cookie"]
    async with httpx.AsyncClient(base_url=phone.http.base_url, cookies=planted, timeout=60.0) as attacker:
        assert (await attacker.get(API + "/me")).status_code == 401
    before = dict(phone.http.cookies)
    await phone.send("DELETE", "/session")
    async with httpx.AsyncClient(base_url=phone.http.base_url, cookies=before, timeout=60.0) as thief:
        assert (await thief.get(API + "/me")).status_code == 401


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who tries too often, so that a slow machine does not earn it more tries."""
    monkeypatch.setattr(service, "Patience", lambda clock: Patience(lambda: 0.0))


@pytest.mark.usefixtures("no_time_passes")
async def test_passphrases_and_codes_are_not_guessed_at_leisure(valley: Boxes, phone: Phone) -> None:
    answers = [await phone.http.post(API + "/session", json={"name": "ada", "passphrase": str(n)}) for n in range(7)]
    assert [answer.status_code for answer in answers] == [403] * 7
    assert "Too many" not in answers[4].text
    assert "Too many" in answers[6].text
    codes = [await phone.http.post(API + "/set-up", json={"code": str(n), "passphrase": "12345678"}) for n in range(7)]
    assert "Too many" in codes[6].text
    code = (await valley.code()).code
    await phone.post("/set-up", 403, code=code, passphrase="12345678")


@pytest.mark.usefixtures("no_time_passes")
async def test_many_places_guess_no_faster_than_one(phone: Phone) -> None:
    said = []
    for number in range(2, 9):
        way = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{number}")
        async with httpx.AsyncClient(base_url=phone.http.base_url, transport=way, timeout=60.0) as one:
            answer = await one.post(API + "/session", json={"name": "Ada", "passphrase": str(number)})
            said.append(answer.json()["text"])
    assert "Too many" not in said[0]
    assert "Too many" in said[-1]


async def test_bodies_are_bounded(phone: Phone) -> None:
    await phone.post("/session/guest", name="Maya")
    (square,) = (await phone.get("/channels"))["channels"]
    talk = f"/conversations/c-{square['id']}/messages"
    for content in (
        b"{" * 300_000,
        b"[" * 100_000,
        b'{"text":"' + b"a" * 300_000 + b'"}',
        b'{"text":"hi","client_id":"' + b"0" * 32 + b'","more":1}',
        b'{"text":"\xff","client_id":"' + b"0" * 32 + b'"}',
        b'{"text":"hi","client_id":"../../etc"}',
        b"null",
        b"",
    ):
        answer = await phone.http.post(API + talk, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, content[:40]
    await phone.post(talk, 400, text="a" * 20_000, client_id="00" * 16)
    await phone.get(talk.replace("c-", "x-"), 403)
    await phone.get(talk, 400, limit="many")
    await phone.get("/messages/zz/why", 400)


async def answers(phone: Phone) -> bool:
    """False where this one was held for a dawdler, too, as may happen on a busy machine."""
    try:
        return bool((await phone.get(""))["name"] == "Ada")
    except httpx.TransportError:
        return False


async def test_who_dawdles_is_let_go(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_S", 0.5)
    monkeypatch.setattr(answering, "BODY_WITHIN_S", 0.5)
    slow = [await dialled(phone) for _ in range(20)]

    async def trickle(stream: trio.SocketStream, begun: bytes) -> None:
        try:
            await stream.send_all(begun)
            for sign in b"a" * 1000:
                await stream.send_all(bytes([sign]))
                await trio.sleep(0.05)
        except trio.BrokenResourceError:
            return
        raise AssertionError("it was never let go")

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for number, stream in enumerate(slow):
                begun = HEAD + b"X: " if number % 2 else POST + b"Content-Length: 5000\r\n\r\n{"
                nursery.start_soon(trickle, stream, begun)
            await until(lambda: answers(phone))
    for stream in slow:
        await stream.aclose()


async def until_said(stream: trio.SocketStream, words: bytes) -> None:
    said = b""
    with trio.fail_after(60):
        while words not in said:
            data = await stream.receive_some(65_536)
            assert data, said
            said += data


async def test_connections_and_streams_are_counted(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_EACH", 40)
    monkeypatch.setattr(server, "HEAD_S", 600.0)  # nobody is let go for dawdling: they are counted
    await phone.post("/session/guest", name="Maya")
    cookie = "; ".join(f"{name}={value}" for name, value in phone.http.cookies.items())
    ask = f"GET {API}/events HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    streams = [await dialled(phone) for _ in range(36)]
    for stream in streams:
        await stream.send_all(ask)
        await until_said(stream, b"event: ready")
    for stream in streams[: -EACH["guest"]]:  # each gave its place to a newer one
        await until_said(stream, b"event: replaced")
    metrics = (await phone.http.get("/metrics")).text
    assert f'meshnode_page{{what="streams"}} {EACH["guest"]:.1f}' in metrics
    more = [await dialled(phone) for _ in range(10)]
    with trio.fail_after(60):
        assert await until_closed(more[-1]) == b""
    assert (await phone.get("/me"))["name"] == "Maya"
    for stream in (*streams, *more):
        await stream.aclose()
    async with Phone(str(phone.http.base_url)) as another:
        assert (await another.get(""))["name"] == "Ada"


async def test_who_holds_most_connections_gives_way_when_all_are_taken(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 12)
    monkeypatch.setattr(server, "HEAD_S", 600.0)
    async with AsyncExitStack() as held:
        for _ in range(12):
            await held.enter_async_context(await trio.open_tcp_stream(*place(phone), local_address="127.0.1.1"))
        for number in range(2, 7):
            other = await held.enter_async_context(Phone(str(phone.http.base_url), f"127.0.1.{number}"))
            assert (await other.get(""))["name"] == "Ada"


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Phone, int, ssl.SSLContext]]:
    """A phone on the plain page, and what it takes to speak to the secure one."""
    web = msgspec.structs.replace(WEB, secure_port=0)
    async with boxes(tmp_path, web=web) as valley, await valley.keeper() as keeper:
        port = (await keeper.post("/box/secure"))["port"]
        installed = (await keeper.http.get(API + "/secure/authority.crt")).content
        yield keeper, port, ssl.create_default_context(cadata=installed)


def secure_phone(port: int, trusting: ssl.SSLContext) -> Phone:
    phone = Phone(f"https://127.0.0.1:{port}")
    phone.http = httpx.AsyncClient(base_url=phone.http.base_url, verify=trusting, timeout=60.0)
    return phone


async def test_what_is_no_http_harms_nobody_over_tls_either(secured: tuple[Phone, int, ssl.SSLContext]) -> None:
    phone, port, trusting = secured
    for name, sent in MALFORMED.items():
        stream = await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=trusting, https_compatible=True)
        try:
            await stream.send_all(sent)
            await stream.transport_stream.send_eof()
            with trio.fail_after(60):
                said = await until_closed(stream)
            assert b" 500 " not in said.partition(b"\r\n")[0], name
        except trio.BrokenResourceError:
            pass  # it hung up before it had heard all
        await trio.aclose_forcefully(stream)
        assert (await phone.get(""))["name"] == "Ada", name


async def test_a_handshake_that_does_not_end_is_ended(
    secured: tuple[Phone, int, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, port, trusting = secured
    client, server_end = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting.wrap_bio(client, server_end, server_hostname="127.0.0.1").do_handshake()
    hello = server_end.read()
    oversize = b"\x16\x03\x01\xff\xff" + bytes(70_000)  # longer than a record may be
    beginnings = (b"", hello[:1], hello[: len(hello) // 2], hello, hello + hello, oversize)
    with monkeypatch.context() as hasty, trio.fail_after(60):
        hasty.setattr(server, "HEAD_S", 0.5)
        hasty.setattr(server, "CONNECTIONS_EACH", 40)
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(60)]
        for number, stream in enumerate(streams):
            with suppress(trio.BrokenResourceError):
                await stream.send_all(beginnings[number % len(beginnings)])
        for stream in streams:
            await until_closed(stream)
            await stream.aclose()
    await until(lambda: answers(phone))
    async with secure_phone(port, trusting) as safe:
        await until(lambda: answers(safe))


async def test_the_box_goes_on_where_tls_cannot_be_spoken(
    secured: tuple[Phone, int, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, port, trusting = secured

    def none_left(*given: object) -> ssl.SSLContext:
        raise OSError("Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(authority, "context", none_left)
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        assert await until_closed(stream) == b""
        await stream.aclose()
        assert (await phone.get(""))["name"] == "Ada"
    async with secure_phone(port, trusting) as safe:
        assert (await safe.get(""))["name"] == "Ada"
