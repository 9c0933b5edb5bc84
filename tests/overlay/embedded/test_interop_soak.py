"""The long trials beside yggdrasil-go: nothing flaps, and a torn network of both kinds heals."""

import random
import time

import pytest

from support.ygg_lab import all_ping, lab, lost, until

pytestmark = [pytest.mark.netns, pytest.mark.ygg, pytest.mark.soak]

WATCHED_S = 70


def test_links_over_tcp_tls_and_multicast_stay_up(tmp_path):
    with lab(["go", "ours", "go", "ours"], tmp_path) as nodes:
        one, two, three, four = nodes
        one.start(multicast=True)
        two.start([one.uri("tcp"), one.uri("tls")], multicast=True)
        three.start([two.uri("tcp"), two.uri("tls")])
        four.start([three.uri("tcp"), two.uri("tls")])
        all_ping(nodes)
        before = {node.number: uptimes(node) for node in nodes}
        began = time.monotonic()
        said = one.run("ping", "-i", "0.5", "-c", str(2 * WATCHED_S), "-w", "250", four.address).stdout
        passed = time.monotonic() - began
        for node in nodes:
            now = uptimes(node)
            for remote, up in before[node.number].items():
                assert now.get(remote, 0) >= up + passed - 5, f"{node.kind} {node.number}: {remote} flapped"
        assert not lost(said, 2 * WATCHED_S)


def uptimes(node):
    return {row["remote"]: row["uptime"] for row in node.ask("getPeers")["peers"] if row["up"]}


LOSSY = """
table inet air {
  chain input { type filter hook input priority 0; iifname "eth0" numgen random mod 100 < 30 drop; }
}
"""


def test_a_third_of_the_packets_lost_below_and_still_every_pair_pings(tmp_path):
    """Links end now and then, as between two of Go's: a sign of life that is lost four times comes too late."""
    with lab(["go", "ours", "go", "ours"], tmp_path) as nodes:
        for at, node in enumerate(nodes):
            node.start([nodes[at - 1].uri("tcp")] if at else [])
        all_ping(nodes)
        for node in nodes:
            done = node.run("nft", "-f", "-", input=LOSSY)
            assert done.returncode == 0, done.stderr
        all_ping(nodes)
        for node in nodes:
            node.run("nft", "delete", "table", "inet", "air")
        all_ping(nodes)
        until(lambda: one_root(nodes), "the tree does not settle again")


def test_five_of_each_kind_find_each_other_again_after_cuts(tmp_path):
    choose = random.Random(4)
    kinds = ["go", "ours"] * 5
    with lab(kinds, tmp_path) as nodes:
        links = [(choose.randrange(at), at) for at in range(1, 10)]
        links += [tuple(sorted(choose.sample(range(10), 2))) for _ in range(6)]
        for at, node in enumerate(nodes):
            node.start([nodes[below].uri(choose.choice(["tcp", "tls"])) for below, above in set(links) if above == at])
        until(lambda: one_root(nodes), "there is no tree over all")
        all_ping(nodes)
        for _ in range(3):
            cut_one(choose.choice(nodes[2:]))
        until(lambda: one_root(nodes), "the tree does not heal")
        all_ping(nodes)


def one_root(nodes):
    """True when every node says that the lowest key is the root, and nobody else is."""
    lowest = min(node.key.hex() for node in nodes)
    trees = [node.ask("getTree").get("tree", ()) for node in nodes]
    own = {row["key"]: row["parent"] for node, tree in zip(nodes, trees, strict=True) for row in tree
           if row["key"] == node.key.hex()}  # fmt: skip
    return {key for key, parent in own.items() if key == parent} == {lowest} and len(own) == len(nodes)


def cut_one(node):
    """End a peering that this node opened, and ask for it again."""
    remote = next(row["remote"] for row in node.ask("getPeers")["peers"] if not row["inbound"])
    node.ask("removePeer", uri=remote)
    until(lambda: remote not in uptimes(node), "a peering is not removed")
    node.ask("addPeer", uri=remote)
