"""A box with another mesh secret stands in the middle of the valley: it learns nothing and changes nothing."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import pytest
from support.valley_lab import deliver, received, story, valley

from meshnode_sim.lab import Lab, open_lab
from meshnode_sim.scenario import parse

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
        stranger = (await lab["X"].cli("status", "--json")).json
        member = (await lab["A"].cli("status", "--json")).json
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
        parcel, foreign = tmp_path / "found.parcel", tmp_path / "foreign.parcel"
        await lab["A"].cli("export", str(parcel))
        found = parcel.read_bytes()
        assert not any(word.encode() in found for word in (*SECRETS, "valley", "square"))
        refused = await lab["X"].cli("import", str(parcel), may_fail=True)
        assert refused.status == 1
        assert refused.stderr.count("\n") == 1
        await lab["X"].cli("post", "square", "let me in")
        await lab["X"].cli("export", str(foreign))
        before = (await lab["A"].cli("status", "--json")).json["counts"]
        assert (await lab["A"].cli("import", str(foreign), may_fail=True)).status == 1
        assert (await lab["A"].cli("status", "--json")).json["counts"] == before
        assert "let me in" not in await received(lab["A"])
