"""A box with another mesh secret stands in the middle of the valley: it learns nothing and changes nothing."""

from __future__ import annotations

import secrets
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from meshnode.peering.places import OVERLAY_PORT
from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.node import Running
from meshnode_sim.scenario import parse
from support.valley_lab import PATIENCE_S, deliver, once, received, status, story, valley

pytestmark = pytest.mark.netns

# A and B hear each other, and X hears both.
TRIANGLE = 'shape = "full"\nnames = ["A", "B", "X"]'
SECRETS = ["the well is poisoned", "square is watched"]


async def estrange(lab: Lab, name: str) -> None:
    """Give a node a home in another mesh of the same name."""
    node = lab[name]
    shutil.rmtree(node.home)
    other = node.folder / "other-secret"
    other.write_text(secrets.token_hex(32))
    other.chmod(0o600)
    await node.cli("init", "--name", name, "--mesh", "valley", "--mesh-secret-file", str(other))


async def test_on_the_radio_a_stranger_learns_neither_words_nor_names_nor_members(tmp_path: Path) -> None:
    text = story(TRIANGLE, pairs='[["A", "B"], ["B", "A"]]')
    capture = tmp_path / "air.pcapng"
    async with open_lab(parse(text), pcap=capture) as lab:
        await lab.set_up()
        await estrange(lab, "X")
        await lab.start()
        await deliver(lab["A"], "B", SECRETS[0])
        await lab["A"].cli("post", "square", SECRETS[1])
        await deliver(lab["B"], "A", "understood")
        stranger, member = await status(lab["X"]), await status(lab["A"])
        assert stranger["neighbours"] == []
        assert stranger["counts"]["logs"] <= 2  # its own
        assert await received(lab["X"]) == {}
        assert [one["node"] for one in member["neighbours"]] == [
            one["node"] for one in (await lab["A"].cli("neighbours", "--json")).json["neighbours"]
        ]
        assert len(member["neighbours"]) == 1
        personas = [bytes.fromhex(member["persona"]), bytes.fromhex(stranger["persona"])]
    air = capture.read_bytes()
    for word in (*SECRETS, "valley", "square"):
        assert word.encode() not in air
    assert not any(persona in air for persona in personas)


async def test_a_found_parcel_says_nothing_and_a_strangers_parcel_changes_nothing(tmp_path: Path) -> None:
    text = story(TRIANGLE, pairs='[["A", "B"], ["B", "A"]]')
    async with valley(text) as lab:
        await deliver(lab["A"], "B", SECRETS[0])
        await lab["X"].stop()
        await estrange(lab, "X")
        await lab["X"].start()
        lab.cut("A")  # what comes of the parcel is all that may change A now
        parcel, foreign = tmp_path / "found.parcel", tmp_path / "foreign.parcel"
        await lab["A"].cli("export", str(parcel))
        found = parcel.read_bytes()
        assert not any(word.encode() in found for word in (*SECRETS, "valley", "square"))
        refused = await lab["X"].cli("import", str(parcel), may_fail=True)
        assert refused.status == 1
        assert refused.stderr.count("\n") == 1
        await lab["X"].cli("post", "square", "let me in")
        await lab["X"].cli("export", str(foreign))
        before = (await status(lab["A"]))["counts"]
        assert (await lab["A"].cli("import", str(foreign), may_fail=True)).status == 1
        assert (await status(lab["A"]))["counts"] == before
        assert "let me in" not in await received(lab["A"])


DIAL = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=120)
s.settimeout(20)
got, sent = b"", 0
try:
    s.sendall(bytes.fromhex(sys.argv[3]))
    while data := s.recv(4096):
        got += data
except OSError:
    pass
print(got.hex(), flush=True)
"""
YGGDRASIL = '{"Listen": ["tls://[::]:9001"], "IfName": "auto", "MulticastInterfaces": [], "AdminListen": "none"}'


@pytest.mark.ygg
async def test_on_the_overlay_a_stranger_gets_a_nonce_and_no_answer() -> None:
    text = story('shape = "line"\nnames = ["A", "X"]', overlay="system", pairs="[]")
    text += '[node.X]\noverlay = "none"\nprogram = ["sleep", "1000"]\n'
    async with valley(text) as lab:
        a, x = lab["A"], lab["X"]
        (x.folder / "yggdrasil.json").write_text(YGGDRASIL)
        yggdrasil = await x.open(["yggdrasil", "-useconffile", str(x.folder / "yggdrasil.json")])
        await said(yggdrasil, "Interface MTU")
        await a.cli("peer", "add", f"tls://[{x.link_local}%25halow0]:9001")
        peered = await once(has_overlay_peer, partial(status, a), "A does not peer")
        for words in ("", "00" * 16, "ff" * 700):
            dialler = await x.open([sys.executable, "-c", DIAL, peered["overlay"]["address"], str(OVERLAY_PORT), words])
            heard = [bytes.fromhex(line) async for line in dialler]
            assert len(heard) == 1, "it got no connection"
            assert len(heard[0]) <= 256
        after = await status(a)
        assert after["counts"] == peered["counts"]
        assert after["neighbours"] == []


async def said(program: Running, words: str) -> None:
    """Return once a program printed these words."""
    with trio.fail_after(PATIENCE_S):
        async for line in program:
            if words in line:
                return
    raise AssertionError(f"it ended without a word of {words!r}")


def has_overlay_peer(said: dict[str, Any]) -> bool:
    return any(peer["up"] for peer in said["overlay"]["peers"])
