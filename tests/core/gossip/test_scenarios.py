"""Small worlds with seeds: what must come of a line, a clique, a partition, loss, liars, and silence."""

from __future__ import annotations

import pytest

from meshnode.core.gossip.flood import UNANSWERED
from meshnode.core.inputs import FrameReceived, PeerSeen
from meshnode.core.neighbours.echoes import echo_hash
from meshnode.core.neighbours.neighbour import FOREVER
from meshnode.core.sealing.link import LinkSeal
from meshnode.core.sealing.seeded import SeededSealer
from meshnode.core.settings import LinkSettings, Settings
from meshnode.core.wire.codec import encode_frames
from meshnode.core.wire.frames import Beacon, Echo, Frame
from support.gossip_node import MESH, GossipNode, agree, node_of, post, restart, village
from support.world import LINK, World

TEN = "abcdefghij"


def texts(world: World, name: str) -> list[str]:
    return [(block.body or b"").decode() for block in node_of(world, name).blocks]


def per_minute(world: World, names: str, seconds: float) -> dict[str, float]:
    before = dict(world.air_bytes)
    world.run(seconds)
    return {name: (world.air_bytes[name] - before.get(name, 0)) / seconds * 60 for name in names}


class Liar:
    """A member: holds the mesh key and nothing else, and speaks in others' names."""

    def __init__(self, world: World, victim: str, *, counter: int = 100_000) -> None:
        self.world = world
        self.victim = node_of(world, victim).neighbours
        self.counter = counter

    def echoes(self, *names: str) -> tuple[Echo, ...]:
        """What a true neighbour would echo: a member hears all beacons."""
        heard = [node_of(self.world, name).neighbours for name in names]
        return tuple(Echo(one.me[:2], one._beacons[LINK]._sent[-1][1]) for one in heard)

    def say(self, frames: list[Frame], *hearers: str) -> None:
        """In the victim's present epoch, ahead of it."""
        seal = LinkSeal(SeededSealer("liar"), MESH, self.victim.me, self.victim._seal.epoch)
        seal._counter = self.counter = self.counter + 1
        data = seal.seal_multicast(encode_frames(frames, 1100))
        for name in hearers:
            self.world.feed(name, FrameReceived(LINK, "liar", True, data))


def test_a_post_crosses_a_line_of_five_at_once_and_once_per_hop() -> None:
    world = village(1, "abcde")
    world.line(*"abcde")
    world.start()
    world.run(60)
    before = sum(world.air_frames.values())
    post(world, "a", "hello")
    world.run(0.1)
    assert [texts(world, name) for name in "bcde"] == [["hello"]] * 4
    assert sum(world.air_frames.values()) - before == 4
    world.run(5)
    (neighbour, log, head), *_ = node_of(world, "a").covered
    assert (neighbour.node, head) == (node_of(world, "b").node, 1)
    assert node_of(world, "a").gossip.covered_by(log, 1) == [neighbour]
    assert node_of(world, "a").gossip.covered_by(log, 2) == []


@pytest.mark.parametrize("topology", ["clique", "line"])
def test_ten_settled_nodes_stay_within_300_bytes_a_minute(topology: str) -> None:
    world = village(2, TEN)
    (world.clique if topology == "clique" else world.line)(*TEN)
    world.start()
    post(world, "a", "something to agree on")
    world.run(300)
    assert agree(world, *TEN)
    spent = per_minute(world, TEN, 1800)
    assert max(spent.values()) < 300
    assert min(spent.values()) > 0, "at least one beacon per two longest intervals"


def test_in_a_ring_most_copies_are_left_out() -> None:
    """Ten in one room: of nine who might repeat a post few do."""
    world = village(3, TEN)
    world.clique(*TEN)
    world.start()
    world.run(120)
    before = sum(world.air_frames.values())
    post(world, "a", "hello")
    world.run(1)
    assert [texts(world, name) for name in TEN[1:]] == [["hello"]] * 9
    assert sum(world.air_frames.values()) - before <= 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("retries", [7, 0])
