"""Scenarios out of what others drew or recorded: GraphML, GeoJSON, traces of contacts.

GraphML (networkx): nodes with x and y, or lat and lon, become places at level `radio`; without, edges become links at
level `graph`, with their `loss` and `rate_bps`. GeoJSON: points become places, `name` their names. A trace of contacts
becomes a scenario of level `contacts` for reference agents.
"""

from __future__ import annotations

import json
from math import cos, radians
from pathlib import Path
from typing import Any, Final

import tomli_w

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.contacts import events

METRES_PER_DEGREE: Final = 111_195.0  # of latitude, on a sphere of 6,371 km

Tree = dict[str, Any]


def scenario_of(path: Path) -> str:
    """TOML for a scenario, by the ending of the file: .graphml, .geojson or .json; anything else is a trace."""
    try:
        match path.suffix.lower():
            case ".graphml":
                tree = _graphml(path)
            case ".geojson" | ".json":
                tree = _geojson(json.loads(path.read_text(encoding="utf-8")), path)
            case _:
                tree = _trace(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return tomli_w.dumps({"name": path.stem, "about": f"Imported from {path.name}.", **tree})


def _graphml(path: Path) -> Tree:
    try:
        import networkx as nx  # an extra
    except ModuleNotFoundError as error:
        raise UsageError(f"GraphML needs {error.name}: pip install 'meshnode[sim]'") from error
    from xml.etree.ElementTree import ParseError

    try:
        graph = nx.read_graphml(path)
    except (ParseError, nx.NetworkXError) as error:
        raise ConfigError(f"{path} is no GraphML: {error}") from error
    nodes = {str(name): facts for name, facts in graph.nodes(data=True)}
    places = [(name, facts) for name, facts in nodes.items() if {"x", "y"} <= facts.keys()]
    if len(places) == len(nodes):
        return _placed([(name, float(facts["x"]), float(facts["y"])) for name, facts in places])
    known = [(name, facts) for name, facts in nodes.items() if {"lat", "lon"} <= facts.keys()]
    if len(known) == len(nodes):
        return _placed(_flat([(name, float(facts["lon"]), float(facts["lat"])) for name, facts in known]))
    links = [_link(str(one), str(other), facts) for one, other, facts in graph.edges(data=True)]
    return {"topology": {"shape": "links", "names": list(nodes), "links": links}}


def _link(one: str, other: str, facts: Tree) -> Tree:
    kept = {
        key: kind(facts[key]) for key, kind in (("loss", float), ("rate_bps", int), ("delay_s", float)) if key in facts
    }
    return {"a": one, "b": other, **kept}


def _geojson(tree: Any, path: Path) -> Tree:
    features = tree.get("features") if isinstance(tree, dict) else None
    if not isinstance(features, list):
        raise ConfigError(f"{path} is no GeoJSON: it has no list of features")
    found = []
    for number, feature in enumerate(features):
        shape = feature.get("geometry") or {}
        if shape.get("type") == "Point":
            name = str((feature.get("properties") or {}).get("name") or f"n{number}")
            lon, lat = shape["coordinates"][:2]
            found.append((name, float(lon), float(lat)))
    if len(found) < 2:
        raise ConfigError(f"{path} has {len(found)} points, and a mesh needs two")
    return _placed(_flat(found))


def _flat(found: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Degrees to metres east and north of the southwest corner; a valley is flat enough for that."""
    west, south = min(lon for _, lon, _ in found), min(lat for _, _, lat in found)
    middle = sum(lat for _, _, lat in found) / len(found)
    east_m = METRES_PER_DEGREE * cos(radians(middle))
    return [(name, (lon - west) * east_m, (lat - south) * METRES_PER_DEGREE) for name, lon, lat in found]


def _placed(found: list[tuple[str, float, float]]) -> Tree:
    places = [{"name": name, "x_m": round(x, 1), "y_m": round(y, 1)} for name, x, y in found]
    return {"topology": {"shape": "places", "places": places}, "radio": {"level": "radio", "width_mhz": 2}}


def _trace(path: Path) -> Tree:
    nodes: set[str] = set()
    last_s = 0.0
    for line, last_s, fields in events(path):  # noqa: B007 (the time of the last line is wanted)
        if fields[:1] != ["CONN"] or len(fields) != 4:
            raise ConfigError(f"{path}:{line}: a contact is `time CONN a b up` or `time CONN a b down`")
        nodes |= set(fields[1:3])
    numbers = all(name.isdecimal() for name in nodes)
    who = {"nodes": max(map(int, nodes)) + 1} if numbers and nodes else {"names": sorted(nodes)}
    return {
        "for_s": max(last_s, 1.0),
        "topology": {"shape": "trace", "trace": str(path.absolute()), **who},
        "radio": {"level": "contacts", "rate_bps": 2_000_000},
        "nodes": {"agent": "epidemic"},
    }
