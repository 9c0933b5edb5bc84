"""Who writes what to whom and when: the tables [[traffic]] and the writing actions of a scenario, drawn in advance.

A plan is a list of words in the order of their times. Each draw has its own counters (table, writer, how many words
before), so that a second table, or another writer, moves none of the first one's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnode.air.draws import Draws
from meshnode.errors import ConfigError, UsageError
from meshnode_sim.agenda import SECOND_NS, nanoseconds
from meshnode_sim.contacts import events, node_named
from meshnode_sim.integers import exponential
from meshnode_sim.plausible import MOST_WORDS
from meshnode_sim.scenario import Scenario
from meshnode_sim.tables import TrafficTable

_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "kiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
CHANCE_WAIT, CHANCE_TO = 16, 17  # purposes of draws; those below 16 are the world's own

Nearest = Callable[[int, int], Sequence[int]]  # of the others so many, nearest to a node first


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """One message (`to` a node) or post (`to` is -1)."""

    at_ns: int
    writer: int
    to: int
    text: str
    cls: int = 2
    channel: str = "square"
    octets: int = 0  # what it stands for at level `contacts`; 0: as long as its text


def plan(scenario: Scenario, until_ns: int, nearest: Nearest, folder: Path) -> list[Word]:
    """Every word of a run, in order. `folder`: where files that the scenario names are looked for."""
    number = {name: index for index, name in enumerate(scenario.names)}
    words = list(_acted(scenario, number))
    draws = Draws(scenario.seed)
    for index, table in enumerate(scenario.traffic):
        writers = [number[name] for name in table.writers] or list(range(len(number)))
        wanted = [number[name] for name in table.to]
        if table.pattern == "replay":
            words += _replayed(table, number, folder / table.file)
            continue
        for writer in writers:
            moments = _moments(table, index, writer, draws, until_ns)
            near = _recipients(table, writer, wanted, len(number) - 1, nearest)
            for turn, at_ns in enumerate(moments):
                to = -1 if table.what == "post" else near[draws.word(CHANCE_TO, index, writer, turn) % len(near)]
                words.append(Word(at_ns, writer, to, _text(table.octets, writer, turn), table.class_))
                if len(words) > MOST_WORDS:
                    raise UsageError(f"more than {MOST_WORDS} words are written: raise `every_s`, or end sooner")
    return sorted(word for word in words if word.at_ns <= until_ns)


def _acted(scenario: Scenario, number: dict[str, int]) -> Iterator[Word]:
    for action in scenario.actions:
        if action.do not in ("send", "post"):
            continue
        to = number[action.to] if action.do == "send" and action.to is not None else -1
        for turn in range(action.times):
            at_ns = nanoseconds(action.at_s + turn * (action.every_s or 0.0))
            text = action.text if action.times == 1 else f"{action.text} {turn}"
            yield Word(at_ns, number[action.node], to, text, channel=action.channel)


def _moments(table: TrafficTable, index: int, writer: int, draws: Draws, until_ns: int) -> Iterator[int]:
    if table.pattern == "schedule":
        yield from (nanoseconds(at) for at in table.at_s)
        return
    mean, turn = nanoseconds(table.every_s or 0.0), 0
    at_ns = nanoseconds(table.start_s) + exponential(draws.word(CHANCE_WAIT, index, writer, turn), mean)
    end_ns = until_ns if table.end_s is None else min(until_ns, nanoseconds(table.end_s))
    while at_ns <= end_ns:
        yield at_ns
        turn += 1
        at_ns += exponential(draws.word(CHANCE_WAIT, index, writer, turn), mean)


def _recipients(table: TrafficTable, writer: int, wanted: list[int], others: int, nearest: Nearest) -> Sequence[int]:
    if table.what == "post":
        return ()
    most = others if wanted or table.nearest is None else min(table.nearest, others)
    near = [node for node in nearest(writer, most) if not wanted or node in wanted][: table.nearest]
    if not near:
        raise UsageError("traffic needs somebody to write to: more than one node, or others in `to`")
    return near


def replayed(scenario: Scenario, folder: Path) -> list[Word]:
    """The words that files say, in the order of the files."""
    number = {name: index for index, name in enumerate(scenario.names)}
    tables = [table for table in scenario.traffic if table.pattern == "replay"]
    return [word for table in tables for word in _replayed(table, number, folder / table.file)]


def _replayed(table: TrafficTable, number: dict[str, int], path: Path) -> Iterator[Word]:
    """`time C id from to size` on each line; nodes are named as in the scenario, or numbered from 0."""
    for line, at_s, fields in events(path):
        if len(fields) < 5 or fields[0] != "C":
            raise ConfigError(f"{path}:{line}: a message is `time C id from to size`")
        _, name, src, dst, size = fields[:5]
        ends = [node_named(text, number, path, line) for text in (src, dst)]
        octets = _size(size)
        if octets is None:
            raise ConfigError(f"{path}:{line}: {size[:40]} is no size in octets: write 500, 500k or 2MiB")
        text = f"{name} ".ljust(min(octets, 4096), ".")
        yield Word(nanoseconds(at_s), ends[0], ends[1], text, table.class_, octets=octets)


def _size(text: str) -> int | None:
    """Octets of 500, 500k (thousands) or 2MiB; None for anything else."""
    found = re.fullmatch(r"([0-9]{1,12})(|[kMG]|[kMG]iB)", text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _text(octets: int, writer: int, turn: int) -> str:
    return f"{writer}/{turn} ".ljust(octets, ".")[:octets]


def contacts_of(scenario: Scenario, words: Sequence[Word], most: int = 64) -> list[tuple[int, int]]:
    """Who has whom in the address book: as the scenario says, where small; and both ends of every message."""
    number = {name: index for index, name in enumerate(scenario.names)}
    told = scenario.contacts if len(number) <= most or scenario.mesh.contacts != "all" else []
    pairs = {(number[one], number[other]) for one, other in told}
    for word in words:
        if word.to >= 0 and word.to != word.writer:
            pairs |= {(word.writer, word.to), (word.to, word.writer)}
    return sorted(pairs)


def until(scenario: Scenario, asked_ns: int | None) -> int:
    """When a run ends: as asked, as the scenario says, or after an hour."""
    if asked_ns is not None:
        return asked_ns
    return nanoseconds(scenario.for_s) if scenario.for_s else 3600 * SECOND_NS
