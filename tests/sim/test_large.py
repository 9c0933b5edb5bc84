"""The scenarios that take long: by name they are run by hand; here for a while, or thinned out to the same density."""

from __future__ import annotations

from math import sqrt

import pytest

from meshnode_sim import library
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.simulate import simulate


@pytest.mark.parametrize("name", library.LARGE)
def test_a_thin_slice_of_a_large_one_holds(name: str) -> None:
    whole = library.find(name)
    share = 8 / len(whole.names)
    width, height = (side * sqrt(share) for side in whole.topology.area_m)
    changes = ["topology.nodes=8", f"topology.area_m=[{width:.1f},{height:.1f}]", "traffic=[]"]
    if whole.walks:
        changes.append(f"walks=[{{area_m=[{width:.1f},{height:.1f}]}}]")
    outcome = simulate(library.find(name, changes), until_ns=8 * SECOND_NS)
    assert outcome.unmet == ()
    assert outcome.report["air"]["received"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("name", ["disaster", "duty"])
def test_what_takes_minutes_meets_what_it_expects(name: str) -> None:
    assert simulate(library.find(name)).unmet == ()
