"""Networks in memory: a tree with the lowest key as its root, and packets between every pair."""

import random
from functools import partial
from itertools import combinations, pairwise, permutations

import pytest

from meshnode.overlay.embedded.ends.requests import Question, decode_keys_untrusted, decode_object_untrusted
from meshnode.overlay.embedded.node import NodeSettings
from meshnode.overlay.embedded.wire.filters import mark
from meshnode.overlay.embedded.wire.keys import lookup_key
from meshnode.overlay.embedded.wire.packets import PATH_BROKEN, TRAFFIC
from support.ygg_net import Member, Net, packet


def roots(net):
    return {member.node.router.places.chain(member.node.own)[-1] for member in net.members}


def random_graph(net, extra, seed):
    """A tree over all, and `extra` edges more."""
    choose = random.Random(seed)
    for at, member in enumerate(net.members[1:], 1):
        net.join(choose.choice(net.members[:at]), member)
    for one, two in choose.sample(list(combinations(net.members, 2)), extra):
        net.join(one, two)


SHAPES = {
    "pair": lambda net: net.line(),
    "line": lambda net: net.line(),
    "ring": lambda net: (net.line(), net.join(net.members[-1], net.members[0])),
    "random": lambda net: random_graph(net, 4, seed=7),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pair_exchanges_packets(shape):
    net = Net(2 if shape == "pair" else 7)
    SHAPES[shape](net)
    net.settle()
    assert roots(net) == {min(member.node.own for member in net.members)}
    assert net.exchange(permutations(net.members, 2)) == []


def test_the_coordinates_of_a_line():
    net = Net(4)
    net.line()
    net.settle()
    root = min(net.members, key=lambda member: member.node.own)
    for member in net.members:
        assert len(member.node.router.coords()) == abs(net.members.index(member) - net.members.index(root))


@pytest.mark.parametrize("seed", range(3))
def test_links_that_are_cut_and_restored_are_found_around(seed):
    choose, net = random.Random(seed), Net(8)
    random_graph(net, 8, seed)
    net.settle()
    for _ in range(4):
        cable = choose.choice(net.cables)
        net.cut(cable)
        net.run(6)
        net.join(*(member for member, _, _ in cable.ends))
    net.run(10)
    assert roots(net) == {min(member.node.own for member in net.members)}
    assert net.exchange(permutations(net.members, 2)) == []


def test_two_networks_become_one_and_two_again():
    net = Net(6)
    cables = net.line()
    net.cut(cables[2])
    net.settle()
    assert len(roots(net)) == 2
    bridge = net.join(net.members[2], net.members[3])
    net.settle()
    assert len(roots(net)) == 1
    assert net.exchange([(net.members[0], net.members[5])]) == []
    net.cut(bridge)
    net.run(320)  # who lost the root goes on under it until its announcement is too old
    assert len(roots(net)) == 2
    assert net.exchange([(net.members[0], net.members[2]), (net.members[3], net.members[5])]) == []


def test_neighbours_are_told_who_is_on_the_other_side_of_us():
    net = Net(3)
    net.line()
    net.settle()
    one, two, three = (member.node for member in net.members)
    for near, far in ((one, three), (three, one)):
        told = two.router.neighbours.get(near.own).sent
        assert told == mark(lookup_key(two.own)) | mark(lookup_key(far.own))


def test_a_key_that_is_gone_leaves_the_filters_in_seconds():
    net = Net(3)
    first, _ = net.line()
    net.settle()
    _, two, three = (member.node for member in net.members)
    net.cut(first)
    net.run(4)
    assert two.router.neighbours.get(three.own).sent == mark(lookup_key(two.own))


def test_a_lost_parent_is_replaced_at_once():
    net = Net(3)
    one, two, three = sorted(net.members, key=lambda member: member.node.own)
    first, _, _ = net.join(one, three), net.join(one, two), net.join(two, three)
    net.settle()
    assert three.node.router.coords() != ()
    net.cut(first)
    net.run(1)
    assert three.node.router.places.get(three.node.own).parent == two.node.own
    net.run(4)
    assert net.exchange([(one, three), (three, one)]) == []


def test_the_tree_is_renewed_and_stays():
    net = Net(3)
    net.line()
    net.settle()
    before = [member.node.router.places.get(member.node.own).seq for member in net.members]
    net.run(250)
    after = [member.node.router.places.get(member.node.own).seq for member in net.members]
    assert all(new > old for new, old in zip(after, before, strict=True))
    net.run(400)
    assert roots(net) == {min(member.node.own for member in net.members)}
    assert net.exchange(permutations(net.members, 2)) == []


def test_news_of_the_tree_pass_some_hops_in_a_second():
    net = Net(9)
    first, *_, last, stranger = net.members
    for one, two in zip(net.members[:-1], net.members[1:-1], strict=False):
        net.join(one, two)
    net.run(25)
    net.join(last, stranger)
    net.hasten(14)  # seven hops of a place and of a filter: in rounds of a second they take eight
    first.send(stranger)
    net.pump()
    assert stranger.got == [packet(first.node, stranger.node)]


def test_an_idle_network_says_little_and_never_nothing_for_long():
    net = Net(3)
    cables = net.line()
    net.settle()
    net.run(1000)  # children refresh behind their parents now
    counts = [[cable.count] for cable in cables]
    for _ in range(2400):
        net.run(1)
        for cable, seen in zip(cables, counts, strict=True):
            seen.append(cable.count)
    for seen in counts:
        spoken = [second for second, (old, new) in enumerate(pairwise(seen)) if new != old]
        assert max(late - early for early, late in pairwise(spoken)) <= 250
        assert len(spoken) <= 10 * 3  # and no more often than it must: what is said together costs fewer packets
    # ten refreshes of each end: announcement, request, signature; over the lower link the root's announcements too
    assert max(seen[-1] - seen[0] for seen in counts) <= 10 * (2 * 3 + 1)


def test_who_starts_again_goes_above_what_the_network_remembers():
    net = Net(3)
    cables = net.line()
    net.run(600)
    middle = net.members[1]
    old = middle.node.router.places.get(middle.node.own).seq
    for cable in cables:
        net.cut(cable)
    middle.start(None, 0)
    net.line()
    net.run(8)
    for member in net.members:
        assert member.node.router.places.get(middle.node.own).seq > old
    assert net.exchange(permutations(net.members, 2)) == []


def test_a_neighbour_that_has_not_announced_swallows_nothing():
    net = Net(3)
    one, two, three = sorted(net.members, key=lambda member: member.node.own)
    silent = net.join(two, three)  # the older link: of equals it would be taken
    silent.passes = lambda to, content: to is three or content[0] not in (4, 9)
    net.run(2)
    net.join(one, two)
    net.settle()
    assert net.exchange([(two, one), (one, two)]) == []


def test_the_link_with_the_lower_priority_number_carries_the_traffic():
    net = Net(2)
    slow, fast = (net.join(*net.members, priority=number) for number in (9, 1))
    net.settle()
    for member in net.members:
        assert [one.port for one in member.node.router.neighbours] == [1]
    heavy = {"slow": 0, "fast": 0}

    def counted(name):
        def passes(to, content):
            heavy[name] += content[0] == TRAFFIC
            return True

        return passes

    slow.passes, fast.passes = counted("slow"), counted("fast")
    assert net.exchange(permutations(net.members, 2)) == []
    assert heavy["slow"] == 0 < heavy["fast"]
    net.cut(fast)
    net.run(3)
    assert net.exchange(permutations(net.members, 2)) == []


def test_a_path_that_broke_is_looked_up_again():
    net = Net(4)
    one, two, three, four = net.members
    net.join(one, two)
    moved = net.join(two, three)
    net.join(two, four)
    net.settle()
    assert net.exchange([(one, three)]) == []
    net.cut(moved)
    net.join(four, three)
    broken = []
    net.cables[0].passes = lambda to, content: broken.append(content[0] == PATH_BROKEN) or True
    net.run(8)
    for _ in range(3):
        one.send(three)
        net.run(2)
    assert net.exchange([(one, three)]) == []
    assert any(broken)


def test_addresses_of_the_subnet_reach_their_node():
    net = Net(2)
    net.line()
    net.settle()
    one, two = net.members
    inside = two.node.subnet + b"\0\0\0\0\0\0\0\7"
    sent = packet(one.node, inside)
    one.node.from_host(sent, net.now)
    net.run(3)
    assert two.got == [sent]


def test_every_question_has_its_answer():
    net = Net(3)
    net.line()
    net.settle()
    one, two, three = net.members
    three.node.settings = NodeSettings(info={"name": "three"})
    answers = {}
    three.send(one)  # only the last message waits for a session, so there has to be one
    net.run(3)
    for question in Question:
        one.node.ask(question, three.node.own, partial(answers.setdefault, question), net.now)
    net.run(1)
    assert decode_object_untrusted(answers[Question.INFO]) == {"name": "three"}
    assert decode_object_untrusted(answers[Question.SELF])["key"] == three.node.own.hex()
    assert decode_keys_untrusted(answers[Question.PEERS]) == [two.node.own]
    assert set(decode_keys_untrusted(answers[Question.TREE])) <= {member.node.own for member in net.members}


def test_a_question_nobody_answers_ends():
    net = Net(2)
    net.line()
    net.settle()
    answers = []
    net.members[0].node.ask(Question.INFO, Member(net, 99).node.own, answers.append, net.now)
    net.run(7)
    assert answers == [None]


def test_a_larger_network():
    net = Net(40)
    random_graph(net, 20, seed=3)
    net.run(20)
    assert roots(net) == {min(member.node.own for member in net.members)}
    choose = random.Random(1)
    pairs = choose.sample(list(permutations(net.members, 2)), 60)
    assert net.exchange(pairs) == []
