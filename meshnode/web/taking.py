"""The page to take along: one zip, with one file in it that runs from a disk or any host, against a box of choice.

A browser loads no module from a file, so all of them stand in the page itself: an import map gives each its text as a
`data:` address, and each imports the others by the names they have in it. Words and icon stand in it as well. The same
page gives the same zip, byte for byte.
"""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import trio
from starlette.responses import Response

from meshnode.web.box import Box
from meshnode.web.files import PAGE
from meshnode.web.routes import Asked, Route

ZIP: Final = "application/zip"
NAME: Final = "meshnode-page"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold
ICON: Final = "icon.svg"
_IMPORT: Final = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)(["'])(\.{1,2}/[^"']+\.js)\2""")
_PLAIN: Final = "!&()*+,-./:;=?@[]^_{|}~"  # of a text: what a data: address in a script may hold as it is


class Taking:
    """Hands it out."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def routes(self) -> Iterator[Route]:
        """Its row."""
        yield Route("GET", "/page.zip", "member", "The page itself, to run from elsewhere.", self.take, None, media=ZIP)

    async def take(self, asked: Asked) -> Response:
        """The zip."""
        self._box.patience.take(f"page {asked.who.persona}")
        packed = await trio.to_thread.run_sync(page_zip)
        told = {"Content-Disposition": f"attachment; filename={NAME}.zip", "Cache-Control": "no-store"}
        return Response(packed, media_type=ZIP, headers=told)


README: Final = """meshnode: the page of a box, to take along.

Unpack this, open index.html in a browser, and type the address of your box.
Any web server may serve it as well; nothing in it asks anybody but that box.

The keeper of the box has to allow it first, in its config.toml:

    [web]
    origins = ["file"]                     for a page that is opened from a disk
    origins = ["https://chat.example.org"] for one that is served there
"""


def page_zip(folder: Path = PAGE) -> bytes:
    """All of it; the licences of what others wrote go along."""
    licences = {f"licences/{path.name}": path.read_bytes() for path in (folder / "vendor").glob("*.LICENSE")}
    files = {"index.html": whole_page(folder).encode(), "README.txt": README.encode(), **licences}
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = ZipInfo(f"{NAME}/{name}", EPOCH)
            entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def whole_page(folder: Path = PAGE) -> str:
    """The page as one document. Only what stands in it may run, which its policy says by hashes."""
    modules = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.js"))}
    icon = _data("image/svg+xml", (folder / ICON).read_text())
    imports = {name: _data("text/javascript", _renamed(text, name, icon)) for name, text in modules.items()}
    scripts = (json.dumps({"imports": imports}), 'import "main.js";')
    style = (folder / "style.css").read_text()
    policy = (
        f"default-src 'none'; script-src data: {' '.join(map(_hash, scripts))}; style-src {_hash(style)};"
        " img-src http: https: blob: data:; media-src http: https: blob:; connect-src http: https:;"
        " base-uri 'none'; form-action 'none'"
    )
    return _DOCUMENT.format(
        policy=escape(policy), icon=escape(icon), style=style, words=_words(folder), map=scripts[0], start=scripts[1]
    )


_DOCUMENT: Final = """<!doctype html>
<html lang="en" data-taken>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>meshnode</title>
<link rel="icon" href="{icon}">
<style>{style}</style>
{words}
<script type="importmap">{map}</script>
<script type="module">{start}</script>
</head>
<body><div id="page"><p class="wait">meshnode</p></div></body>
</html>
"""


def _renamed(text: str, name: str, icon: str) -> str:
    """A module that imports the others by their names in the map."""

    def renamed(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{_joined(PurePosixPath(name).parent, found[3])}{found[2]}"

    return _IMPORT.sub(renamed, text).replace(f'src="{ICON}"', f'src="{icon}"')


def _joined(folder: PurePosixPath, path: str) -> str:
    parts = list(folder.parts)
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _words(folder: Path) -> str:
    """The catalogues as blocks of data, in which no text can end the block."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted((folder / "lang").glob("*.json"))}
    told = {code: json.dumps(words, ensure_ascii=False).replace("<", "\\u003c") for code, words in found.items()}
    return "\n".join(
        f'<script type="application/json" id="words-{code}">{text}</script>' for code, text in told.items()
    )


def _data(media: str, text: str) -> str:
    return f"data:{media};charset=utf-8,{quote(text, safe=_PLAIN)}"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
