"""Scenarios out of maps and recordings of others."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from meshnode.errors import ConfigError
from meshnode_sim.cli import run
from meshnode_sim.importing import scenario_of
from meshnode_sim.scenario import parse


def points(*found: tuple[str, float, float]) -> str:
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}
        for name, lon, lat in found
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def edge(loss: str) -> str:
    """GraphML of two nodes and an edge between them, whose loss is a text."""
    graph = nx.Graph()
    graph.add_edge("a", "b", loss=loss)
    return "\n".join(nx.generate_graphml(graph))


def test_points_become_places_in_metres(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "v.geojson", tmp_path / "v.toml"
    file.write_text(points(("mill", 11.0, 47.0), ("inn", 11.01, 47.0), ("farm", 11.0, 47.01)))
    assert run(["import", str(file), "--out", str(out)]) == 0
    mill, inn, farm = parse(out.read_text()).topology.places
    assert (mill.x_m, mill.y_m) == (0, 0)
    assert inn.x_m == pytest.approx(758, abs=1)  # 0.01 degrees at 47 north
    assert farm.y_m == pytest.approx(1112, abs=1)
    assert run(["import", str(file)]) == 0
    assert 'shape = "places"' in capsys.readouterr().out


def test_a_graph_becomes_links_and_one_with_places_places(tmp_path: Path) -> None:
    graph = nx.Graph()
    graph.add_edge("mill", "inn", loss=0.1, rate_bps=600_000)
    nx.write_graphml(graph, tmp_path / "g.graphml")
    found = parse(scenario_of(tmp_path / "g.graphml"))
    assert found.names == ("mill", "inn")
    assert (found.topology.links[0].loss, found.topology.links[0].rate_bps) == (0.1, 600_000)
    for name, x in (("mill", 0.0), ("inn", 250.0)):
        graph.nodes[name].update(x=x, y=1.0)
    nx.write_graphml(graph, tmp_path / "p.graphml")
    assert [place.x_m for place in parse(scenario_of(tmp_path / "p.graphml")).topology.places] == [0, 250]


def test_a_trace_becomes_a_scenario_for_agents(tmp_path: Path) -> None:
    file = tmp_path / "meetings.txt"
    file.write_text("1 CONN 0 7 up\n90 CONN 0 7 down\n")
    found = parse(scenario_of(file))
    assert (found.topology.nodes, found.for_s, found.radio.level) == (8, 90, "contacts")
    file.write_text("1 CONN ann bo up\n")
    assert parse(scenario_of(file)).names == ("ann", "bo")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.geojson", "{", "cannot be read"),
        ("a.geojson", "{}", "no list of features"),
        ("a.geojson", points(("mill", 0, 0)), "has 1 points"),
        ("a.geojson", points(("mill", 0, 0), ("mill", 1, 1)), "two nodes have the same name"),
        ("a.geojson", points(("mill", 0, 0), ("inn", "x", 1)), "point inn is x, and has to be a number"),
        ("a.geojson", points(("mill", 0, 0), ("inn", 47, 91)), "inn at 47, 91 is not on earth"),
        ("a.geojson", '{"features": [{"geometry": {"type": "Point"}}]}', "n0 has no `coordinates`"),
        ("a.geojson", '{"features": [null, 5, {"geometry": "x"}]}', "has 0 points"),
        ("a.geojson", "[" * 100_000, "cannot be read"),
        ("a.graphml", "<x", "no GraphML"),
        ("a.graphml", edge("high"), "loss of the edge a-b is high"),
        ("a.graphml", edge("9"), r"topology\.links\[0\]\.loss: Expected `float` <= 1"),
        ("a.txt", "1 MOVE 0 1\n", ":1: a contact is"),
        ("a.txt", "x CONN 0 1 up\n", "x is no time"),
    ],
)
def test_what_makes_no_sense_is_said(name: str, text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=why):
        scenario_of(tmp_path / name)
