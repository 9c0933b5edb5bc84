"""The page's own files: with ranges, an ETag that is asked for again each time, and nothing outside their folder."""

from __future__ import annotations

from pathlib import Path

from starlette.staticfiles import StaticFiles

from meshnode.web.guard import Message, Receive, Scope, Send

PAGE = Path(__file__).parent / "page"


class PageFiles:
    """A folder as an ASGI application; its `index.html` is the page."""

    def __init__(self, folder: Path = PAGE) -> None:
        self._files = StaticFiles(directory=folder, html=True, check_dir=False, follow_symlink=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One file. A browser keeps it and asks each time whether it is still that one."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"cache-control", b"no-cache")]
            await send(message)

        await self._files(scope, receive, dated)