def test_a_third_lost_on_every_link_and_all_of_it_arrives(seed: int, retries: int) -> None:
    world = village(seed, "abcde", loss=0.3, retries=retries)
    world.line(*"abcde")
    world.start()
    world.run(120)
    for index in range(20):
        post(world, "ae"[index % 2], f"post {index}")
        world.run(1)
    world.run(240)
    assert agree(world, *"abcde")
    for name in "bcd":
        assert sorted(texts(world, name)) == sorted(f"post {index}" for index in range(20))


@pytest.mark.parametrize("sessions", [True, False])
def test_a_partition_heals_without_help(sessions: bool) -> None:
    world = village(4, "abcdef")
    world.sessions_work = sessions
    world.line("a", "b", "c")
    world.line("d", "e", "f")
    world.start()
    for index in range(90):
        post(world, "a", f"west {index}")
        post(world, "f", f"east {index}")
        world.run(0.7)
    assert not agree(world, *"abcdef")
    world.join("c", "d")
    world.run(90)
    assert agree(world, *"abcdef")
    assert len(texts(world, "a")) == len(texts(world, "f")) == 90


def test_catching_up_a_thousand_posts_costs_little_more_than_they_weigh() -> None:
    world = village(5, "ab")
    world.start()
    for index in range(1000):
        post(world, "a", f"{index:04}" * 50)
    world.run(60)
    world.join("a", "b")
    before = sum(world.air_bytes.values())
    world.run(40)
    assert len(texts(world, "b")) == 1000
    assert sum(world.air_bytes.values()) - before < 1.6 * 200_000
    assert texts(world, "b") == [f"{index:04}" * 50 for index in range(1000)], "in the order they were written"


def test_a_burst_to_one_that_has_left_ends_soon_and_arrives_when_it_returns() -> None:
    world = village(11, "ab")
    world.line("a", "b")
    world.start()
    world.run(60)
    world.part("a", "b")
    said = [f"post {n} " + "x" * 200 for n in range(500)]
    before = world.air_bytes["a"]
    for text in said:
        post(world, "a", text)
    world.run(10)
    dark = (world.air_bytes["a"] - before) / 8  # each goes eight times where nobody hears it
    assert dark < 1.25 * UNANSWERED < 48_000, "what may stand in the driver, if catching up is to cost 1.6"
    world.join("a", "b")
    world.run(60)
    assert sorted(texts(world, "b")) == sorted(said)
    assert node_of(world, "a").ctx.counters["block_left_to_repair"] > 250


def test_a_neighbour_that_is_heard_in_between_is_told_at_once() -> None:
    world = village(12, "ab")
    world.line("a", "b")
    world.start()
    world.run(60)
    for n in range(300):
        post(world, "a", f"post {n} " + "x" * 200)
        if n % 100 == 0:
            world.run(10)  # and a beacon comes
    world.run(3)
    assert len(texts(world, "b")) == 300
    assert not node_of(world, "a").ctx.counters["block_left_to_repair"]


def test_a_neighbour_that_says_nothing_is_asked_and_told_on() -> None:
    """A burst of 90 kB goes at once to who is there; a question for each 16 kB, and its answer, are all it takes."""
    world = village(12, "ab")
    world.line("a", "b")
    world.start()
    world.run(60)
    before = world.air_bytes["b"]
    for n in range(300):
        post(world, "a", f"post {n} " + "x" * 200)
        world.run(0.01)
    assert len(texts(world, "b")) >= 295
    assert not node_of(world, "a").ctx.counters["block_left_to_repair"]
    assert world.air_bytes["b"] - before < 10 * 140, "a few short answers and a beacon"


def test_what_piles_up_here_is_not_more_for_a_question_that_overtakes_it() -> None:
    """On a slow link a burst stands in line: who would answer at once has not heard it yet."""
    world = village(12, "ab", settings=LinkSettings(unicast_bps=100_000, multicast_bps=100_000))
    world.line("a", "b")
    world.start()
    world.run(60)
    said = [f"post {n} " + "x" * 200 for n in range(400)]
    for text in said:
        post(world, "a", text)
        world.run(0.005)
    assert node_of(world, "a").outbox.backlog_s(LINK) < 6
    world.run(60)
    assert sorted(texts(world, "b")) == sorted(said)


