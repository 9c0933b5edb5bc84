"""What is refused of people nobody knows yet must not keep them unknown."""

from __future__ import annotations

from meshnode.core.chain.kinds import POST, PROFILE
from meshnode.core.ids import channel_id, log_id
from meshnode.core.records import BlockRecord
from support.trial_member import block_of, person_log, say
from support.trial_world import TrialWorld


def test_a_prekey_that_arrives_before_its_log_began_does_not_shut_the_log_out() -> None:
    """It is larger than a stranger's first block may be; the log was refused for a day, and its owner unreachable."""
    world = TrialWorld(2)
    a, b, _ = world.line("abc")
    world.run(30)
    stranger = world.add("s")
    last = max(row.seq for row in stranger.disk.every(BlockRecord) if row.log == person_log(stranger))
    say(b, block_of(stranger, person_log(stranger), last), a)
    world.run(1)
    assert not a.node.gossip.logs.admission.refused()
    world.join("c", "s")
    world.run(120)
    assert person_log(stranger) in a.node.gossip.logs.book.logs


def test_who_posts_in_many_channels_can_still_become_a_contact() -> None:
    world = TrialWorld(3)
    a, b = world.add("a"), world.add("b")
    for name in ("one", "two", "three"):
        log = log_id(b.keys.device, b.keys.incarnation, channel_id(name))
        b.post(f"in {name}", name)
        a.node.gossip.logs.admission.opened(log, 0.0)  # as if they had come first
    world.join("a", "b")
    world.run(60)
    a.knows(b)
    b.knows(a)
    message = a.write(b, "now I know you")
    assert world.run(60, until=lambda: b.inbox() == ["now I know you"])
    assert world.run(60, until=lambda: a.state(message) == "delivered")


def test_a_long_first_post_is_read_by_people_who_do_not_know_its_writer() -> None:
    """It is larger than a first block may be; its log was refused for a day, and what followed with it."""
    world = TrialWorld(4)
    a, b, c = world.line("abc")
    world.run(30)
    a.post("x" * 3000)
    a.post("short")
    b.post("small enough to come first")
    assert world.run(60, until=lambda: len(c.posts()) == 3)
    begins = {log_id(box.keys.device, box.keys.incarnation, channel_id("square")): box.name for box in (a, b)}
    rows = [row for row in c.disk.every(BlockRecord) if row.log in begins]
    assert sorted((begins[row.log], row.seq, row.kind) for row in rows) == [
        ("a", 1, PROFILE),
        ("a", 2, POST),
        ("a", 3, POST),
        ("b", 1, POST),
    ]
