"""The page's own files: with ranges, an ETag that is asked for again each time, and nothing outside their folder."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from meshnode.web.guard import Scope

PAGE = Path(__file__).parent / "page"


class PageFiles(StaticFiles):
    """A folder; its `index.html` is the page."""

    def __init__(self, folder: Path = PAGE) -> None:
        super().__init__(directory=folder, html=True, check_dir=False, follow_symlink=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file. A browser keeps it and asks each time whether it is still that one."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
