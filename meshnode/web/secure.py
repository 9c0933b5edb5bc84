"""The secure page beside the plain one: on when the keeper turned it on, on a port of its own, with its own authority.

What it needs lies in one file, 0600, that goes with a backup: a restored box is the one that phones trust. The plain
page stays as it is, and nobody is sent from it to here. Turned off, it says farewell for ninety days: it sends phones
that still come back to the plain page, and takes away what they keep of this one.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog
import trio
from starlette.responses import RedirectResponse, Response

from meshnode.errors import ConfigError, LinkError, StoreError, UsageError
from meshnode.web import authority
from meshnode.web.authority import Held, Subject
from meshnode.web.foreign import Foreign
from meshnode.web.guard import App, Receive, Scope, Send, permit, refuse
from meshnode.web.keeping import WORKER
from meshnode.web.routes import BASE
from meshnode.web.server import Server, listening

State = Literal["off", "on", "leaving"]
RENEWED_S: Final = 30 * 86_400.0  # a certificate is made anew so often, by the box's date

FAREWELL: Final = """addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(leave()));
async function leave() {
  await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
  await registration.unregister();
  for (const page of await clients.matchAll({ type: "window" })) page.navigate("/");
}
"""

_log = structlog.get_logger("web")


class Secure:
    """One box's. `path`: the file; `port` as configured."""

    def __init__(self, path: Path, subject: Subject, port: int, unix_now: Callable[[], float]) -> None:
        self._path = path
        self._subject = subject
        self._port = port
        self._unix_now = unix_now
        self._held: Held | None = None
        self._changed = trio.Event()
        self._tried = trio.Event()  # to listen, well or not
        self._open = False
        self._spoken: tuple[float, ssl.SSLContext] | None = None  # since when, by the box's date
        self._turning = trio.Lock()  # a switch that is tapped twice turns once

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._held is None:
            return "off"
        return "on" if self._held.authority_key else "leaving"

    @property
    def port(self) -> int:
        """Where it listens, 0 while it does not."""
        return self._port if self._open else 0

    @property
    def held(self) -> Held:
        """What is on; UsageError where nothing is."""
        if self._held is None or not self._held.authority_key:
            raise UsageError("This box has no secure page; its keeper may turn it on.")
        return self._held

    @property
    def fits(self) -> bool:
        """False when the box got another name or address since: then it has to be turned off and on."""
        return self._held is None or authority.fits(self._held, self._subject)

    async def turn_on(self) -> None:
        """With a new authority, unless there is one."""
        async with self._turning:
            if self.state != "on":
                made = await trio.to_thread.run_sync(authority.new_authority, self._subject, self._unix_now())
                await self._keep(made)
                await self._tried.wait()

    async def turn_off(self) -> None:
        """The authority's key is erased at once."""
        async with self._turning:
            if self.state == "on":
                await self._keep(authority.leaving(self.held, self._subject, self._unix_now()))

    async def run(self, app: App, home: str, foreign: Foreign) -> None:
        """Serve while it is on; `home` is the plain page's address, `foreign` who may ask from elsewhere."""
        try:
            self._held = await trio.to_thread.run_sync(_read, self._path)
        except ConfigError as error:  # the plain page goes on
            _log.warning("no secure page", reason=str(error))
        while True:
            self._changed, self._spoken = trio.Event(), None
            async with trio.open_nursery() as nursery:
                if self._held is not None:
                    nursery.start_soon(self._serve, app if self._held.authority_key else _Farewell(home, foreign))
                await self._changed.wait()
                nursery.cancel_scope.cancel()

    async def _serve(self, app: App) -> None:
        try:
            listeners = [] if self._over else listening(self._subject.addresses, self._port)
        except LinkError as error:  # the plain page goes on
            _log.warning("no secure page", reason=str(error))
            listeners = []
        if listeners:
            self._port = int(listeners[0].socket.getsockname()[1])
        self._open = bool(listeners)
        self._tried.set()
        await Server(app, self._tls).run(listeners)

    @property
    def _over(self) -> bool:
        """True when the farewell has lasted long enough."""
        held = self._held
        return held is not None and held.page != "" and authority.expires_at(held.page) < self._unix_now()

    def _tls(self) -> ssl.SSLContext:
        if self._held is None:
            raise UsageError("This box has no secure page.")
        now = self._unix_now()  # may move by years, when a box learns the date
        if self._spoken is None or abs(now - self._spoken[0]) > RENEWED_S:
            certificate = self._held.page or authority.page_certificate(self._held, self._subject, now)
            self._spoken = now, authority.context(self._held, certificate)
        return self._spoken[1]

    async def _keep(self, held: Held) -> None:
        await trio.to_thread.run_sync(_write, self._path, held)
        self._held, self._tried = held, trio.Event()
        self._changed.set()


class _Farewell:
    """What is left of a secure page that was turned off. Pages from elsewhere that might ask it hear the same."""

    def __init__(self, home: str, foreign: Foreign) -> None:
        self._home = home
        self._foreign = foreign

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Phones go back to the plain page; what they keep of this one is taken away."""
        if scope["type"] != "http":
            return
        if scope["path"].startswith(BASE):
            await self._gone(scope, send)
            return
        farewell = Response(FAREWELL, media_type="text/javascript", headers={"Cache-Control": "no-store"})
        await (farewell if scope["path"] == WORKER else RedirectResponse(self._home, 302))(scope, receive, send)

    async def _gone(self, scope: Scope, send: Send) -> None:
        """What a page is told whose box was here."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        elsewhere = self._foreign.allows(headers)
        told = [*self._foreign.answers(headers)] if elsewhere else []
        if elsewhere and "access-control-request-method" in headers:
            await permit(send, [*told, *self._foreign.permits(headers)])
            return
        text, place = f"The secure page was turned off; open {self._home} instead.", self._home.encode("latin-1")
        await refuse(send, 410, "MissingError", text, [(b"location", place), *told])


def _read(path: Path) -> Held | None:
    try:
        held = msgspec.json.decode(path.read_bytes(), type=Held)
        authority.check(held)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); turn the secure page on again.") from error
    return held


def _write(path: Path, held: Held) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(held))
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}); look at the disk.") from error