def test_a_transfer_that_breaks_off_goes_on_where_it_was() -> None:
    world = village(6, "ab")
    world.start()
    for index in range(600):
        post(world, "a", f"{index:04}" * 50)
    world.join("a", "b")
    world.run_until(120, lambda: len(texts(world, "b")) > 250)
    world.part("a", "b")
    held = len(texts(world, "b"))
    world.run(5)
    restart(world, "b", epoch=2)
    world.join("a", "b")
    before = world.air_bytes["sessions"]
    world.run(60)
    assert len(texts(world, "b")) == 600 - held, "each came once"
    assert world.air_bytes["sessions"] - before < 1.6 * 200 * (600 - held)


def test_two_neighbours_with_different_quotas_reach_silence() -> None:
    """b takes a tenth of nothing from strangers: it refuses most of what a holds, and both know."""
    world = World(7)
    world.add("a", GossipNode("a"))
    world.add("b", GossipNode("b", settings=Settings(store_limit=9_000)))
    for index in range(12):
        world.add(f"w{index}", GossipNode(f"w{index}"))
        world.join("a", f"w{index}")
    world.start()
    world.run(30)
    for index in range(12):
        post(world, f"w{index}", "word " * 30)
    world.run(30)
    for index in range(12):
        world.part("a", f"w{index}")
    world.run(300)
    world.join("a", "b")
    world.run(300)
    assert not agree(world, "a", "b")
    assert len(node_of(world, "b").heads()) < len(node_of(world, "a").heads()) == 12
    spent = per_minute(world, "ab", 3600)
    assert max(spent.values()) < 300


def test_many_logs_few_changed_cost_by_the_difference() -> None:
    """Two nodes of 300 logs, cut off, ten logs change: what they then say follows the ten."""
    world = village(8, "ab")
    world.start()
    writers = [GossipNode(f"w{index}") for index in range(300)]
    from meshnode.core.neighbours.table import Heard

    heard = Heard(node_of(world, "a").neighbours.me, None, False, "", "", False, (), carrier="parcel")
    from meshnode.core.chain.block import compact_of

    for index, writer in enumerate(writers):
        block = writer.write("x")
        writer.gossip.logs.take_own(block)
        for name in "ab":
            node = node_of(world, name)
            node.ctx.out = []
            node.gossip.logs.admission._new.clear()
            node.gossip.logs.take_untrusted(block.log, compact_of(block, elide=False), heard)
            node.gossip.logs.flush()
            world.perform(name, node.ctx.out)
        if index % 30 == 0:
            more = writer.write("y")
            node = node_of(world, "a")
            node.ctx.out = []
            node.gossip.logs.take_untrusted(more.log, compact_of(more, elide=False), heard)
            node.gossip.logs.flush()
            world.perform("a", node.ctx.out)
    world.run(60)
    before = sum(world.air_bytes.values())
    world.join("a", "b")
    world.run_until(world.now + 120, lambda: agree(world, "a", "b"))
    assert agree(world, "a", "b")
    assert sum(world.air_bytes.values()) - before < 10 * 115 + 8_000


def test_a_lying_digest_does_not_hold_the_valley_at_its_shortest_interval() -> None:
    """A neighbour in good standing tells another digest each two seconds, for an hour."""
    world = village(9, "abc")
    world.clique("a", "b", "c")
    world.start()
    post(world, "a", "hello")
    world.run(120)
    liar = node_of(world, "c").neighbours
    before = {name: world.air_bytes[name] for name in "ab"}
    for index in range(1800):
        lie = Beacon(1, 1, 0, index.to_bytes(8, "big"), bytes(4), liar.choose_echoes(LINK))
        sealed = liar.seal(LINK, None, encode_frames([lie], 1000))
        assert sealed is not None
        for name in "ab":
            world.feed(name, FrameReceived(LINK, "c", True, sealed[1]))
        world.run(2)
    assert liar.get(node_of(world, "a").node) in liar.bound()
    for name in "ab":
        assert (world.air_bytes[name] - before[name]) / 60 < 400


