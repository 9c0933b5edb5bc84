"""Finds the files of `hardware/`: in an installed wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from meshnode.errors import UsageError

_INSTALLED = Path(__file__).parent / "_hardware"
_CHECKOUT = Path(__file__).parents[1] / "hardware"


def hardware() -> Path:
    """The directory with `boards/`, `regions/` and the rest."""
    for place in (_INSTALLED, _CHECKOUT):
        if place.is_dir():
            return place
    raise UsageError("this installation has no hardware directory; install meshnode again")


def files(kind: str) -> list[Path]:
    """The TOML files of one kind ("boards", "regions", ...), in order of name."""
    return sorted((hardware() / kind).glob("*.toml"))
