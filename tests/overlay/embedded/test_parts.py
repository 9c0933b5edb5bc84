"""Parts of an embedded node: queues, timers, budgets, errors of IPv6, and neighbours that mean no good."""

import json
from pathlib import Path
from sys import setprofile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.errors import WireError
from meshnode.overlay.embedded.ends import ip6
from meshnode.overlay.embedded.ends.requests import decode_keys_untrusted, decode_object_untrusted
from meshnode.overlay.embedded.routing import neighbours, tree
from meshnode.overlay.embedded.routing.budget import Budget
from meshnode.overlay.embedded.routing.heaviest import Heaviest
from meshnode.overlay.embedded.routing.liveness import NEVER, Liveness
from meshnode.overlay.embedded.routing.places import Places, distance
from meshnode.overlay.embedded.routing.queue import BURST, PATIENCE_S, SendQueue
from meshnode.overlay.embedded.routing.refresh import due_at
from meshnode.overlay.embedded.wire import packets
from meshnode.overlay.embedded.wire.framing import Frames
from meshnode.overlay.embedded.wire.packets import Announce, PathBroken, PathLookup, SigReq, SigRes, place_signed
from support.ygg_net import Net, identity, packet

ALL = json.loads((Path(__file__).parents[2] / "vectors/yggdrasil.json").read_text())


SECONDS = st.sampled_from((0.0, 0.001, 0.1))


# -------------------------------------------------------------------- queue, timers, budget


def contents(queue, most=1 << 20):
    return Frames().feed_untrusted(queue.take(most))


def test_packets_of_the_tree_go_first_and_the_others_in_their_order():
    queue = SendQueue()
    queue.add((b"x", b"a"), b"1", 0.0)
    queue.add((b"y", b"a"), b"2", 0.0)
    queue.put(b"tree")
    queue.add((b"x", b"a"), b"3", 0.0)
    assert contents(queue) == [b"tree", b"1", b"2", b"3"]
    assert not queue
    assert queue.waiting_bytes == queue.urgent_bytes == 0


def test_a_queue_gives_about_as_much_as_is_asked():
    queue = SendQueue()
    for at in range(10):
        queue.add((b"x", b"a"), b"%d" % at * 100, 0.0)
    assert len(contents(queue, 250)) == 3
    assert len(contents(queue)) == 7


def test_the_flow_with_most_bytes_pays():
    queue = SendQueue(1000)
    queue.add((b"quiet", b"a"), b"q" * 100, 0.0)
    for at in range(20):
        queue.add((b"loud", b"b"), b"%02d" % at * 50, 1.0)
    assert queue.dropped == 11
    left = contents(queue)
    assert left[0] == b"q" * 100
    assert left[-1] == b"19" * 50
    assert len(left) == 10


def test_a_packet_larger_than_the_queue_goes_alone():
    queue = SendQueue(100)
    queue.add((b"x", b"a"), b"1" * 80, 0.0)
    queue.add((b"x", b"a"), b"2" * 500, 1.0)
    assert contents(queue) == [b"2" * 500]


def test_a_burst_may_wait_where_the_link_is_fast():
    queue = SendQueue(1000)
    for at in range(80):
        queue.add((b"x", b"a"), bytes(100), at * PATIENCE_S / 100)
    assert not queue.dropped
    queue.add((b"x", b"a"), bytes(100), 0.02)
    assert queue.dropped == 1


def test_who_waits_longer_leaves_room_for_the_usual_only():
    queue = SendQueue(1000)
    for at in range(40):
        queue.add((b"x", b"a"), b"%04d" % at * 25, at * 0.002)
    assert queue.waiting_bytes == 1300  # those of the last 25 ms, and the new one
    queue.shorten(0.1)
    assert contents(queue) == [b"%04d" % at * 25 for at in range(30, 40)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(1, 400)), max_size=60), SECONDS)
