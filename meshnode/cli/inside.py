"""`meshnode exec`: any program on the overlay, also where that is in a namespace of the node's own."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Annotated

from cyclopts import Parameter

from meshnode.cli.ask import ask
from meshnode.cli.options import COMMON, Common
from meshnode.control import replies, requests
from meshnode.errors import OverlayError, UsageError

# A fresh interpreter enters the namespace and becomes the program: a process with threads may not enter one.
_SHIM = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for kind in ("user", "net"):
    try:
        there = os.open(f"/proc/{sys.argv[1]}/ns/{kind}", os.O_RDONLY)
    except OSError as error:
        sys.exit(f"meshnode: the namespace of the overlay may not be entered ({error.strerror}); be the node's user")
    if libc.setns(there, 0):
        why = os.strerror(ctypes.get_errno())
        sys.exit(f"meshnode: the namespace of the overlay may not be entered ({why}); be the node's user")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def exec_(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, help="The program and its words, after `--`.")],
    common: Common = COMMON,
) -> None:
    """Run a program where it sees the overlay: ping, curl or ssh to addresses in 200::/7. Its exit code is passed on.

    Example: meshnode exec -- ping -c 3 201:859e:30e3:3330:2cb9:9c0c:2e24:5388
    """
    if not command:
        raise UsageError("Say which program: meshnode exec -- ping ADDRESS")
    if shutil.which(command[0]) is None:
        raise UsageError(f"there is no program called {command[0]}")
    overlay = ask(common, requests.StatusRequest(), replies.StatusReply).overlay
    if not overlay.address:
        raise OverlayError(f"This node has no overlay ({overlay.detail or overlay.backend}); see `meshnode doctor`.")
    sys.stdout.flush()
    if overlay.holder_pid:
        shim = [sys.executable, "-I", "-S", "-c", _SHIM, str(overlay.holder_pid), *command]
        os.execv(sys.executable, shim)
    os.execvp(command[0], command)
