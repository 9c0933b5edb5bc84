"""A file over three hops of real daemons, each of which is killed on the way, and a cut in the middle."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio

from meshnode_sim.lab import Lab
from support.valley_lab import arrived, once, story, valley

pytestmark = [pytest.mark.netns, pytest.mark.soak]

LINE = 'shape = "line"\nnodes = 4'
SIZE = 700_000


async def trouble(lab: Lab) -> None:
    """Each node dies once, and one link is cut for a while."""
    for name in "ABCD":
        await trio.sleep(1.5)  # some of it has come meanwhile
        with trio.CancelScope(shield=True):
            await lab[name].kill()
            await lab[name].start()
    lab.cut("B", "C")
    await trio.sleep(3)
    lab.join("B", "C")


async def test_a_file_comes_whole_whoever_dies_on_the_way(tmp_path: Path) -> None:
    content = Random(1).randbytes(SIZE)
    (tmp_path / "bridge.jpg").write_bytes(content)
    async with valley(story(LINE, loss=0.1, pairs='[["A", "D"], ["D", "A"]]')) as lab, trio.open_nursery() as nursery:
        await lab["A"].cli("send", "D", "the bridge", "--file", str(tmp_path / "bridge.jpg"))
        await arrived(lab["D"], {"the bridge"})
        (row,) = (await lab["D"].cli("files", "list", "--json")).json["files"]
        assert (row["file"]["state"], row["file"]["size"], row["from"]) == ("offered", SIZE, "A")
        await lab["D"].cli("files", "get", row["file"]["id"], "--timeout", "0", may_fail=True)
        nursery.start_soon(trouble, lab)
        got = tmp_path / "got.jpg"
        words = ("files", "get", row["file"]["id"], str(got), "--timeout", "60")
        await once(lambda _: got.exists(), partial(lab["D"].cli, *words, may_fail=True), "the file does not come")
        assert got.read_bytes() == content
        nursery.cancel_scope.cancel()