def test_a_queue_keeps_its_accounts(given, between):
    queue = SendQueue(1000)
    for at, (dest, source, size) in enumerate(given):
        queue.add((dest.encode(), source.encode()), bytes(size), at * between)
        assert queue.waiting_bytes <= (1000 if between > PATIENCE_S else BURST * 1000)
    waiting = queue.waiting_bytes
    assert sum(map(len, contents(queue))) == waiting
    assert len(given) - queue.dropped >= 0
    assert queue.waiting_bytes == 0
    assert not queue._flows
    assert not queue._destinations
    assert not queue._sources


def test_what_was_dropped_does_not_stay_behind_a_packet_that_waits():
    queue = SendQueue(1000)
    queue.add((b"quiet", b"a"), bytes(50), 0.0)
    for at in range(1000):
        queue.add((b"loud", b"b"), bytes(50), 1.0 + at)
    assert len(queue._row) < 100
    assert len(contents(queue)) == 20


def test_to_drop_one_of_many_flows_is_little_work():
    queue = SendQueue(100_000)
    for at in range(2000):
        queue.add((b"x", b"%d" % at), bytes(50), 0.0)
    calls = []
    setprofile(lambda *_: calls.append(None))
    for at in range(1000):
        queue.add((b"y%d" % at, b"a"), bytes(50), 1.0)
    setprofile(None)
    assert queue.dropped == 1000
    assert len(calls) < 100 * 1000


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-40, 40)), max_size=100))
def test_the_heaviest_is_the_heaviest(changes):
    weights, heaviest = {}, Heaviest()
    for name, by in changes:
        by = max(by, -weights.get(name, 0))
        weights[name] = weights.get(name, 0) + by
        heaviest.change(name.encode(), by)
        assert bool(heaviest) == any(weights.values())
        assert not heaviest or weights[heaviest.first().decode()] == max(weights.values())
        assert len(heaviest._heap) <= 4 * len(weights) + 16


def test_a_neighbour_that_does_not_read_is_found_out():
    queue = SendQueue()
    while not queue.overflowed:
        queue.put(bytes(1000))
    assert queue.urgent_bytes < 2 << 20


def test_the_timers_of_a_link():
    timers = Liveness()
    assert timers.next == NEVER
    timers.sent(10.0)
    timers.sent(12.0)
    assert timers.next == 13.0
    timers.received(12.5, packets.KEEPALIVE)
    assert timers.next == NEVER
    timers.received(14.0, packets.BLOOM)
    timers.received(14.5, packets.TRAFFIC)
    assert timers.next == 15.0
    timers.sent_keepalive()
    assert timers.next == NEVER
    timers.received(16.0, packets.ANNOUNCE)
    timers.sent(16.1)
    assert timers.next == 19.1


def test_a_sign_of_life_can_go_at_once():
    timers = Liveness()
    timers.hurry(14.0)
    assert timers.next == NEVER  # nothing is owed
    timers.received(14.0, packets.BLOOM)
    timers.received(14.5, packets.SIG_RES)
    timers.hurry(14.5)
    assert timers.next == 14.5


@pytest.mark.parametrize(
    ("renewed", "parent", "due"),
    [
        (1000, None, 1240),  # a root
        (1000, 1240, 1240.25),  # right behind the parent
        (1000, 999, 1250),  # the parent is late
        (1000, 1100, 1250),  # the parent has moved: no reason to say anything
        (1000, 1249.9, 1250),  # never much later than usual
    ],
)
def test_a_place_is_announced_right_behind_the_parent(renewed, parent, due):
    assert due_at(renewed, parent) == due


def test_a_budget_fills_with_time():
    budget = Budget(2, 1)
    assert [budget.spend(0.0), budget.spend(0.0), budget.spend(0.0)] == [True, True, False]
    assert [budget.spend(1.0), budget.spend(1.0)] == [True, False]


@pytest.mark.parametrize("row", ALL["tree_space"]["distances"], ids=str)
def test_distances(row):
    assert distance(tuple(row["a"]), tuple(row["b"])) == row["dist"]


