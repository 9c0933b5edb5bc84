"""Network namespaces for tests: made, wired, entered, and gone afterwards, also when the test fails.

Needs root and iproute2. Names begin with `mnt-` and the process number, so that runs beside each other do not meet.
"""

import ctypes
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from trio._core import _thread_cache  # there is no public way to it

CLONE_NEWNET = 0x40000000

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*words: str) -> str:
    """Run `ip`; what it prints. Fails with its own words."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=100)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}; these tests need root and iproute2")
    return done.stdout


@contextmanager
def namespace(hint: str = "ns") -> Iterator[str]:
    """A network namespace with its loopback up, for the time of the block; processes left in it are killed."""
    name = f"mnt-{os.getpid()}-{next(_numbers)}-{hint}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        kill_all_in(name)
        ip("netns", "delete", name)


def kill_all_in(name: str) -> None:
    """SIGKILL for every process in the namespace but this one."""
    for pid in ip("netns", "pids", name).split():
        if int(pid) != os.getpid():
            kill(int(pid))


def kill(pid: int, how: int = signal.SIGKILL) -> None:
    """Signal one process by number; one that is gone is fine."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def veth(first: tuple[str, str], second: tuple[str, str], *, up: bool = True) -> None:
    """A wire between two (namespace, interface) ends; no duplicate detection, so that addresses work at once."""
    ip("-n", first[0], "link", "add", first[1], "type", "veth", "peer", "name", second[1], "netns", second[0])
    for name, interface in (first, second):
        set_sysctl(name, f"net/ipv6/conf/{interface}/accept_dad", "0")
        if up:
            ip("-n", name, "link", "set", interface, "up")


def set_sysctl(name: str, path: str, value: str) -> None:
    """Write under /proc/sys as seen inside the namespace."""
    with entered(name):
        Path("/proc/sys", path).write_text(value)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Run the block in the namespace: sockets opened in it stay there. Of this thread, which should be the main one.

    A thread keeps the namespace it was made in, and trio keeps idle threads for the next who asks, also beyond the end
    of a test: those made inside are for the block alone, those made before are not for it.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    inside = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(inside)
        try:
            with patch.object(_thread_cache, "THREAD_CACHE", _thread_cache.ThreadCache()):
                yield
        finally:
            _setns(before)
    finally:
        os.close(inside)
        os.close(before)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}; these tests need root")


def start(name: str, command: Sequence[str], **more: object) -> "subprocess.Popen[bytes]":
    """A process inside the namespace; the caller ends it, or `namespace` does."""
    return subprocess.Popen(["ip", "netns", "exec", name, *command], **more)  # type: ignore[call-overload]


def link_local(name: str, interface: str) -> str:
    """The link-local address of an interface."""
    for line in ip("-n", name, "-6", "-o", "address", "show", "dev", interface, "scope", "link").splitlines():
        return line.split()[3].split("/")[0]
    raise RuntimeError(f"{interface} has no link-local address")
