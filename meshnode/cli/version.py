"""`meshnode version`."""

from __future__ import annotations

import platform

from meshnode import __version__
from meshnode.cli import say
from meshnode.cli.options import COMMON, Common


def version(*, common: Common = COMMON) -> None:
    """Print the versions of meshnode and of what it stands on.

    Example: meshnode version --json
    """
    data = {"version": __version__, "python": platform.python_version(), "system": platform.platform()}
    say.answer(common, data, [f"meshnode {__version__}", f"Python {data['python']} on {data['system']}"])
