"""A yggdrasil of our own: started with a generated configuration, started again when it dies, stopped with us.

The configuration goes in through its standard input, so no file holds the key. The kernel kills the child when this
process dies, however that happens: a shim asks for it before it becomes yggdrasil (nothing of Python runs between fork
and exec, which threads would make unsafe). The kernel watches the *thread* that started the child, so it is
started from the main thread and not from a worker.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from meshnode.errors import OverlayError
from meshnode.overlay.system import OLDEST, version_of

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0  # between two starts
STEADY_S = 60.0  # running so long counts as a success
STOP_WITHIN_S = 0.7  # of the two seconds the daemon has to stop
ANSWER_WITHIN_S = 30  # a busy board reads a program of ten megabytes from a slow card first
LONGEST_SOCKET = 100  # the kernel takes 107 bytes of path
NET_ADMIN = 12

_log = structlog.get_logger("yggdrasil")

_SHIM = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]): os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What a child is made of. `seed` is the 32-byte secret of the overlay key; empty: a new one each start."""

    seed: bytes = field(repr=False, default=b"")
    interface: str = ""  # multicast peering happens there and nowhere else; empty: nowhere
    password: str = field(repr=False, default="")  # of multicast peering: strangers' daemons are left alone
    program: str = "yggdrasil"
    tun: str = "auto"
    listen: tuple[str, ...] = ()  # peering URIs to be dialled at
    log_level: str = "warn"


def configuration(settings: ChildSettings, socket: Path) -> dict[str, object]:
    """What the child is given."""
    multicast = {
        "Regex": f"^{re.escape(settings.interface)}$",
        "Beacon": True,
        "Listen": True,
        "Port": 0,
        "Priority": 0,
        "Password": settings.password,
    }
    made: dict[str, object] = {
        "Peers": [],
        "Listen": list(settings.listen),
        "AdminListen": f"unix://{socket}",
        "MulticastInterfaces": [multicast] if settings.interface else [],
        "IfName": settings.tun,
        "IfMTU": 1280,
        "NodeInfoPrivacy": True,
    }
    if settings.seed:
        public = Ed25519PrivateKey.from_private_bytes(settings.seed).public_key().public_bytes_raw()
        made["PrivateKey"] = (settings.seed + public).hex()
    return made


def find_program(program: str) -> str:
    """The path of the program; OverlayError where it is not installed or too old."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    found = shutil.which(program, path=places)
    if found is None:
        raise OverlayError(f"{program} is not installed; install yggdrasil 0.5.12 or newer, or use --overlay none.")
    try:
        said = subprocess.run(
            [found, "-version"], capture_output=True, text=True, timeout=ANSWER_WITHIN_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OverlayError(f"{found} cannot be run ({error}).") from error
    version = re.search(r"version: *(\S+)", said)
    if version is None or (0,) <= version_of(version[1]) < OLDEST:
        raise OverlayError(f"{found} is not yggdrasil 0.5.12 or newer ({version[1] if version else 'no version'}).")
    return found


def check_rights() -> None:
    """OverlayError where a TUN cannot be made."""
    capabilities = re.search(r"CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text())
    if capabilities is None or not int(capabilities[1], 16) >> NET_ADMIN & 1:
        raise OverlayError("A yggdrasil of our own needs the right to make a TUN (CAP_NET_ADMIN); run it as a service.")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise OverlayError("/dev/net/tun cannot be opened; load the module tun, or give this user access to it.")


@contextmanager
def socket_place(runtime: Path) -> Iterator[Path]:
    """Where the child's admin socket may be: in `runtime`, or in a directory of its own where that path is too long."""
    if len(os.fsencode(runtime)) < LONGEST_SOCKET - len("/yggdrasil.sock"):
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield runtime / "yggdrasil.sock"
    else:
        with tempfile.TemporaryDirectory(prefix="meshnode-") as directory:
            yield Path(directory, "yggdrasil.sock")


class Child:
    """The process, over and over."""

    def __init__(self, settings: ChildSettings, program: str, socket: Path) -> None:
        self._settings = settings
        self._program = program
        self._socket = socket
        self.pid: int | None = None
        self.starts = 0
        self.last_words: deque[str] = deque(maxlen=5)
        self._off: frozenset[str] = frozenset()
        self._anew = trio.Event()

    def stay_off(self, interfaces: frozenset[str]) -> None:
        """Look for neighbours there no more, or again: a process learns that only at its start."""
        before, self._off = self._configured(), interfaces
        if self._configured() != before:
            self._anew.set()

    def _configured(self) -> ChildSettings:
        off = self._settings.interface in self._off
        return replace(self._settings, interface="") if off else self._settings

    async def run(self) -> None:
        """Keep it running until cancelled."""
        wait = FIRST_WAIT_S
        while True:
            began = trio.current_time()
            status = await self._once()
            if self._anew.is_set():
                continue
            if trio.current_time() - began > STEADY_S:
                wait = FIRST_WAIT_S
            _log.warning("yggdrasil ended", status=status, last_words=list(self.last_words), again_in_s=wait)
            await trio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def _once(self) -> int:
        """One life: its exit status."""
        with suppress(FileNotFoundError):
            self._socket.unlink()
        self._anew = trio.Event()
        process = self._start()
        self.pid, self.starts = process.pid, self.starts + 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, process)
                nursery.start_soon(self._stop_for, self._anew, process)
                await _ended(process)
                nursery.cancel_scope.cancel()
        finally:
            self.pid = None
            await _stop(process)
        return process.returncode

    async def _stop_for(self, anew: trio.Event, process: subprocess.Popen[bytes]) -> None:
        await anew.wait()
        process.send_signal(signal.SIGTERM)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid())]
        process = subprocess.Popen(
            [*command, self._program, "-useconf", "-loglevel", self._settings.log_level],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: the child is stopped after the sessions over it
        )
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(json.dumps(configuration(self._configured(), self._socket)).encode())
        return process

    async def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        async with trio.lowlevel.FdStream(os.dup(process.stdout.fileno())) as stream:
            async for data in stream:
                for line in bytes(data).decode(errors="replace").splitlines():
                    self.last_words.append(line[:200])
                    _log.debug("said", line=line[:200])


async def _ended(process: subprocess.Popen[bytes]) -> None:
    descriptor = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it, gently first; it is reaped afterwards."""
    with trio.CancelScope(shield=True):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(STOP_WITHIN_S):
                await _ended(process)
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