def test_words_in_a_neighbours_name_cost_little() -> None:
    """A member who speaks for another, in its epoch and ahead of it. The true one is heard beside it, and answered."""
    world = village(9, "abc")
    world.clique("a", "b", "c")
    world.start()
    post(world, "a", "hello")
    world.run(120)
    liar = Liar(world, "c")
    before = {name: world.air_bytes[name] for name in "ab"}
    for index in range(600):
        liar.say([Beacon(1, 1, 0, index.to_bytes(8, "big"), bytes(4), liar.echoes("a", "b"))], "a", "b")
        world.run(2)
    for name in "ab":
        assert (world.air_bytes[name] - before[name]) / 20 < 1100


def test_forged_echoes_bind_nobody() -> None:
    world = village(10, "ab")
    world.start()
    world.join("a", "b")
    world.run(10)
    victim = node_of(world, "a")
    absent = GossipNode("z")
    from meshnode.core.neighbours.hello import make_hello

    seal = LinkSeal(SeededSealer("z"), MESH, absent.neighbours.me, 1)
    hello = encode_frames([make_hello(absent.ctx, 1)], 1000)
    world.feed("a", FrameReceived(LINK, "z", True, seal.seal_multicast(hello)))
    for index in range(300):
        echo = Echo(victim.neighbours.me[:2], echo_hash(index.to_bytes(12, "big")))
        beacon = Beacon(1, 1, 0, bytes(8), bytes(4), (echo,))
        world.feed("a", FrameReceived(LINK, "z", True, seal.seal_multicast(encode_frames([beacon], 1000))))
    assert absent.node not in {n.node for n in victim.neighbours.bound()}


def test_a_flood_of_new_ids_costs_six_resets_a_minute() -> None:
    world = village(11, "ab")
    world.join("a", "b")
    world.start()
    world.run(300)
    before = world.air_bytes["a"]
    for index in range(600):
        sybil = LinkSeal(SeededSealer("s"), MESH, GossipNode("a").neighbours.me[:3] + index.to_bytes(3, "big"), 1)  # type: ignore[arg-type]
        frame = Beacon(1, 1, 0, bytes(8), bytes(4))
        world.feed("a", FrameReceived(LINK, "s", True, sybil.seal_multicast(encode_frames([frame], 1000))))
        world.run(0.5)
    spent = (world.air_bytes["a"] - before) / 5
    assert spent < 6 * 245 + 6 * 7 * 140 + 8 * 300, "six HELLOs, six resets of seven beacons, one greeting in vain"


@pytest.mark.parametrize("draws", [0, 5, 9])
def test_a_ferry_is_met_each_time_it_comes_by(draws: int) -> None:
    world = village(12, "abfxy")
    world.join("a", "b")
    world.join("x", "y")
    for name in "abfxy":
        node_of(world, name).carries = True
        for _ in range(draws):  # other moments for all beacons
            node_of(world, name).ctx.entropy.between("beacon", 0.0, 1.0)
    world.start()
    bound: list[float] = []
    node_of(world, "a").neighbours.on_bound.append(lambda neighbour: bound.append(world.now))
    met_at: list[float] = []
    for _ in range(12):
        for here in ("a", "x"):
            world.join("f", here)
            start = world.now
            f = node_of(world, "f")
            other = node_of(world, here).node
            world.run_until(start + 20, lambda f=f, other=other: f.neighbours.get(other) in f.neighbours.bound())  # type: ignore[misc]
            met_at.append(world.now - start)
            world.run_until(start + 20)
            world.part("f", here)
            world.run(10)
    assert max(met_at) < 12
    assert sum(met_at) / len(met_at) < 4


def test_overlay_peers_are_called_kept_and_told_news() -> None:
    world = village(13, "ab")
    world.start()
    for index in range(40):
        post(world, "a", f"old {index}")
    world.feed("b", PeerSeen("a", "overlay"))
    world.run(15)
    assert len(texts(world, "b")) == 40
    post(world, "a", "news")
    world.run(1)
    assert texts(world, "b")[-1] == "news"
    before = world.air_bytes["sessions"]
    world.run(600)
    assert world.air_bytes["sessions"] - before < 200, "quiet once both know"
    for name in "ab":
        gossip = node_of(world, name).gossip
        assert gossip.sessions.wakeup() == FOREVER, "and nobody looks whether there is news: it would be known"
        assert (gossip.dialler.wakeup() or FOREVER) == FOREVER
    peer = node_of(world, "a").neighbours.get(node_of(world, "b").node)
    assert peer is not None
    world._hang_up("a", peer.session or 0)
    post(world, "a", "while it was down")
    world.run(30)
    assert texts(world, "b")[-1] == "while it was down"


