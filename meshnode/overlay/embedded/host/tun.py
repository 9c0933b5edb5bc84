"""Where the overlay's packets meet this host: a TUN of ours, or one inside a namespace that a helper holds for us.

With the right to make one (CAP_NET_ADMIN) the TUN is in the host and every program sees the overlay. Without it the TUN
is in a user and network namespace: the daemon gets sockets made inside, and `meshnode exec` runs programs there.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meshnode.errors import OverlayError
from meshnode.overlay.embedded.host import holder

NET_ADMIN = 12
READY_WITHIN_S = 10.0
SOCKET_WITHIN_S = 2.0
INSIDE = "ygg0"  # the interface's name in a namespace of our own
OUTSIDE = "ygg%d"


@dataclass(frozen=True, slots=True)
class Tun:
    """An open TUN. `control` and `holder_pid` are those of the helper, if there is one."""

    descriptor: int
    name: str
    control: socket.socket | None = None
    holder_pid: int = 0

    def socket(self, family: int, kind: int) -> socket.socket:
        """A socket that sees the overlay."""
        if self.control is None:
            return socket.socket(family, kind)
        try:
            self.control.send(json.dumps({"socket": [family, kind]}).encode())
            said, descriptors = _receive(self.control)
        except OSError as error:
            raise OverlayError(f"The namespace of the overlay does not answer ({error}).") from error
        if not descriptors:
            raise OverlayError(f"The namespace of the overlay gives no socket ({said.get('error', 'it ended')}).")
        return socket.socket(fileno=descriptors[0])


def may_make_tun() -> bool:
    """True with the right to make a TUN in this host."""
    capabilities = re.search(r"CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text())
    return capabilities is not None and bool(int(capabilities[1], 16) >> NET_ADMIN & 1)


@contextmanager
def open_tun(address: str, mtu: int, *, name: str = "auto", inside: bool | None = None) -> Iterator[Tun]:
    """A TUN with this address for the time of the block; OverlayError with the setting to change.

    `inside` says whether in a namespace of our own; None: where the rights suffice in the host.
    """
    if inside or (inside is None and not may_make_tun()):
        with _in_namespace(address, mtu, INSIDE if name == "auto" else name) as tun:
            yield tun
        return
    try:
        descriptor, given = holder.make_tun(OUTSIDE if name == "auto" else name, address, mtu)
    except OSError as error:
        raise OverlayError(holder.explain(error)) from error
    try:
        yield Tun(descriptor, given)
    finally:
        os.close(descriptor)


@contextmanager
def _in_namespace(address: str, mtu: int, name: str) -> Iterator[Tun]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wanted = json.dumps({"name": name, "address": address, "mtu": mtu})
    command = [sys.executable, "-S", "-E", holder.__file__, str(theirs.fileno()), wanted]
    # A session of its own: Ctrl-C is for us, and the helper ends when the socket does, however we end.
    helper = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True, stdin=subprocess.DEVNULL)
    theirs.close()
    try:
        ours.settimeout(READY_WITHIN_S)
        said, descriptors = _receive(ours)
        if not descriptors:
            raise OverlayError(str(said.get("error", "The helper that makes the overlay's namespace failed.")))
        ours.settimeout(SOCKET_WITHIN_S)
        try:
            yield Tun(descriptors[0], name, ours, helper.pid)
        finally:
            os.close(descriptors[0])
    finally:
        ours.close()
        helper.wait()


def _receive(control: socket.socket) -> tuple[dict[str, object], list[int]]:
    try:
        data, descriptors, _, _ = socket.recv_fds(control, holder.LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
    except TimeoutError as error:
        raise OverlayError("The helper that holds the overlay's namespace does not answer.") from error
    return (json.loads(data) if data else {}), descriptors
