"""Running command lines in this process, as the installed program would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshnode.cli import app


@dataclass(frozen=True)
class Ran:
    """What came of a command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON object."""
        return msgspec.json.decode(self.out)


class Commands:
    """`meshnode` with one home."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capture = capture

    def __call__(self, *words: str) -> Ran:
        """Run one command at this home."""
        return self.bare(*words, "--home", str(self.home))

    def bare(self, *words: str) -> Ran:
        """Run one command line as it is."""
        self._capture.readouterr()
        code = app.run(words)
        out, err = self._capture.readouterr()
        return Ran(code, out, err)