def test_of_two_places_of_one_key_everybody_keeps_the_same():
    key, low, high = bytes(32), b"\1" * 32, b"\2" * 32
    better = [  # each beats the one before it
        Announce(key, high, 1, 9, 1, b"", b""),
        Announce(key, high, 1, 5, 1, b"", b""),
        Announce(key, low, 1, 7, 1, b"", b""),
        Announce(key, high, 2, 9, 1, b"", b""),
    ]
    for at, place in enumerate(better):
        places = Places(b"\3" * 32)
        assert places.take(place, 0.0)
        assert not places.take(place, 0.0)
        assert not any(places.take(worse, 0.0) for worse in better[:at])
        assert all(places.take(newer, 0.0) for newer in better[at + 1 :])


# -------------------------------------------------------------------- IPv6


def test_packet_too_big_as_the_daemon_says_it():
    said = bytes.fromhex(ALL["icmpv6_packet_too_big"]["hex"])
    offending = said[48:]
    assert ip6.too_big(offending, 1280) == said


def test_unreachable_has_a_right_checksum_and_is_not_answered():
    net = Net(2)
    one, two = net.members
    refused = ip6.unreachable(packet(one.node, two.node), one.node.address)
    body = refused[40:]
    assert ip6.checksum(refused[8:24], refused[24:40], body[:2] + b"\0\0" + body[4:]) == int.from_bytes(
        body[2:4], "big"
    )
    assert ip6.is_icmp_error(refused)
    assert not ip6.is_icmp_error(packet(one.node, two.node))


def test_what_nobody_answers_for_is_unreachable():
    net = Net(2)
    net.line()
    net.settle()
    one = net.members[0]
    nobody = packet(one.node, b"\2" + bytes(15))
    one.node.from_host(nobody, net.now)
    one.node.from_host(nobody, net.now)
    net.run(6)
    assert one.got == [ip6.unreachable(nobody, one.node.address)]


@pytest.mark.parametrize("dest", [b"\xfe\x80" + bytes(14), b"\x20\1" + bytes(14)])
def test_other_networks_are_unreachable_at_once(dest):
    (one,) = Net(1).members
    asked = packet(one.node, dest)
    one.node.from_host(asked, 0.0)
    assert one.got == [ip6.unreachable(asked, one.node.address)]


def test_multicast_and_noise_of_the_interface_are_dropped():
    (one,) = Net(1).members
    for noise in (packet(one.node, b"\xff\2" + bytes(14)), b"", b"\x45" * 60, b"\x60" * 39, b"\x60" + bytes(60)):
        one.node.from_host(noise, 0.0)
    assert one.got == []


def test_a_packet_larger_than_our_mtu_comes_back_as_an_error():
    net = Net(2)
    net.line()
    net.settle()
    one, two = net.members
    one.send(two)
    net.run(2)
    large = packet(one.node, two.node, bytes(1400))
    one.node.from_host(large, net.now)
    net.run(1)
    assert one.got == [ip6.too_big(large, 1280)]


def test_addresses_cannot_be_borrowed():
    net = Net(3)
    net.line()
    net.settle()
    one, two, three = net.members
    one.node.sessions.write(two.node.own, b"\1" + packet(three.node, two.node), net.now)
    one.node.sessions.write(two.node.own, b"\1" + packet(one.node, three.node), net.now)
    net.run(3)
    one.node.sessions.write(two.node.own, b"\1" + packet(three.node, two.node), net.now)
    net.run(1)
    assert two.got == []
    assert two.node.counters["spoofed"] + two.node.counters["not_for_us"] >= 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(WireError):
        decode_object_untrusted(body)


def test_what_is_no_row_of_keys_is_refused():
    assert decode_keys_untrusted(bytes(64)) == [bytes(32)] * 2
    with pytest.raises(WireError):
        decode_keys_untrusted(bytes(33))


# -------------------------------------------------------------------- neighbours that mean no good


