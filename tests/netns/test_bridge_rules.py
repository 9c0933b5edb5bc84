"""The rules for nftables of docs/how-to/bridge.md, on the interface that yggdrasil-go makes in the host."""

import subprocess
import sys
from contextlib import contextmanager
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from meshnode.overlay.addresses import subnet_of
from support import netns
from support.ygg_lab import lab, until

pytestmark = [pytest.mark.netns, pytest.mark.ygg]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bridge.md"
SESSIONS, OTHER = "21027", "8080"

LISTEN = """
import socket, sys
at = [socket.create_server(("::", int(port)), family=socket.AF_INET6) for port in sys.argv[1:]]
print("up", flush=True)
sys.stdin.read()
"""
KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


def rules():
    """As they stand on the page."""
    return PAGE.read_text().split("table ip6", 1)[1].split("```", 1)[0].join(["table ip6", ""])


@contextmanager
def listening(namespace, *ports):
    """A program that listens on all addresses."""
    words = ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTEN, *ports]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "up\n"
        yield
        program.stdin.close()


def knock(node, address, port):
    return node.run(sys.executable, "-c", KNOCK, address, port).returncode == 0


@contextmanager
def household(box):
    """The address of a device that listens behind the box, which forwards to it."""
    with netns.namespace("device") as name:
        netns.veth((name, "lan0"), (box.namespace, "lan0"))
        gateway, device = [str(IPv6Network(subnet_of(box.key))[number]) for number in (1, 2)]
        netns.ip("-n", box.namespace, "address", "add", f"{gateway}/64", "dev", "lan0")
        netns.ip("-n", name, "address", "add", f"{device}/64", "dev", "lan0")
        netns.ip("-n", name, "route", "add", "default", "via", gateway)
        netns.set_sysctl(box.namespace, "net/ipv6/conf/all/forwarding", "1")
        with listening(name, OTHER):
            yield device


def test_with_the_rules_only_sessions_and_echoes_come_in(tmp_path):
    with lab(["go", "ours"], tmp_path) as (box, stranger), household(box) as device:
        box.start(IfName="auto")  # as who installs it has it
        stranger.start([box.uri("tcp")])
        with listening(box.namespace, SESSIONS, OTHER):
            until(lambda: knock(stranger, box.address, OTHER), "the box is not seen at all")
            until(lambda: knock(stranger, device, OTHER), "what is behind it is not seen at all")
            applied = box.run("nft", "-f", "-", input=rules())
            assert applied.returncode == 0, applied.stderr
            assert not knock(stranger, box.address, OTHER)
            assert not knock(stranger, device, OTHER)
            until(lambda: knock(stranger, box.address, SESSIONS), "sessions do not come in")
            until(lambda: stranger.ping(box.address), "it answers no echo")
            assert knock(box, box.address, OTHER), "the box itself is as before"
