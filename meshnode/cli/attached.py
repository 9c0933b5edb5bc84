"""A file on the command line: where it is, what it is, and the words that go with it."""

from __future__ import annotations

from pathlib import Path

from meshnode.cli.text import given
from meshnode.control.requests import FileGiven
from meshnode.core.sealing.manifest import MAX_PREVIEW
from meshnode.errors import UsageError


def words(text: str | None, file: Path | None) -> str:
    """The text of a message; with a file none is waited for."""
    return given(text) if file is None or text is not None else ""


def file_given(file: Path | None, preview: Path | None) -> FileGiven | None:
    """What the node is told of a file; it reads the file itself."""
    if file is None:
        if preview is not None:
            raise UsageError("--preview shows a file: name that one with --file")
        return None
    from mimetypes import guess_type

    small = _small(preview) if preview is not None else b""
    return FileGiven(path=str(file.absolute()), name=file.name, media=guess_type(file.name)[0] or "", preview=small)


def _small(preview: Path) -> bytes:
    try:
        with preview.open("rb") as picture:
            data = picture.read(MAX_PREVIEW + 1)
    except OSError as error:
        raise UsageError(f"{preview} cannot be read ({error.strerror})") from error
    if len(data) > MAX_PREVIEW:
        raise UsageError(f"{preview} is too large for a preview: {MAX_PREVIEW} bytes at most")
    return data