@pytest.mark.parametrize("later_ms", range(0, 31, 3))
def test_what_comes_from_elsewhere_while_two_compare_is_told_after(later_ms: int) -> None:
    """b and a compare, and end wanting nothing, while b is still given what c has: that is no settled difference."""
    world = village(13, "abc")
    for name in "abc":
        post(world, name, f"of {name}")
    world.open_overlay("b", "a")
    world.run(later_ms / 1000)
    world.open_overlay("c", "b")
    world.run(30)
    assert agree(world, "a", "b", "c")
    before = world.air_bytes["sessions"]
    world.run(600)
    assert world.air_bytes["sessions"] - before < 100, "quiet once all know"


@pytest.mark.parametrize("later_s", [0.0, 0.05, 0.4, 3.0])
def test_two_members_of_a_box_have_each_others_first_words_at_once(later_s: float) -> None:
    """The box catches up with the one that came last, and names what is new to the other: it need not compare."""
    world = village(13, "abc")
    world.start()
    for name, wait_s in (("a", later_s), ("c", 0.0)):
        post(world, name, f"of {name}")
        world.feed(name, PeerSeen("b", "overlay", calls=False))
        world.run(wait_s)
    world.run(0.5)
    assert agree(world, "a", "b", "c")
    before = world.air_bytes["sessions"]
    world.run(600)
    assert world.air_bytes["sessions"] - before < 150, "quiet once all know"


def test_what_two_caught_up_with_is_fetched_from_one_of_them() -> None:
    world = village(13, "abcx")
    world.start()
    for index in range(40):
        post(world, "x", f"old {index} " + "x" * 200)
    for one, other in (("a", "b"), ("a", "c"), ("x", "b"), ("x", "c")):
        world.open_overlay(one, other)
    world.run(0.9)
    assert agree(world, *"abcx")
    assert world.air_bytes["sessions"] < 3.3 * 40 * 280, "to b, to c, and once to a"


def test_a_peer_that_does_not_answer_is_called_less_and_less() -> None:
    world = village(14, "b")
    world.start()
    world.feed("b", PeerSeen("200::dead", "overlay"))
    world.feed("b", PeerSeen("200::dead", "overlay"))
    dials = []
    real = world._dial
    world._dial = lambda seat, dial: (dials.append(world.now), real(seat, dial))[1]  # type: ignore[assignment,method-assign]
    world.run(3600)
    assert 8 < len(dials) < 16
    world.feed("b", PeerSeen("200::dead", "overlay", present=False))
    count = len(dials)
    world.run(3600)
    assert len(dials) == count


def test_the_same_seed_gives_the_same_trace() -> None:
    traces = []
    for _ in range(2):
        world = village(15, "abcd", loss=0.2)
        world.record_heard = True
        world.line(*"abcd")
        world.start()
        for index in range(5):
            post(world, "a", f"post {index}")
            world.run(5)
        traces.append([(at, source, target, heard.data) for at, source, target, heard in world.heard_log])
    assert traces[0] == traces[1]


def test_a_small_link_carries_all_of_it_too() -> None:
    world = village(16, "abc", loss=0.2, settings=LinkSettings(384, 384, 150_000, 150_000))
    world.line(*"abc")
    world.start()
    world.run(60)
    post(world, "a", "short")
    for index in range(6):
        post(world, "a", f"{index}" * 900)
    world.run(120)
    assert agree(world, *"abc")
    assert len(texts(world, "c")) == 7


def test_what_one_session_catches_up_on_is_soon_told_to_the_others() -> None:
    """A newcomer's keys, written before it had a session: who is connected to the same node has them in seconds."""
    world = village(7, "abc")
    world.start()
    post(world, "c", "my key")
    world.open_overlay("a", "b")
    world.run(60)
    world.open_overlay("c", "b")
    world.run(10)
    assert texts(world, "b") == ["my key"]
    assert texts(world, "a") == ["my key"]
