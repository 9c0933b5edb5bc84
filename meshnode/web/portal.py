"""Manners of a hotspot without internet: phones ask known addresses whether there is any, and leave when there is none.

    new phone        its question --> our welcome: one page that says where to go on
    tapped, or used  its question --> the very answer it hopes for, so that it stays

Two phases, because a phone that hears "all is well" at once shows nobody the page, and one that never hears it leaves.
It works where the hotspot's DNS answers every name with the box, and the page is on port 80. A phone is known by its
address; who asks the interface for anything counts as having found the page.

The addresses and answers: AOSP (generate_204), Apple (hotspot-detect.html), Microsoft NCSI (connecttest.txt, ncsi.txt),
Mozilla (canonical.html, success.txt), NetworkManager (check_network_status.txt).
"""

from __future__ import annotations

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from meshnode.web.guard import Receive, Scope, Send

REMEMBERED: Final = 4096  # phones; the one welcomed longest ago is asked again

_APPLE: Final = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
_MOZILLA: Final = '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
HOPED_FOR: Final = {
    "/generate_204": (204, "text/plain", ""),
    "/gen_204": (204, "text/plain", ""),
    "/hotspot-detect.html": (200, "text/html", _APPLE),
    "/library/test/success.html": (200, "text/html", _APPLE),
    "/connecttest.txt": (200, "text/plain", "Microsoft Connect Test"),
    "/ncsi.txt": (200, "text/plain", "Microsoft NCSI"),
    "/canonical.html": (200, "text/html", _MOZILLA),
    "/success.txt": (200, "text/plain", "success\n"),
    "/check_network_status.txt": (200, "text/plain", "NetworkManager is online\n"),
}

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title></head><body>
<h1>{name}</h1>
<p>This Wi-Fi has no internet. It has messages, for everybody near.</p>
<form method="post" action="/welcome"><button>Stay on this Wi-Fi</button></form>
<p>Then open this address in your browser: <a href="{home}">{home}</a></p>
</body></html>
"""
_STAYED: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title></head><body>
<h1>{name}</h1>
<p>Your phone stays. Open this address in your browser: <a href="{home}">{home}</a></p>
</body></html>
"""


class Portal:
    """Who was welcomed, and what the others are told. `home` is the address of the page."""

    def __init__(self, name: str, home: str) -> None:
        self._name = name
        self._home = home
        self._welcomed: dict[str, None] = {}

    def welcomed(self, source: str) -> None:
        """This phone has found the page."""
        self._welcomed.pop(source, None)
        self._welcomed[source] = None
        if len(self._welcomed) > REMEMBERED:
            del self._welcomed[next(iter(self._welcomed))]

    async def elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What was asked of a host that is not ours: an ASGI application."""
        source = scope["client"][0] if scope.get("client") else ""
        hoped_for = HOPED_FOR.get(scope["path"]) if source in self._welcomed else None
        if hoped_for is not None:
            status, media, body = hoped_for
            response = Response(body or None, status, media_type=media)
        else:
            response = RedirectResponse(f"{self._home}welcome", 302)
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    async def page(self, request: Request) -> Response:
        """The welcome, and the thanks after the tap."""
        if request.method == "POST":
            self.welcomed(request.client.host if request.client else "")
        text = _STAYED if request.method == "POST" else _PAGE
        shown = text.format(name=escape(self._name), home=escape(self._home))
        return HTMLResponse(shown, headers={"Cache-Control": "no-store"})
