"""The household of a box: what happens in one profile is no affair of the others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from meshnode.core.inputs import Input
from meshnode.core.sealing.mesh import open_mesh
from meshnode.daemon.adapters import Started
from meshnode.daemon.home import Home, create_home
from meshnode.daemon.household import CARD, PROFILES, Card, Household, Live
from meshnode.peering.indoors import Ring
from meshnode.peering.memory import MemorySessions, Switchboard


def household_of(home: Home, live: Live) -> Household:
    """Of a box that calls nobody."""
    sessions = MemorySessions(home.keys, home.mesh, home.sealer, home.entropy, address="box", board=Switchboard())
    return Household(home, sessions, live)


async def test_a_profile_that_fails_at_its_store_leaves_the_box_running(tmp_path: Path) -> None:
    """A profile may have come with a backup, from anybody."""

    async def live(home: Home, ring: Ring, *, task_status: Started) -> None:
        task_status.started()
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name in its store")

    inputs, _ = trio.open_memory_channel[Input](1)
    with create_home(tmp_path, "Box", open_mesh("valley")) as home:
        household = household_of(home, live)
        async with trio.open_nursery() as nursery:
            await nursery.start(household.run, inputs)
            await household.make("Mia", "correct horse")
            await household.lock("Mia")
            assert not household.running
            assert [one.name for one in household.members()] == ["Mia"]
            nursery.cancel_scope.cancel()


def test_a_profile_takes_the_place_of_one_whose_making_was_cut_off(tmp_path: Path) -> None:
    """A folder without keys, which the power left behind, is nobody's."""

    async def live(home: Home, ring: Ring, *, task_status: Started) -> None:
        task_status.started()

    with create_home(tmp_path / "box", "Box", open_mesh("valley")) as home:
        household = household_of(home, live)
        for _ in range(2):
            with create_home(tmp_path / "mia", "Mia", home.mesh) as mia:
                card = Card("Mia", mia.keys.persona.hex())
            (tmp_path / "mia" / CARD).write_bytes(msgspec.json.encode(card))
            household.adopt(tmp_path / "mia")
            (place,) = (tmp_path / "box" / PROFILES).iterdir()
            assert [one.persona for one in household.members()] == [card.persona]
            (place / "keys").unlink()
