"""The lab's side of a holder: one node's namespace, its TAP, and the programs that run inside (see holder.py)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from meshnode.errors import LinkError

HOLDER = Path(__file__).with_name("holder.py")
LARGEST = 1 << 18
STOP_S = 5.0  # a program that does not end by itself in that time is killed

Message = dict[str, Any]


@dataclass(slots=True)
class Child:
    """A program inside a namespace."""

    pid: int
    ended: trio.Event = field(default_factory=trio.Event)
    status: int | None = None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal, if the program still runs; that it ended a moment ago may not be known here yet."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """The exit status, when it has ended (negative: the signal that ended it)."""
        await self.ended.wait()
        return -1 if self.status is None else self.status

    async def stop(self) -> int:
        """Asks it to end, and kills it when it does not."""
        self.kill(signal.SIGTERM)
        with trio.move_on_after(STOP_S):
            await self.ended.wait()
        self.kill()
        return await self.wait()


class Namespace:
    """A user and network namespace with one TAP interface."""

    def __init__(self, name: str, control: socket.socket, tap: int) -> None:
        self.name = name
        self.tap = tap
        self._control = control
        self._asking = trio.Lock()
        self._replies, self._answers = trio.open_memory_channel[Message](16)
        self._tap_fds: list[int] = []
        self.tap_back = trio.Event()  # set while there is a TAP
        self.tap_back.set()
        self._children: dict[int, Child] = {}
        self._ended_early: dict[int, int] = {}

    async def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: int, stdout: int, stderr: int
    ) -> Child:
        """Starts a program inside."""
        request = {"do": "spawn", "argv": list(argv), "env": dict(env), "cwd": str(cwd)}
        pid = (await self._ask(request, [stdin, stdout, stderr]))["spawned"]
        child = self._children[pid] = Child(pid)
        if pid in self._ended_early:
            self._end(pid, self._ended_early.pop(pid))
        return child

    async def set_up(self, *, up: bool) -> None:
        """Switches the interface on or off."""
        await self._ask({"do": "link", "up": up})

    async def replace_tap(self) -> None:
        """Makes the interface again after `drop_tap`."""
        await self._ask({"do": "tap"})
        self.tap = self._tap_fds.pop()
        self.tap_back.set()

    def drop_tap(self) -> None:
        """Makes the interface vanish, as a radio on a loose plug does."""
        self.tap_back = trio.Event()
        trio.lowlevel.notify_closing(self.tap)
        os.close(self.tap)
        self.tap = -1

    async def add_address(self, address: str, prefix: int = 128) -> None:
        """One more IPv6 address on the interface."""
        await self._ask({"do": "address", "address": address, "prefix": prefix})

    async def add_route(self, to: str, via: str) -> None:
        """A static route to one address; `via` is a neighbour's."""
        await self._ask({"do": "route", "to": to, "via": via})

    async def sysctl(self, key: str, value: str) -> None:
        """Sets a kernel parameter of the namespace."""
        await self._ask({"do": "sysctl", "key": key, "value": value})

    async def _ask(self, request: Message, fds: Sequence[int] = ()) -> Message:
        async with self._asking:
            socket.send_fds(self._control, [json.dumps(request).encode()], list(fds))
            try:
                answer = await self._answers.receive()
            except trio.EndOfChannel as error:
                raise LinkError(f"node {self.name}: its namespace has ended") from error
        if "error" in answer:
            raise LinkError(f"node {self.name}: {answer['error']}")
        return answer

    async def _listen(self) -> None:
        """Sorts what the holder says into answers and ends."""
        while True:
            message, fds = await _receive(self._control)
            self._tap_fds += fds
            if "exited" in message:
                self._end(message["exited"], message["status"])
            elif message:
                self._replies.send_nowait(message)
            else:
                self._abandon()
                return

    def _end(self, pid: int, status: int) -> None:
        child = self._children.pop(pid, None)
        if child is None:
            self._ended_early[pid] = status  # ended before the answer to `spawn` was read, or an adopted orphan
            return
        child.status = status
        child.ended.set()

    def _abandon(self) -> None:
        self._replies.close()
        for child in self._children.values():
            child.ended.set()


@asynccontextmanager
async def open_namespace(
    nursery: trio.Nursery, name: str, *, interface: str, mac: bytes, mtu: int
) -> AsyncIterator[Namespace]:
    """A namespace for the time of the block; all that ran in it is dead afterwards."""
    settings = {"name": name, "interface": interface, "mac": mac.hex(), "mtu": mtu}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # -S -E: only the standard library, so that fifty of these start fast. A session of its own, so that Ctrl-C
    # reaches the lab alone; the holder ends when the socket does.
    command = [sys.executable, "-S", "-E", str(HOLDER), str(theirs.fileno()), json.dumps(settings)]
    holder = subprocess.Popen(  # noqa: ASYNC220 (it must be there when this returns)
        command, pass_fds=[theirs.fileno()], start_new_session=True
    )
    theirs.close()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
    try:
        namespace = await _greet(name, ours)
        nursery.start_soon(namespace._listen)
        try:
            yield namespace
        finally:
            if namespace.tap >= 0:
                namespace.drop_tap()
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        await _reap(holder)
        ours.close()


async def _greet(name: str, control: socket.socket) -> Namespace:
    greeting, fds = await _receive(control)
    if "ready" not in greeting:
        raise LinkError(f"node {name}: {greeting.get('error', 'its namespace could not be made')}")
    return Namespace(name, control, fds[0])


async def _receive(control: socket.socket) -> tuple[Message, list[int]]:
    """One message; an empty one when the holder is gone."""
    while True:
        await trio.lowlevel.wait_readable(control)
        try:
            data, fds, _, _ = socket.recv_fds(control, LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            return {}, []
        return (json.loads(data) if data else {}), fds


async def _reap(holder: subprocess.Popen[bytes]) -> None:
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(holder.wait)
