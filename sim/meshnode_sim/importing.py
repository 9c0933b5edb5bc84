"""Scenarios out of what others drew or recorded: GraphML, GeoJSON, traces of contacts.

GraphML (networkx): nodes with x and y, or lat and lon, become places at level `radio`; without, edges become links at
level `graph`, with their `loss` and `rate_bps`. GeoJSON: points become places, `name` their names. A trace of contacts
becomes a scenario of level `contacts` for reference agents.
"""

from __future__ import annotations

import json
from math import cos, isfinite, nan, radians
from pathlib import Path
from typing import Any, Final

import tomli_w

from meshnode.errors import ConfigError, UsageError
from meshnode_sim.contacts import check_contact, events
from meshnode_sim.scenario import parse

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
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    text = tomli_w.dumps({"name": path.stem, "about": f"Imported from {path.name}.", **tree})
    parse(text, f"what {path} says")
    return text


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
        return _placed([(name, *_pair(facts, "x", "y", name, path)) for name, facts in places])
    known = [(name, facts) for name, facts in nodes.items() if {"lat", "lon"} <= facts.keys()]
    if len(known) == len(nodes):
        return _placed(_flat([(name, *_pair(facts, "lon", "lat", name, path)) for name, facts in known]))
    edges = [(str(one), str(other), facts) for one, other, facts in graph.edges(data=True) if one != other]
    pairs = {(min(one, other), max(one, other)): facts for one, other, facts in edges}
    links = [_link(one, other, facts, path) for (one, other), facts in pairs.items()]
    return {"topology": {"shape": "links", "names": list(nodes), "links": links}}


def _link(one: str, other: str, facts: Tree, path: Path) -> Tree:
    kept: Tree = {"a": one, "b": other}
    for key, kind in (("loss", float), ("rate_bps", int), ("delay_s", float)):
        if key in facts:
            kept[key] = kind(_number(facts[key], key, f"the edge {one}-{other}", path))
    return kept


def _pair(facts: Tree, first: str, second: str, name: str, path: Path) -> tuple[float, float]:
    where = f"node {name}"
    return _number(facts[first], first, where, path), _number(facts[second], second, where, path)


def _number(value: object, key: str, where: str, path: Path) -> float:
    try:
        found = float(str(value))
    except ValueError:
        found = nan
    if not isfinite(found):
        raise ConfigError(f"{path}: {key} of {where} is {value}, and has to be a number")
    return found


def _geojson(tree: Any, path: Path) -> Tree:
    features = tree.get("features") if isinstance(tree, dict) else None
    if not isinstance(features, list):
        raise ConfigError(f"{path} is no GeoJSON: it has no list of features")
    found = [point for number, feature in enumerate(features) if (point := _point(feature, number, path))]
    if len(found) < 2:
        raise ConfigError(f"{path} has {len(found)} points, and a mesh needs two")
    return _placed(_flat(found))


def _point(feature: Any, number: int, path: Path) -> tuple[str, float, float] | None:
    """Name, longitude and latitude of a feature that is a point; None for lines, areas, and what has no place."""
    shape = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(shape, dict) or shape.get("type") != "Point":
        return None
    facts, place = feature.get("properties"), shape.get("coordinates")
    name = str((facts.get("name") if isinstance(facts, dict) else None) or f"n{number}")
    if not isinstance(place, list) or len(place) < 2:
        raise ConfigError(f"{path}: the point {name} has no `coordinates`: a longitude and a latitude")
    lon, lat = (_number(value, "a coordinate", f"the point {name}", path) for value in place[:2])
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        raise ConfigError(f"{path}: the point {name} at {lon:g}, {lat:g} is not on earth: longitude comes first")
    return name, lon, lat


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
        check_contact(fields, path, line)
        nodes |= set(fields[1:3])
    numbers = all(name.isdecimal() and len(name) < 10 for name in nodes)
    who = {"nodes": max(map(int, nodes)) + 1} if numbers and nodes else {"names": sorted(nodes)}
    return {
        "for_s": max(last_s, 1.0),
        "topology": {"shape": "trace", "trace": str(path.absolute()), **who},
        "radio": {"level": "contacts", "rate_bps": 2_000_000},
        "nodes": {"agent": "epidemic"},
    }
