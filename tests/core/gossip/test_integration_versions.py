"""Releases side by side: neighbours one version apart understand each other, others leave each other be."""

from __future__ import annotations

from meshnode.core.chain.varint import varint
from meshnode.core.notices import SessionMet
from meshnode.core.wire.codec import decode_frames_untrusted, encode_frame, join_frames
from meshnode.core.wire.frames import OLDEST_VERSION, VERSION, Beacon, Unknown
from support.trial_world import Box, TrialWorld

BEYOND = b"what a later release says besides"


def speaks_versions(box: Box, oldest: int, newest: int) -> None:
    """Every datagram of this box is as another release would make it: other beacons, and frames nobody knows yet."""
    seal = box.node.neighbours._seal
    multicast, unicast = seal.seal_multicast, seal.seal_unicast

    def later(plaintext: bytes) -> bytes:
        frames = []
        for frame in decode_frames_untrusted(plaintext):
            encoded = encode_frame(frame)
            if isinstance(frame, Beacon):
                encoded = encoded[:1] + bytes((oldest << 4 | newest,)) + encoded[2:] + BEYOND
            frames += [encode_frame(Unknown(0x3E, b"new")), encoded]
        joined = join_frames([*frames, encode_frame(Unknown(0x3F, b"and more"))], 1400)
        return joined if len(joined) <= 1171 else plaintext

    seal.seal_multicast = lambda plaintext: multicast(later(plaintext))  # type: ignore[method-assign]
    seal.seal_unicast = lambda plaintext, to, key: unicast(later(plaintext), to, key)  # type: ignore[method-assign]


def test_two_adjacent_releases_understand_each_other() -> None:
    world = TrialWorld(1)
    a, b, c = world.line("abc")
    speaks_versions(b, VERSION, VERSION + 1)
    world.run(60)
    assert len(b.node.neighbours.bound()) == 2
    sent, back = a.write(c, "over the new one"), b.write(a, "from the new one")
    b.post("posted by the new one")
    a.post("posted by the old one")
    world.run(60)
    assert (c.inbox(), a.inbox()) == (["over the new one"], ["from the new one"])
    assert (a.state(sent), b.state(back)) == ("delivered", "delivered")
    assert "posted by the new one" in c.posts()
    assert "posted by the old one" in b.posts()
    assert not [notice for box in (a, b, c) for notice in box.told(SessionMet)]


def test_who_speaks_no_version_of_ours_is_shown_once_and_not_bound() -> None:
    world = TrialWorld(2)
    a, b = world.line("ab")
    speaks_versions(b, VERSION + 1, VERSION + 2)
    world.run(600)
    (met,) = a.told(SessionMet)
    assert met.node == b.keys.node
    assert met.why == (
        f"it speaks versions {VERSION + 1} to {VERSION + 2} of the protocol, this node {OLDEST_VERSION} to {VERSION}"
    )
    assert a.node.neighbours.bound() == []
    assert a.node.counters["beacon_of_other_version"] > 10
    before = a.sent_bytes
    world.run(1800)
    lonely = TrialWorld(2)
    z = lonely.add("z")
    lonely.run(600)
    alone = z.sent_bytes
    lonely.run(1800)
    assert a.sent_bytes - before <= 1.1 * (z.sent_bytes - alone), "it costs what solitude costs"
    assert len(a.told(SessionMet)) == 1


def test_a_beacon_in_anothers_name_ends_no_binding() -> None:
    world = TrialWorld(3)
    a, b = world.line("ab")
    world.run(60)
    speaks_versions(b, VERSION + 1, VERSION + 2)
    world.run(120)
    assert [neighbour.node for neighbour in a.node.neighbours.bound()] == [b.keys.node]
    assert len(a.told(SessionMet)) == 1


def test_varints_of_other_releases_frames_are_read() -> None:
    body = bytes(300)
    data = bytes((0x3E | 0x80,)) + varint(len(body)) + body + encode_frame(Unknown(0x3F, b""))
    assert decode_frames_untrusted(data) == (Unknown(0x3E, body), Unknown(0x3F, b""))
