"""One node of a lab: its home, its daemon or program, and the commands one can give it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from meshnode.errors import MeshnodeError
from meshnode_sim.namespace import Child, Namespace
from meshnode_sim.scenario import NodeTable

READY_S = 180.0  # a daemon with an overlay, on a busy machine
COMMAND_S = 330.0  # one that waits for a receipt may do so for five minutes
RADIO_STATE = "MESHNODE_RADIO_STATE"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The answer of a command given with `--json`."""
        return json.loads(self.stdout)


@dataclass(slots=True)
class Running:
    """A program with its standard input and output in our hands; iterate over it for the lines it prints."""

    child: Child
    stdin: trio.lowlevel.FdStream
    stdout: trio.lowlevel.FdStream
    _rest: bytes = b""

    async def say(self, line: str) -> None:
        """Writes one line to it."""
        await self.stdin.send_all(line.encode() + b"\n")

    def __aiter__(self) -> Running:
        return self

    async def __anext__(self) -> str:
        while b"\n" not in self._rest:
            try:
                data = await self.stdout.receive_some()
            except trio.ClosedResourceError:  # we let go of the program while another task was reading
                data = b""
            if not data:
                raise StopAsyncIteration
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace")


@dataclass(slots=True)
class Node:
    """One node. `start` runs what the scenario says: meshnode, or a program of one's own."""

    name: str
    index: int
    folder: Path
    link_local: str
    address: str  # for plain programs, where the lab sets static routes
    table: NodeTable
    namespace: Namespace
    nursery: trio.Nursery
    daemon: Child | None = None
    notices: list[dict[str, Any]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """What `--home` takes."""
        return self.folder / "home"

    @property
    def radio_state(self) -> Path:
        """The file in which the modelled radio says how fast it is."""
        return self.folder / "radio.json"

    @property
    def env(self) -> dict[str, str]:
        """The environment of whatever runs on this node."""
        return {**os.environ, "MESHNODE_HOME": str(self.home), RADIO_STATE: str(self.radio_state)}

    # ---------------------------------------------------------------- running

    async def start(self) -> None:
        """Starts the daemon and returns when it is ready; a program of one's own is ready at once."""
        if self.table.program is not None:
            self.daemon = await self._to_files([word.format(me=self) for word in self.table.program])
            return
        words = ["run", "--json", "--interface", "halow0", "--overlay", str(self.table.overlay)]
        running = await self.open([*meshnode(), "--home", str(self.home), *words, *(self.table.options or ())])
        self.daemon = running.child
        ready = trio.Event()
        self.nursery.start_soon(self._follow, running, ready)
        with trio.move_on_after(READY_S):
            await _either(ready, running.child.ended)
        if not ready.is_set():
            running.child.kill()
            raise MeshnodeError(f"node {self.name} did not start: {self._last_words()}")

    async def stop(self) -> None:
        """Stops the daemon as systemd would."""
        if self.daemon is not None:
            await self.daemon.stop()

    async def kill(self) -> None:
        """Kills the daemon as a flat battery would."""
        if self.daemon is not None:
            self.daemon.kill()
            await self.daemon.wait()

    # ---------------------------------------------------------------- commands

    async def cli(self, *words: str, stdin: str = "", may_fail: bool = False) -> Said:
        """One meshnode command on this node, given from outside its namespace."""
        command = [*meshnode(), *words, "--home", str(self.home)]
        with trio.move_on_after(COMMAND_S):
            done = await trio.run_process(
                command, stdin=stdin.encode(), capture_stdout=True, capture_stderr=True, check=False, env=self.env
            )
            said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
            if said.status and not may_fail:
                raise MeshnodeError(f"`meshnode {' '.join(words)}` failed on node {self.name}: {said.stderr.strip()}")
            return said
        raise MeshnodeError(f"`meshnode {' '.join(words)}` did not end on node {self.name}")

    async def open(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Running:
        """Starts a program inside the node's namespace and holds its standard input and output."""
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        try:
            with self._log().open("ab") as log:
                child = await self.namespace.spawn(
                    argv, env=env or self.env, cwd=self.folder, stdin=in_read, stdout=out_write, stderr=log.fileno()
                )
        finally:
            os.close(in_read)
            os.close(out_write)
        return Running(child, trio.lowlevel.FdStream(in_write), trio.lowlevel.FdStream(out_read))

    @asynccontextmanager
    async def talk(self, *words: str) -> AsyncIterator[Running]:
        """A meshnode command that streams (`watch`, `send --lines`), for the time of the block."""
        running = await self.open([*meshnode(), *words, "--home", str(self.home)])
        try:
            yield running
        finally:
            with trio.CancelScope(shield=True):
                await running.stdin.aclose()
                await running.stdout.aclose()
                await running.child.stop()

    # ---------------------------------------------------------------- measures

    def memory_kb(self, what: str = "Pss") -> dict[str, int]:
        """Memory of the daemon and of each process below it, by program name: proportional, or "Rss"."""
        if self.daemon is None or self.daemon.ended.is_set():
            return {}
        sizes: dict[str, int] = {}
        for pid in _family(self.daemon.pid):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            sizes[name] = sizes.get(name, 0) + _memory_kb(pid, what)
        return sizes

    # ---------------------------------------------------------------- details

    def _log(self) -> Path:
        return self.folder / "log.txt"

    def _last_words(self) -> str:
        lines = self._log().read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def _to_files(self, argv: Sequence[str]) -> Child:
        with self._log().open("ab") as log:
            fd = log.fileno()  # for append: as standard input it gives nothing, which is what is wanted
            return await self.namespace.spawn(argv, env=self.env, cwd=self.folder, stdin=fd, stdout=fd, stderr=fd)

    async def _follow(self, running: Running, ready: trio.Event) -> None:
        """Keeps what the daemon says, so that its pipe never fills."""
        async with running.stdin, running.stdout:
            async for line in running:
                try:
                    notice = json.loads(line)
                except ValueError:
                    continue  # a line for people
                self.notices.append(notice)
                if notice.get("event") == "ready":
                    ready.set()


def meshnode() -> list[str]:
    """The words that run meshnode with the interpreter of the lab."""
    return [sys.executable, "-m", "meshnode"]


async def _either(one: trio.Event, other: trio.Event) -> None:
    """Returns when one of two things has happened."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, one)
        nursery.start_soon(wait, other)


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
        except OSError:
            continue  # it has just ended
        parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, edge = [pid], [pid]
    while edge:
        edge = [child for parent in edge for child in parents.get(parent, [])]
        found += edge
    return found


def _memory_kb(pid: int, what: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    return 0
