"""The bytes of every frame, as a second implementation would meet them. Vectors never change; new ones are added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame, encode_frames
from meshnode.core.wire.limits import MAX_PLAINTEXT
from support.frame_shapes import SHAPES
from support.plain import plain

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "frames.json").read_text())
FRAMES = {vector["name"]: vector for vector in VECTORS["frames"]}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_these_bytes(name: str) -> None:
    vector = FRAMES[name]
    data = bytes.fromhex(vector["hex"])
    (frame,) = decode_frames_untrusted(data)
    assert type(frame).__name__ == vector["frame"]
    assert plain(frame) == vector["fields"]
    assert encode_frame(frame) == data


@pytest.mark.parametrize("row", VECTORS["rows"], ids=lambda row: row["name"])
def test_frames_in_a_row_have_these_bytes(row: dict) -> None:
    data = bytes.fromhex(row["hex"])
    frames = decode_frames_untrusted(data)
    alone = [bytes.fromhex(FRAMES[name]["hex"]) for name in row["frames"]]
    assert [encode_frame(frame) for frame in frames] == alone
    assert encode_frames(frames, MAX_PLAINTEXT) == data


def test_every_frame_has_a_vector() -> None:
    assert len({vector["frame"] for vector in VECTORS["frames"]}) == len(SHAPES)
