"""Namespaces and the air between them, with plain programs inside: what a lab is before any daemon runs in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from meshnode.errors import LinkError
from meshnode_sim.lab import open_lab
from meshnode_sim.node import Node
from meshnode_sim.scenario import parse

pytestmark = pytest.mark.netns

LINE = parse('name = "t"\n[topology]\nshape = "line"\nnodes = 3\n[nodes]\nprogram = ["sleep", "1000"]\n')

ECHO = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7777))
index = socket.if_nametoindex("halow0")
group = socket.inet_pton(socket.AF_INET6, "ff02::7777") + index.to_bytes(4, "little")
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
print("up", flush=True)
while True:
    data, sender = s.recvfrom(2000)
    s.sendto(data, sender)
"""
CALL = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
index = socket.if_nametoindex("halow0")
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
s.sendto(b"hello", (sys.argv[1], 7777, 0, index))
answers = 0
while True:
    s.settimeout(60 if answers < int(sys.argv[2]) else 1)
    try:
        print(s.recvfrom(2000)[1][0].partition("%")[0], flush=True)
    except TimeoutError:
        break
    answers += 1
"""


async def echo(node: Node) -> None:
    running = await node.open([sys.executable, "-c", ECHO])
    async for line in running:
        assert line == "up"
        return


async def call(node: Node, address: str, answers: int) -> list[str]:
    """Who answers: so many are waited for, and whether there is one more."""
    running = await node.open([sys.executable, "-c", CALL, address, str(answers)])
    return [line async for line in running]


async def test_neighbours_hear_a_group_and_the_one_beyond_does_not() -> None:
    async with open_lab(LINE) as lab:
        for node in lab.nodes.values():
            await echo(node)
        assert await call(lab["A"], "ff02::7777", 1) == [lab["B"].link_local]
        assert sorted(await call(lab["B"], "ff02::7777", 2)) == [lab["A"].link_local, lab["C"].link_local]


async def test_static_routes_cross_the_line_and_every_hop_is_counted() -> None:
    async with open_lab(LINE) as lab:
        await lab.set_routes()
        await echo(lab["C"])
        before = lab.counters()
        assert await call(lab["A"], lab["C"].address, 1) == [lab["C"].address]
        window = [now - then for now, then in zip(lab.counters(), before, strict=True)]
        assert [one.kinds["udp"].bytes for one in window] == [5 + 48 + 38, 2 * (5 + 48 + 38), 5 + 48 + 38]


async def test_a_cut_link_is_silent_until_it_is_joined() -> None:
    async with open_lab(LINE) as lab:
        await echo(lab["B"])
        lab.cut("A", "B")
        assert await call(lab["A"], "ff02::7777", 0) == []
        lab.heal()
        assert await call(lab["A"], "ff02::7777", 1) == [lab["B"].link_local]
        lab.partition(["A"])
        assert await call(lab["A"], "ff02::7777", 0) == []


async def test_the_interface_may_vanish_and_return() -> None:
    async with open_lab(LINE) as lab:
        await echo(lab["B"])
        lab["A"].namespace.drop_tap()
        assert await interfaces(lab["A"]) == ["lo"]
        await lab["A"].namespace.replace_tap()
        assert await interfaces(lab["A"]) == ["halow0", "lo"]
        assert await call(lab["A"], "ff02::7777", 1) == [lab["B"].link_local]
        await lab["A"].namespace.set_up(up=False)
        assert await call(lab["A"], lab["B"].link_local, 0) == []


async def interfaces(node: Node) -> list[str]:
    listing = "import socket; print(*sorted(name for _, name in socket.if_nameindex()))"
    running = await node.open([sys.executable, "-c", listing])
    [line] = [line async for line in running]
    return line.split()


async def test_a_capture_holds_what_was_on_the_air(tmp_path: Path) -> None:
    async with open_lab(LINE, pcap=tmp_path / "air.pcapng") as lab:
        await call(lab["A"], "ff02::7777", 0)
    assert b"hello" in (tmp_path / "air.pcapng").read_bytes()


async def test_programs_end_with_their_status() -> None:
    async with open_lab(LINE) as lab:
        running = await lab["A"].open([sys.executable, "-c", "import sys; sys.exit(7)"])
        assert await running.child.wait() == 7
        running = await lab["A"].open(["/no/such/program"])
        assert await running.child.wait() == 127
        await lab["B"].start()
        await lab["B"].kill()
        assert lab["B"].daemon is not None
        assert lab["B"].daemon.status == -9


async def test_what_cannot_be_done_inside_is_said() -> None:
    async with open_lab(LINE) as lab:
        with pytest.raises(LinkError, match=r"node A: .*No such file"):
            await lab["A"].namespace.sysctl("net/nothing", "1")


STORY = """
import os, signal, sys, trio
from functools import partial
from pathlib import Path
from meshnode_sim.lab import open_lab
from meshnode_sim.scenario import parse
shell = "(setsid sh -c 'echo $$ >> pids; exec sleep 1000' &); echo $$ >> pids; sleep 1000 & echo $! >> pids; wait"
async def main():
    text = '[topology]\\nshape = "line"\\nnodes = 3\\n[nodes]\\nprogram = ["sh", "-c", "%s"]' % shell
    async with open_lab(parse(text), root=Path(sys.argv[1])) as lab:
        await lab.start()
        pids = []
        while len(pids) < 9:
            await trio.sleep(0.01)
            pids = [pid for file in lab.root.glob("*/pids") for pid in file.read_text().split()]
        print(*pids, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""


async def test_a_lab_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    done = await trio.run_process(
        [sys.executable, "-c", STORY, str(tmp_path)], check=False, capture_stdout=True, capture_stderr=True
    )
    assert done.returncode == -9, done.stderr.decode()
    with trio.fail_after(100):
        await until_gone(done.stdout.decode().split())


async def until_gone(pids: list[str]) -> None:
    assert len(pids) == 9
    for pid in pids:
        try:
            fd = os.pidfd_open(int(pid))
        except ProcessLookupError:
            continue
        await trio.lowlevel.wait_readable(fd)
        os.close(fd)


async def test_the_command_runs_real_daemons_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    story = tmp_path / "two.toml"
    story.write_text('[topology]\nshape = "line"\nnodes = 2\n')
    command = [
        sys.executable,
        "-m",
        "meshnode_sim.cli",
        "lab",
        str(story),
        "--json",
        "--homes",
        str(tmp_path / "homes"),
    ]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=subprocess.PIPE, check=False))
        homes: list[str] = []
        said = b""
        async for data in process.stdout:
            said += data
            if not homes and said.count(b"\n") == 2:
                homes = [json.loads(line)["home"] for line in said.splitlines()]
                process.send_signal(signal.SIGINT)
    report = json.loads(said.splitlines()[-1])
    assert homes == [str(tmp_path / "homes" / name / "home") for name in "AB"]
    assert process.returncode == 0
    assert report["air"]["bytes"] > 0
    assert [one["name"] for one in report["per_node"]] == ["A", "B"]
