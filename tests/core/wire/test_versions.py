"""Versions: neighbours one release apart understand each other."""

from __future__ import annotations

import pytest

from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame
from meshnode.core.wire.frames import OLDEST_VERSION, VERSION, Beacon
from meshnode.core.wire.versions import common_version, speaks


@pytest.mark.parametrize(
    ("ours", "theirs", "common"),
    [((1, 1), (1, 1), 1), ((1, 2), (1, 1), 1), ((1, 2), (2, 3), 2), ((2, 3), (1, 2), 2), ((1, 1), (2, 3), 0)],
)
def test_two_nodes_use_the_newest_version_both_speak(
    ours: tuple[int, int], theirs: tuple[int, int], common: int
) -> None:
    assert common_version(*theirs, our_oldest=ours[0], our_newest=ours[1]) == common
    assert common_version(*ours, our_oldest=theirs[0], our_newest=theirs[1]) == common


def test_a_beacon_of_the_next_release_is_understood() -> None:
    later = Beacon(VERSION, VERSION + 1, 0x80, b"frontier", b"envs")
    (heard,) = decode_frames_untrusted(encode_frame(later) + b"what it says besides")
    assert isinstance(heard, Beacon)
    assert speaks(heard) == VERSION
    assert speaks(Beacon(VERSION + 1, VERSION + 2, 0, b"frontier", b"envs")) == 0
    assert OLDEST_VERSION in (VERSION, VERSION - 1)
