"""docs/protocol.md against the code: every frame, kind, label and constant it names is as it says, and none is missing.

Tables are found by their headings. A row with `in the code` names a constant of meshnode, and its `value` is compared.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import pytest

from meshnode.core.airtime.estimate import FRAME_OVERHEAD
from meshnode.core.airtime.outbox import SEAL_OVERHEAD
from meshnode.core.chain import kinds
from meshnode.core.chain.compact import Compact, encode_compact
from meshnode.core.ids import KEY_SIZE, Receipt
from meshnode.core.neighbours import receive
from meshnode.core.neighbours.fragments import HEADER
from meshnode.core.sealing.envelope import HEADER_SIZE
from meshnode.core.sealing.first import SHORT_CERTIFICATE_SIZE
from meshnode.core.sealing.inner import TEXT, Inner
from meshnode.core.sealing.primitives import HPKE_OVERHEAD, SIGNATURE_SIZE, TAG_SIZE
from meshnode.core.wire import codec
from meshnode.core.wire.codec import encode_frame
from meshnode.core.wire.frames import (
    Beacon,
    BlockFrame,
    Change,
    Echo,
    EnvelopeFrame,
    Frame,
    Handover,
    Hello,
    Proof,
    Proofs,
    Receipts,
    Run,
    TookProof,
    Unknown,
)

ROOT = Path(__file__).parents[2]
TEXT_OF_IT = (ROOT / "docs" / "protocol.md").read_text()
UNITS = {
    "": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "%": 0.01,
    "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400,
}  # fmt: skip
LABEL = re.compile(r"mn-[a-z0-9-]+[a-z0-9]")

Row = dict[str, str]


def tables() -> Iterator[list[Row]]:
    """Every table of the document, each row by the names of its columns."""
    lines = iter(TEXT_OF_IT.splitlines())
    for line in lines:
        if line.startswith("|"):
            names = cells(line)
            rows = [cells(row) for row in takewhile(lambda row: row.startswith("|"), lines)][1:]
            assert all(len(row) == len(names) for row in rows), names
            yield [dict(zip(names, row, strict=True)) for row in rows]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def table(*columns: str) -> list[Row]:
    """The one table with these columns."""
    (found,) = (rows for rows in tables() if set(rows[0]) >= set(columns))
    return found


def quantity(text: str) -> Any:
    """What a value in a table means: a number with its unit, a span, several, or a text."""
    if text.startswith("`"):
        return text.strip("`")
    if ";" in text:
        return tuple(quantity(part.strip()) for part in text.split(";"))
    if span := re.fullmatch(r"([\d.]+) to ([\d.]+) (\w+)", text):
        return tuple(float(end) * UNITS[span[3]] for end in (span[1], span[2]))
    if power := re.fullmatch(r"(\d+)\^(\d+)", text):
        return int(power[1]) ** int(power[2])
    if text.startswith("0x"):
        return int(text, 16)
    number, _, unit = text.replace(",", "").partition(" ")
    return float(number) * UNITS[unit]


CONSTANTS = [
    (row["in the code"].strip("`"), row["value"]) for rows in tables() if "in the code" in rows[0] for row in rows
]


@pytest.mark.parametrize(("name", "told"), CONSTANTS, ids=[name for name, _ in CONSTANTS])
def test_a_constant_is_what_the_document_says(name: str, told: str) -> None:
    module, _, attribute = name.rpartition(".")
    value, said = getattr(import_module(f"meshnode.{module}"), attribute), quantity(told)
    assert value == (said if isinstance(said, str) else pytest.approx(said))


# Frames


def documented_types() -> dict[str, list[int]]:
    return {
        row["frame"]: [int(one, 16) for one in row["type"].split(", ")]
        for row in table("type", "frame", "from", "where")
    }


def test_every_frame_has_its_type_number() -> None:
    named = documented_types()
    assert set(named) == {one.__name__ for one in get_args(Frame)} - {Unknown.__name__}
    assert {number for numbers in named.values() for number in numbers} == set(codec._DECODE)
    for vector in json.loads((ROOT / "tests" / "vectors" / "frames.json").read_text())["frames"]:
        if vector["frame"] != Unknown.__name__:
            assert int(vector["hex"][:2], 16) in named[vector["frame"]]


def test_every_frame_has_its_layout() -> None:
    assert [row["frame"] for row in table("frame", "body")] == list(documented_types())


def test_a_frame_has_its_size() -> None:
    sizes = {row["frame"]: int(row["size"]) for row in table("type", "frame", "from") if row["size"]}
    for vector in json.loads((ROOT / "tests" / "vectors" / "frames.json").read_text())["frames"]:
        if vector["frame"] in sizes:
            assert len(vector["hex"]) // 2 == sizes[vector["frame"]]


def test_a_frame_is_taken_from_whom_the_document_says() -> None:
    rules = {
        "session": receive._IN_SESSIONS_ONLY,
        "bound": receive._FROM_BOUND_ONLY,
        "pairwise": receive._PAIRWISE_ONLY,
    }
    by_name = {frame.__name__: rule for rule, frames in rules.items() for frame in frames}
    for row in table("type", "frame", "from"):
        assert row["from"] == by_name.get(row["frame"], "anyone")


def test_every_kind_of_block_is_there() -> None:
    told = {name.rpartition(".")[2] for name, _ in CONSTANTS if name.startswith("core.chain.kinds.")}
    assert {name for name, value in vars(kinds).items() if name.isupper() and is_kind(name, value)} <= told


def is_kind(name: str, value: object) -> bool:
    return isinstance(value, int) and not name.startswith(("_", "BODY_")) and name != "EXPIRY_NONE"


# Labels


def label_uses() -> dict[str, set[str]]:
    """Each label in the code, and how it is used: H, K, or prefix."""
    uses: dict[str, set[str]] = {}
    for path in (ROOT / "meshnode").rglob("*.py"):
        tree = ast.parse(path.read_text())
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        names = dict(constants_of(tree))
        for node in ast.walk(tree):
            label = label_of(node, names)
            if label and not isinstance(parents[node], ast.Assign | ast.AnnAssign):
                uses.setdefault(label, set()).add(use_of(node, parents))
    return uses


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and (label := label_of(getattr(node, "value", None), {})):
            yield target.id, label


def label_of(node: object, names: dict[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and node.value.startswith(b"mn-"):
        return node.value.decode()
    return names.get(node.id, "") if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else ""


def use_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    above = parents[node]
    while isinstance(above, ast.IfExp | ast.keyword):
        above = parents[above]
    called = above.func if isinstance(above, ast.Call) else None
    name = getattr(called, "id", "")
    if name == "blake2b" and isinstance(above, ast.Call):
        return "K" if any(keyword.arg == "key" for keyword in above.keywords) else "H"
    return {"hashed": "H", "keyed": "K"}.get(name, "prefix")


def test_every_label_is_there_with_its_use() -> None:
    told = {
        row["label"].strip("`"): {use.split()[0] for use in row["use"].split(", ")} for row in table("label", "use")
    }
    assert told == label_uses()


def test_a_label_fits_where_it_is_used() -> None:
    assert all(len(label) <= 16 for label in label_uses())


def test_no_label_is_named_that_the_code_does_not_know() -> None:
    assert set(LABEL.findall(TEXT_OF_IT)) == set(label_uses())


# What a message costs


def envelope(text: int) -> int:
    return HEADER_SIZE + len(Inner(TEXT, 1, bytes(8), bytes(text)).encode()) + TAG_SIZE


def costs() -> dict[str, int]:
    """Bytes of the frames that the budget reckons with."""
    data = bytes(envelope(100))
    proof, handover = TookProof(bytes(2), bytes(8)), Handover(bytes(2), 4, 1)
    echo, change = Echo(bytes(2), bytes(2)), Change(bytes(4), 1)
    post = Compact(kinds.POST, kinds.DEFAULT_CLASS, 9, 0, 0, bytes(20), 200, bytes(200), b"", bytes(64))
    in_run = Compact(kinds.POST, kinds.DEFAULT_CLASS, 9, 0, 0, b"", 200, bytes(200), b"", bytes(64))
    frames: dict[str, Frame] = {
        "envelope, bare": EnvelopeFrame(data, 0, 0),
        "envelope by unicast, one handover": EnvelopeFrame(data, 0, 0, None, (handover,)),
        "envelope by multicast, proof and one handover": EnvelopeFrame(data, 0, 0, proof, (handover,)),
        "envelope by multicast, proof and two handovers": EnvelopeFrame(data, 0, 0, proof, (handover, handover)),
        "receipt alone": Receipts((Receipt(bytes(16)),)),
        "four receipts together": Receipts((Receipt(bytes(16)),) * 4),
        "eight receipts together": Receipts((Receipt(bytes(16)),) * 8),
        "custody proof alone": Proofs((Proof(bytes(4), bytes(8)),)),
        "beacon, two echoes": Beacon(1, 1, 0, bytes(8), bytes(4), (echo, echo)),
        "beacon, two echoes, one change": Beacon(1, 1, 0, bytes(8), bytes(4), (echo, echo), (change,)),
        "HELLO": Hello(bytes(32), bytes(32), 1, bytes(64)),
        "post of 200 B in a flood": BlockFrame(bytes(4), post),
    }
    sizes = {name: len(encode_frame(frame)) for name, frame in frames.items()}
    more = len(encode_frame(Run(bytes(4), 9, (post, in_run)))) - len(encode_frame(Run(bytes(4), 9, (post,))))
    assert more == len(encode_compact(in_run, with_seq=False))
    return sizes | {"post of 200 B in a run": more}


def test_the_budget_is_what_the_code_sends() -> None:
    told = {row["what"]: row for row in table("what", "frame", "datagram", "on air")}
    assert {name: int(row["frame"]) for name, row in told.items()} == costs()
    for row in told.values():
        if row["datagram"]:
            assert int(row["datagram"]) == int(row["frame"]) + SEAL_OVERHEAD
            assert int(row["on air"]) == int(row["datagram"]) + FRAME_OVERHEAD


def test_texts_of_other_lengths_cost_what_the_table_says() -> None:
    around = len(encode_frame(EnvelopeFrame(bytes(64), 0, 0, None, (Handover(bytes(2), 4, 1),)))) - 64
    for row in table("text", "envelope"):
        size = envelope(int(row["text"].replace(",", "")))
        assert int(row["envelope"].replace(",", "")) == size
        on_air = size + around + SEAL_OVERHEAD + FRAME_OVERHEAD
        assert int(row["on air, one handover"].replace(",", "")) == on_air


def test_a_first_message_costs_what_the_document_says() -> None:
    sender = 32 + KEY_SIZE + KEY_SIZE + 4 + 1 + SHORT_CERTIFICATE_SIZE + SIGNATURE_SIZE
    inner = len(Inner(TEXT, 1, bytes(8), bytes(100)).encode())
    size = HEADER_SIZE + HPKE_OVERHEAD + sender + inner
    frame = size + 4 + 3
    step = 1200 - SEAL_OVERHEAD - HEADER
    pieces = -(-frame // step)
    on_air = frame + pieces * (HEADER + SEAL_OVERHEAD + FRAME_OVERHEAD)
    small = -(-frame // (384 - SEAL_OVERHEAD - HEADER))
    assert (pieces, small) == (2, 5)
    assert f"an envelope of {size:,} B: two fragments on a link of 1,200 B, {on_air:,} B on air" in one_line(TEXT_OF_IT)


def one_line(text: str) -> str:
    return " ".join(text.split())
