"""Our nodes and yggdrasil-go 0.5.12 in one network: whoever is leaf, transit or root, every pair pings."""

import json
import subprocess
import sys

import pytest

from support import netns, socks_proxy
from support.ygg_lab import PORTS, all_ping, lab, until

pytestmark = [pytest.mark.netns, pytest.mark.ygg]


def roots(node):
    return {row["key"] for row in node.ask("getTree").get("tree", ()) if row["parent"] == row["key"]}


def carries_tcp(one, other):
    """Four megabytes each way by iperf3, from end to end; it does not count what is on its way when it stops."""
    command = ["iperf3", "-s", "--forceflush", "-B", other.address]
    server = netns.start(other.namespace, command, stdout=subprocess.PIPE, text=True)
    assert any("listening" in line for line in server.stdout), "iperf3 does not listen"
    for way in ([], ["--reverse"]):
        done = one.run("iperf3", "-c", other.address, "-n", "4M", "--json", *way)
        assert json.loads(done.stdout)["end"]["sum_received"]["bytes"] > 1_000_000, done.stdout
    server.kill()
    server.wait()
    server.stdout.close()


# The lowest key is the root: here that of number 2.
@pytest.mark.parametrize(
    ("kinds", "scheme"),
    [(["go", "ours", "go"], "tcp"), (["ours", "go", "ours"], "tls"), (["go", "go", "ours", "go"], "tls")],
    ids=["root between two of Go's", "leaves", "transit"],
)
def test_a_line_of_both_kinds(kinds, scheme, tmp_path):
    with lab(kinds, tmp_path) as nodes:
        for at, node in enumerate(nodes):
            node.start([nodes[at - 1].uri(scheme)] if at else [])
        all_ping(nodes)
        carries_tcp(nodes[0], nodes[-1])
        lowest = min(node.key for node in nodes).hex()
        until(lambda: all(roots(node) == {lowest} for node in nodes), lambda: str([roots(node) for node in nodes]))


def test_links_pass_where_only_the_web_does_or_a_proxy(tmp_path):
    with lab(["go", "ours", "go", "ours"], tmp_path) as nodes:
        go, ours, another, behind = nodes
        proxy = netns.start(ours.namespace, [sys.executable, socks_proxy.__file__, "1080", "ada", "secret"])
        go.start()
        ours.start([go.uri("ws")])
        another.start([ours.uri("wss")])
        behind.start([f"sockstls://ada:secret@10.9.0.2:1080/10.9.0.3:{PORTS['tls']}"])
        all_ping(nodes)
        ours.ask("addPeer", uri=f"socks://ada:wrong@10.9.0.2:1080/10.9.0.3:{PORTS['tcp']}")
        until(lambda: "name or password" in str(ours.ask("getPeers")), "a wrong password is not said")
        proxy.kill()
        proxy.wait()


@pytest.mark.parametrize("kinds", [["go", "ours"], ["ours", "ours"]], ids="-".join)
def test_neighbours_on_a_link_find_each_other(kinds, tmp_path):
    with lab(kinds, tmp_path) as nodes:
        for node in nodes:
            node.start(multicast=True)
        one, two = nodes
        until(lambda: two.key.hex() in one.up() and one.key.hex() in two.up(), "they do not find each other")
        all_ping(nodes)
        (row,) = two.ask("getMulticastInterfaces")["multicast_interfaces"]
        assert (row["name"], row["password"], row["address"] != "-") == ("eth0", True, True)


@pytest.mark.parametrize("kinds", [["go", "ours"], ["ours", "go"]], ids="-".join)
def test_who_may_not_is_refused_and_says_why(kinds, tmp_path):
    with lab(kinds, tmp_path) as (one, two):
        one.start(options="?password=valley")
        two.start([one.uri("tcp", "?password=hill"), one.uri("tls", "?password=valley&key=" + "ab" * 32)])
        until(lambda: all(row.get("last_error") for row in two.ask("getPeers")["peers"]), "nothing is refused")
        assert one.up() == two.up() == set()
        two.ask("removePeer", uri=one.uri("tls"))
        two.ask("addPeer", uri=one.uri("tls", "?password=valley&key=" + one.key.hex()))
        until(lambda: one.key.hex() in two.up(), "the right password is not taken")


