"""Boxes of a valley in one process: complete daemons with their pages, on a modelled air that loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import trio

from meshnode.config import Config, JournalSection, LogSection, WebSection
from meshnode.control import client
from meshnode.control.replies import CodeReply
from meshnode.control.requests import SetUpCodeRequest
from meshnode.core.chat.filing import CURSOR_FACT
from meshnode.core.effects import Persist
from meshnode.core.ids import DeviceKey, MessageId, PersonaKey, channel_id
from meshnode.core.records import FactRecord, MessageRecord, Record
from meshnode.core.sealing.mesh import closed_mesh
from meshnode.daemon.home import Home, create_home, open_home
from meshnode.daemon.main import Carriers, run_daemon
from meshnode.demo.sky import Sky
from meshnode.overlay.none import NoOverlay
from meshnode.peering.memory import MemorySessions, Switchboard

T = TypeVar("T")

API = "/api/v1"
PASSPHRASE = "correct horse"
NO_JOURNAL = JournalSection()
FIRST_POST = 1_700_000_000.0  # unix seconds
PATIENCE_S = 180.0  # a dial that fails, a round that stalls, a digest that comes late: 60 s and more on a busy machine
WEB = WebSection(enabled=True, port=0, addresses=("127.0.0.1",))


class Phone:
    """A browser without a screen: cookies, and the headers a browser sends of itself. `address` is the phone's own."""

    def __init__(self, base: str, address: str = "127.0.0.1") -> None:
        self.address = address
        ours = httpx.AsyncHTTPTransport(local_address=address)
        headers = {"Sec-Fetch-Site": "same-origin"}
        self.http = httpx.AsyncClient(base_url=base, timeout=60.0, headers=headers, transport=ours)

    async def __aenter__(self) -> Phone:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        answer = await self.http.get(API + path, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def send(self, method: str, path: str, status: int = 200, /, **body: Any) -> Any:
        answer = await self.http.request(method, API + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, status: int = 200, /, **body: Any) -> Any:
        return await self.send("POST", path, status, **body)

    async def sign_up(self, name: str) -> Any:
        return await self.post("/profiles", name=name, passphrase=PASSPHRASE)

    async def sign_in(self, name: str, passphrase: str = PASSPHRASE, status: int = 200) -> Any:
        return await self.post("/session", status, name=name, passphrase=passphrase)


class Boxes:
    """Homes below one folder, in a line."""

    def __init__(self, root: Path, names: tuple[str, ...], config: Config, nursery: trio.Nursery) -> None:
        self.homes = [root / name.lower() for name in names]
        self._names = names
        self._config = config
        self._nursery = nursery
        self._sky = Sky(len(names), 1, 0.0)
        self._board = Switchboard(self._sky.carry)
        self._lives: dict[int, tuple[trio.CancelScope, trio.Event]] = {}
        self._mesh = closed_mesh("valley", bytes(32))
        nursery.start_soon(self._sky.run)

    async def start(self, box: int) -> None:
        await self._nursery.start(self._live, box)

    async def _live(self, box: int, *, task_status: trio.TaskStatus[None]) -> None:
        over = trio.Event()
        with trio.CancelScope() as life:
            self._lives[box] = life, over
            home = await trio.to_thread.run_sync(self._opened, box)
            with home:
                await run_daemon(home, partial(self._carriers, box), task_status=task_status)
        over.set()

    def _opened(self, box: int) -> Home:
        path = self.homes[box]
        if path.exists():
            return open_home(path)
        return create_home(path, self._names[box], self._mesh, config=self._config)

    def _carriers(self, box: int, home: Home) -> Carriers:
        address = self._sky.addresses[box]
        sessions = MemorySessions(home.keys, home.mesh, home.sealer, home.entropy, address=address, board=self._board)
        return Carriers((self._sky.link(box),), sessions, NoOverlay())

    async def stop(self, box: int) -> None:
        self._sky.switch_off(box)
        life, over = self._lives.pop(box)
        life.cancel()
        await over.wait()

    async def code(self, box: int = 0) -> CodeReply:
        async with client.connect(self.homes[box] / "control.sock") as connection:
            return await connection.ask(SetUpCodeRequest(), CodeReply)

    async def phone(self, box: int = 0, address: str = "127.0.0.1") -> Phone:
        return Phone((await self.code(box)).addresses[0], address)

    async def keeper(self, box: int = 0) -> Phone:
        code = await self.code(box)
        phone = Phone(code.addresses[0])
        await phone.post("/set-up", code=code.code, passphrase=PASSPHRASE)
        return phone


def fill(path: Path, count: int) -> str:
    """So many posts in the square of a home that does not run, by somebody unknown; the conversation's id."""
    square, writer = channel_id("square"), DeviceKey(bytes([7]) * 32)
    with open_home(path) as home, closing(home.open_store()) as store:
        rows: list[Record] = [
            MessageRecord(
                id=MessageId(at.to_bytes(16, "big")), cursor=at, outgoing=False, peer=PersonaKey(writer), device=writer,
                channel=square, seq=at, text=f"post {at}: the ferry leaves at eight, bring a lamp", cls=3,
                sent_at=FIRST_POST + 60.0 * at, received_at=FIRST_POST + 60.0 * at, hops=1, missing=0, request=b"",
            )
            for at in range(1, count + 1)
        ]  # fmt: skip
        store.commit([Persist((*rows, FactRecord(CURSOR_FACT, count.to_bytes(8, "big"))))], store.now, promise=True)
    return "c-" + square.hex()


async def unread(phone: Phone) -> list[Any]:
    """The conversations with something new."""
    return [one for one in (await phone.get("/conversations"))["conversations"] if one["unread"]]


async def stands(phone: Phone, message: str, state: str) -> bool:
    """True when a message is so far."""
    return bool((await phone.get(f"/messages/{message}/why"))["state"] == state)


async def until(question: Callable[[], Awaitable[T]], patience_s: float = PATIENCE_S) -> T:
    """The first answer that is true, or something."""
    with trio.fail_after(patience_s):
        while not (answer := await question()):  # noqa: ASYNC110 - nothing says when a page would show something else
            await trio.sleep(0.02)
    return answer


@asynccontextmanager
async def boxes(
    root: Path, *names: str, web: WebSection = WEB, journal: JournalSection = NO_JOURNAL
) -> AsyncIterator[Boxes]:
    """Running boxes, all ready."""
    config = Config(web=web, journal=journal, log=LogSection(level="error"))
    async with trio.open_nursery() as nursery:
        made = Boxes(root, names or ("Ada",), config, nursery)
        for box in range(len(made.homes)):
            await made.start(box)
        yield made
        nursery.cancel_scope.cancel()
