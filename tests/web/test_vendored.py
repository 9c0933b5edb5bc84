"""The page's libraries are those that were taken, it weighs no more than it may, and nothing in it asks elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from meshnode.web.files import PAGE

VENDOR = PAGE / "vendor"
FIRST_SCREEN, ALL = 60_000, 200_000  # bytes, compressed
LATER = re.compile(r'import\("(\.[^"]+)"\)')
AT_ONCE = re.compile(r'(?:\bfrom|^import)\s*["\'](\.[^"\']+)["\']', re.MULTILINE)


def test_vendored_files_are_those_of_the_checksums() -> None:
    listed = dict(reversed(line.split(None, 1)) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del found["SHA256SUMS"]
    assert {name.strip(): digest for name, digest in listed.items()} == found


def test_the_first_screen_and_all_of_it_stay_within_their_weight() -> None:
    first = _loaded("main.js") | {"index.html", "style.css", "icon.svg", "lang/ar.json"}
    assert sum(_weight(name) for name in first) <= FIRST_SCREEN
    code = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()}
    assert first <= code
    shipped = {name for name in code if not name.startswith("lang/") and "LICENSE" not in name} | {"lang/ar.json"}
    assert sum(_weight(name) for name in shipped) <= ALL


@pytest.mark.parametrize("path", [p for p in PAGE.rglob("*") if p.suffix in (".js", ".css", ".html")], ids=str)
def test_nothing_is_asked_of_anybody_else(path: Path) -> None:
    text = re.sub(r"^\s*(//|\*|/\*).*$", "", path.read_text(), flags=re.MULTILINE)
    assert not re.search(r"""(src|href|import|fetch|url)\s*[=(]\s*["']?(https?:)?//""", text)


def _loaded(name: str) -> set[str]:
    """A module and all it imports before it runs."""
    found, waiting = set[str](), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            folder = (PAGE / one).parent
            text = (PAGE / one).read_text()
            waiting += [(folder / to).resolve().relative_to(PAGE).as_posix() for to in AT_ONCE.findall(text)]
    return found


def _weight(name: str) -> int:
    return len(gzip.compress((PAGE / name).read_bytes(), 9))
