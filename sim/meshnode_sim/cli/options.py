"""Options and answers that several commands share."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from meshnode.errors import UsageError

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON alone.", show_default=False)]
Changes = Annotated[
    tuple[str, ...],
    Parameter(name="--set", negative="", help="KEY=VALUE, a change to the scenario: radio.loss=0.2."),
]
Until = Annotated[str | None, Parameter(help="Virtual time to run: 90, 30m, 12h, 7d.")]

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_ns(text: str) -> int:
    """90, 90s, 30m, 1.5h or 7d as nanoseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{text} is no duration: write 90, 30m, 12h or 7d")
    return round(float(found[1]) * _UNITS[found[2]] * 1_000_000_000)


class Ticker:
    """Shows how far a run is, twice a second, on a terminal."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()

    def __call__(self, share: float, simulated_s: float) -> None:
        now = time.monotonic()
        if share < 1 and now - self._shown < 0.5:
            return
        self._shown = now
        left = (now - self._began) * (1 - share) / share
        line = f"{share:4.0%}  {simulated_s:10.0f} s simulated  {left:5.0f} s left"
        print("\r" + (line if share < 1 else " " * len(line) + "\r"), end="", file=sys.stderr, flush=True)


def progress() -> Ticker | None:
    """Progress for a person who looks on; None into a pipe."""
    return Ticker() if sys.stderr.isatty() else None


def write(path: Path, text: str) -> None:
    """A whole file; UsageError says why it cannot be."""
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): give another name") from error


def writable(path: Path) -> None:
    """Said before a long run instead of after it."""
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.absolute().parent}")
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder, so name a file in it")
