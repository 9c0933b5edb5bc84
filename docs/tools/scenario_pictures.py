"""Draws docs/pictures/*.svg: for each scenario that ships a map, and how soon its messages arrived.

    python docs/tools/scenario_pictures.py [NAME ...]

Large scenarios are not run: their pictures show who is where and who reaches whom.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from meshnode_sim import library
from meshnode_sim.agenda import SECOND_NS
from meshnode_sim.page import laid_out
from meshnode_sim.simulate import Outcome, simulate
from meshnode_sim.sky import Sky
from meshnode_sim.studies.figures import pyplot, save

PICTURES = Path(__file__).parents[1] / "pictures"
USUAL_S = 700  # of those that say no length themselves


def picture(name: str) -> None:
    """One file."""
    plt = pyplot()
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    if name in library.LARGE:
        figure, axes = plt.subplots(figsize=(5, 5))
        draw_reach(axes, name)
    else:
        figure, (axes, arrivals) = plt.subplots(1, 2, figsize=(9, 3.6))
        scenario = library.find(name)
        outcome = simulate(scenario, until_ns=None if scenario.for_s else USUAL_S * SECOND_NS, filmed=True)
        draw_map(axes, outcome)
        draw_arrivals(arrivals, outcome)
    save(figure, PICTURES / f"{name}.svg")
    plt.close(figure)


def draw_map(axes: Any, outcome: Outcome) -> None:
    """Nodes where they were at the end; links the thicker the more they carried."""
    film, names = outcome.film, outcome.world.scenario.names
    if film is None:
        return
    places = film.places[-1] if film.places else laid_out(film, len(names))
    octets = {link: sum(by_moment.values()) for link, by_moment in film.octets.items()}
    most = max(octets.values(), default=1)
    for (src, dst), carried in octets.items():
        (x, y), (to_x, to_y) = places[src], places[dst]
        axes.plot([x, to_x], [y, to_y], color="#d97706", linewidth=0.4 + 3 * carried / most, alpha=0.6, zorder=1)
    for wall in outcome.world.scenario.walls:
        axes.plot(*zip(wall.from_m, wall.to_m, strict=True), color="#78716c", linewidth=3, alpha=0.7, zorder=0)
    lies = outcome.world.liars
    colours = ["#b91c1c" if node in lies else "#0369a1" for node in range(len(names))]
    axes.scatter(*zip(*places, strict=True), s=26, color=colours, zorder=2)
    for name, (x, y) in zip(names, places, strict=True):
        if len(names) <= 24:
            axes.annotate(name, (x, y), xytext=(3, 4), textcoords="offset points", fontsize=7)
    finish(axes, metres=bool(film.places))


def draw_arrivals(axes: Any, outcome: Outcome) -> None:
    """The share of all recipients and readers who had it after so long."""
    written = outcome.world.probe.written.values()
    waits = sorted((at - one.at_ns) / SECOND_NS for one in written for at, _ in one.arrivals.values())
    expected = sum(len(one.to) for one in written)
    axes.step(waits, [100 * (n + 1) / expected for n in range(len(waits))], where="post", color="#0369a1")
    axes.set_xscale("log")
    axes.set_ylim(0, 104)
    axes.set_xlabel("seconds after it was written")
    axes.set_ylabel("% of recipients who have it")


def draw_reach(axes: Any, name: str) -> None:
    """Everybody, and thin lines between those who hear each other well."""
    sky = Sky(library.find(name))
    places = sky.places()
    axes.scatter(*zip(*places, strict=True), s=60 / len(places) ** 0.5, color="#0369a1", zorder=2, rasterized=True)
    if len(places) <= 300:
        for node, other in sky.neighbours():
            (x, y), (to_x, to_y) = places[node], places[other]
            axes.plot([x, to_x], [y, to_y], color="#d97706", linewidth=0.3, alpha=0.5, zorder=1, rasterized=True)
    finish(axes, metres=True)


def finish(axes: Any, *, metres: bool) -> None:
    """Equal scales; metres where there are any."""
    axes.set_aspect("equal", adjustable="datalim")
    if metres:
        axes.set_xlabel("metres")
    else:
        axes.set_axis_off()


def main() -> None:
    """Those named, or all."""
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or library.shipped():
        picture(name)
        print(PICTURES / f"{name}.svg")


if __name__ == "__main__":
    main()