def test_keys_that_are_not_on_the_list_are_refused(tmp_path):
    with lab(["ours", "go", "go"], tmp_path) as (one, two, three):
        one.start(allowed=[two.key.hex()])
        for node in (two, three):
            node.start([one.uri("tls")])
        until(lambda: two.key.hex() in one.up(), "who is on the list is refused")
        until(lambda: three.ask("getPeers")["peers"][0].get("last_error"), "who is not on the list is not refused")
        assert three.key.hex() not in one.up()


def test_the_tools_of_the_go_daemon_work_on_ours(tmp_path):
    with lab(["ours", "go"], tmp_path) as nodes:
        ours, go = nodes
        ours.start()
        go.start([ours.uri("tcp")])
        all_ping(nodes)
        for request in ("list", "getSelf", "getPeers", "getTree", "getPaths", "getSessions", "getTun"):
            said, theirs = ours.ask(request), go.ask(request)
            assert said.keys() == theirs.keys(), request
        assert ours.ask("list") == go.ask("list")
        until(lambda: busy_row(ours, go) == busy_row(go, ours), lambda: f"{busy_row(ours, go)} {busy_row(go, ours)}")
        info = {ours.key.hex(): {"name": "embedded"}}
        until(lambda: go.ask("getNodeInfo", key=ours.key.hex()) == info, "it does not say who it is")
        for request in ("debug_remoteGetSelf", "debug_remoteGetPeers", "debug_remoteGetTree"):
            here, there = answered(ours, request, go), answered(go, request, ours)
            assert here.keys() == there.keys(), request
        plain = ours.run("yggdrasilctl", "-endpoint", ours.endpoint, "getPeers")
        assert "Up" in plain.stdout


def busy_row(node, other):
    """What its only peering has to say, while something goes over it: rates and latency that are zero are left out."""
    node.ping(other.address)
    (row,) = node.ask("getPeers")["peers"]
    return {*row, "latency"}


def answered(node, request, far):
    """What a far node tells of itself; a question that is lost is asked again."""
    said = {}
    until(lambda: said.update(node.ask(request, key=far.key.hex())) or said, f"no answer to {request}")
    assert set(said) == {far.address}
    return said[far.address]


@pytest.mark.parametrize(
    "question",
    [
        '{"request": "addPeer", "arguments": null, "keepalive": true}',
        '{"request": "removePeer", "arguments": null, "keepalive": true}',
        '{"request": "removePeer", "arguments": {"uri": "tcp://10.9.0.2:1"}, "keepalive": true}',
        '{"request": null}',
        '{"request": "getNodeInfo", "arguments": {"key": "zz"}}',
        "{}",
        '{"request": [1], "arguments": 7}',
        '{"nonsense',
        "]]]]" * 1000,
    ],
)
def test_what_kills_the_go_daemon_does_not_kill_ours(question, shared_node):
    command = ("python3", "-c", ASK, shared_node.endpoint.removeprefix("unix://"))
    reply = shared_node.run(*command, input=question).stdout.strip()
    assert not reply or json.loads(reply)["status"] == "error"
    assert "key" in shared_node.ask("getSelf")


ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(5)
    s.connect(sys.argv[1])
    s.sendall(sys.stdin.read().encode())
    s.shutdown(socket.SHUT_WR)
    print(s.makefile().read())
"""


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory):
    with lab(["ours"], tmp_path_factory.mktemp("shared")) as (node,):
        node.start()
        yield node


def test_without_rights_the_tun_is_in_a_namespace_of_its_own(tmp_path):
    with lab(["ours", "go"], tmp_path) as (ours, go):
        ours.start(inside=True)
        go.start([ours.uri("tcp")])
        until(lambda: go.ping(ours.address), "nobody answers from inside")
        assert ours.run("ip", "link", "show", "ygg0").returncode != 0
