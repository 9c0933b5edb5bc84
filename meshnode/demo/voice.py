"""The narrator: what happens, who does it, and when, on one line each."""

from __future__ import annotations

import os
import sys
import time


class Voice:
    """Speaks to a terminal, or not at all."""

    def __init__(self, names: tuple[str, ...], *, silent: bool) -> None:
        self._width = max(map(len, names))
        self._silent = silent
        self._bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._began = time.monotonic()

    def say(self, who: str, what: str) -> None:
        """One line of the story."""
        if not self._silent:
            name = f"{who:<{self._width}}"
            print(f"{self.elapsed():7.3f} s  {self._strong(name)}  {what}", flush=True)

    def note(self, text: str = "") -> None:
        """A line beside the story."""
        if not self._silent:
            print(text, flush=True)

    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    def _strong(self, text: str) -> str:
        return f"\033[1m{text}\033[0m" if self._bold else text
