"""Messages and posts with a file: what is announced, what is refused, and that resealing announces it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshnode.core.ids import MessageId
from meshnode.core.inputs import Compose
from meshnode.core.records import MessageRecord
from meshnode.core.sealing.inner import FILE
from meshnode.core.sealing.manifest import MAX_PREVIEW, Manifest
from meshnode.errors import UsageError
from support.trial_files import attach, sample
from support.trial_world import Box, TrialWorld

KEY = bytes(range(32))


def two(seed: int = 1) -> tuple[TrialWorld, Box, Box]:
    world = TrialWorld(seed)
    a, b = world.line("ab")
    world.run(30)
    return world, a, b


def sealed(box: Box, **more: object) -> bytes:
    """The manifest of a file at this box, as for one person."""
    given = attach(box, sample(5000))
    return replace(Manifest(given.file, given.size, "photo.webp", "image/webp", KEY), **more).encode()


def received(box: Box, message: MessageId) -> MessageRecord | None:
    return box.disk.get(MessageRecord, message)


def test_a_direct_message_brings_the_manifest_and_the_words() -> None:
    world, a, b = two()
    manifest = sealed(a, preview=bytes(MAX_PREVIEW))
    message = a.write(b, "the bridge", file=manifest)
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    came = received(b, message)
    assert came is not None
    assert (came.text, came.file, came.missing) == ("the bridge", manifest, 0)
    a.write(b, "and the next one")
    assert world.run(60, until=lambda: b.inbox() == ["the bridge", "and the next one"])


def test_after_a_restart_a_message_with_a_file_is_sealed_as_it_was() -> None:
    world, a, b = two(2)
    manifest = sealed(a)
    b.off()
    message = a.write(b, "", file=manifest)
    a.cut()
    a.boot()
    assert a.node.chat._out._pending[message].inner.kind == FILE
    b.boot()
    assert world.run(120, until=lambda: a.state(message) == "delivered")
    came = received(b, message)
    assert came is not None
    assert came.file == manifest


def test_a_post_brings_its_manifest_now_and_from_the_history() -> None:
    world, a, b = two(3)
    manifest = sealed(a, key=b"")
    message = a.post("for all", file=manifest)
    assert world.run(60, until=lambda: b.posts() == ["for all"])
    came = received(b, message)
    assert came is not None
    assert came.file == manifest
    late = world.add("c")
    world.join("b", "c")
    world.run(30)
    late.joins()
    assert world.run(60, until=lambda: late.posts() == ["for all"])
    a.off()
    a.boot()
    assert a.node.chat._channels._ours


@pytest.mark.parametrize(
    ("to_all", "more", "why"),
    [
        (True, {}, "is sealed"),
        (False, {"key": b""}, "is sealed"),
        (False, {"file": bytes(32)}, "not all of it"),
    ],
)
def test_what_may_not_be_announced(to_all: bool, more: dict, why: str) -> None:
    _, a, b = two(4)
    manifest = sealed(a, **more)
    with pytest.raises(UsageError, match=why):
        a.post("x", file=manifest) if to_all else a.write(b, "x", file=manifest)


def test_no_manifest_and_too_many_words() -> None:
    _, a, b = two(5)
    with pytest.raises(UsageError, match="cannot be announced"):
        a.write(b, "x", file=b"nonsense")
    with pytest.raises(UsageError, match="preview"):
        a.write(b, "x" * 1500, file=sealed(a, preview=bytes(MAX_PREVIEW)))
    with pytest.raises(UsageError, match="text"):
        a.post("x" * 16_384, file=sealed(a, key=b""))


def test_nobody_keeps_files_before_the_node_wires_it() -> None:
    _, a, b = two(6)
    manifest = sealed(a)
    fresh = type(a.node.chat)(a.node.ctx, a.node.forwarding, a.node.rings)
    with pytest.raises(UsageError, match="not all of it"):
        fresh.compose(Compose("x", to=b.keys.persona, file=manifest))


def test_a_sealed_announcement_that_cannot_be_read_leaves_an_empty_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.chat import outgoing

    world, a, b = two(7)
    monkeypatch.setattr(outgoing, "attach", lambda file, text: b"\x7fnonsense")
    message = a.write(b, "words", file=sealed(a))
    monkeypatch.undo()
    assert world.run(60, until=lambda: a.state(message) == "delivered")
    came = received(b, message)
    assert came is not None
    assert (came.text, came.file) == ("", b"")
    assert b.node.counters["file_announcement_refused"] == 1


def test_a_public_announcement_that_cannot_be_read_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from meshnode.core.chat import channels

    world, a, b = two(8)
    monkeypatch.setattr(channels, "attach", lambda file, text: b"\x7fnonsense")
    monkeypatch.setattr(channels, "take_attached_untrusted", lambda data: (b"", ""))
    a.post("words", file=sealed(a, key=b""))
    monkeypatch.undo()
    world.run(10)
    assert b.posts() == []
    assert b.node.counters["file_announcement_refused"] == 1