@pytest.fixture
def pair():
    """Two that are settled, and the link of the first to the second."""
    net = Net(2)
    (cable,) = net.line()
    net.settle()
    return net, net.members[0].node, cable.links()[0]


def place(child, parent, seq, port=1):
    said = place_signed(child.public, parent.public, seq, 5, port)
    return Announce(child.public, parent.public, seq, 5, port, parent.sign(said), child.sign(said))


@pytest.mark.parametrize("part", ["psig", "sig", "seq", "port", "parent"])
def test_a_forged_announcement_closes_the_link(pair, part):
    net, node, link = pair
    true = place(identity(50), identity(51), 3)
    wrong = {"psig": bytes(64), "sig": bytes(64), "seq": 4, "port": 2, "parent": identity(52).public}
    fields = {name: getattr(true, name) for name in Announce.__slots__} | {part: wrong[part]}
    with pytest.raises(WireError):
        node.router.receive_untrusted(link, packets.encode(Announce(**fields)), net.now)
    node.router.receive_untrusted(link, packets.encode(true), net.now)
    assert identity(50).public in node.router.places


def test_port_zero_is_for_roots_alone(pair):
    net, node, link = pair
    with pytest.raises(WireError):
        node.router.receive_untrusted(link, packets.encode(place(identity(50), identity(51), 3, port=0)), net.now)


def test_a_wrong_signature_of_a_neighbour_closes_the_link(pair):
    net, node, link = pair
    with pytest.raises(WireError):
        node.router.receive_untrusted(link, packets.encode(SigRes(1, 2, 3, bytes(64))), net.now)


def test_places_a_neighbour_brings_are_bounded(pair, monkeypatch):
    monkeypatch.setattr(tree, "MOST_BROUGHT", 20)
    net, node, link = pair
    for number in range(100, 160):
        node.router.receive_untrusted(link, packets.encode(place(identity(number), identity(99), 1)), net.now)
    assert len(node.router.places) <= 23
    assert node.router.tree.refused >= 38
    net.run(310)
    assert len(node.router.places) == 2


@pytest.mark.parametrize("flood", [SigReq(1, 2), packets.Bloom(1), place(identity(50), identity(51), 3)], ids=repr)
def test_a_flood_of_the_tree_closes_the_link(pair, flood):
    net, node, link = pair
    content = packets.encode(flood)
    link.neighbour.tree_budget.spend(net.now, neighbours.TREE_BURST - 2)
    for _ in range(2):
        node.router.receive_untrusted(link, content, net.now)
    with pytest.raises(WireError, match="more of the tree"):
        node.router.receive_untrusted(link, content, net.now)


@pytest.mark.parametrize("kind", [PathLookup, PathBroken])
def test_a_flood_of_lookups_is_dropped(pair, kind):
    net, node, link = pair
    far = identity(77).public
    ask = PathLookup(far, node.own, (1,)) if kind is PathLookup else PathBroken((), packets.START, far, far)
    node.router.receive_untrusted(link, packets.encode(packets.Bloom(2**8192 - 1)), net.now)
    for _ in range(500):
        node.router.receive_untrusted(link, packets.encode(ask), net.now)
    assert node.router.counters["path_floods"] >= 299
    net.run(3)
    assert net.exchange([tuple(net.members)]) == []


def test_our_own_key_is_no_neighbour():
    (one,) = Net(1).members
    with pytest.raises(WireError):
        one.node.router.join(one.node.own, 0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 10), st.binary(max_size=200)), max_size=5))
def test_noise_on_a_link_closes_it_or_does_no_harm(noise):
    net = Net(2)
    (cable,) = net.line()
    net.settle()
    node, link = net.members[0].node, cable.links()[0]
    for kind, body in noise:
        try:
            node.router.receive_untrusted(link, bytes((kind,)) + body, net.now)
        except WireError:
            pass
    net.run(2)
    assert net.exchange([tuple(net.members)]) == []
