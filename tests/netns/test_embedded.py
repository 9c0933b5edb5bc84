"""Whole nodes with the embedded overlay: one with the right to make a TUN, one without; no yggdrasil anywhere."""

import json
import re
import subprocess
import sys

import pytest
import trio

from support import netns
from support.valley_lab import PATIENCE_S, deliver, story, valley
from support.ygg_lab import until

pytestmark = pytest.mark.netns

WITHOUT_RIGHTS = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]


class Home:
    """One node in its namespace."""

    def __init__(self, namespace, path, name, wrapper=()):
        self.namespace, self.path, self.wrapper = namespace, path, list(wrapper)
        secret = path.parent / "secret"
        secret.write_text("5a" * 32)
        secret.chmod(0o600)
        self.cli("init", "--name", name, "--mesh", "valley", "--mesh-secret-file", str(secret))

    def command(self):
        return [*self.wrapper, sys.executable, "-m", "meshnode", "--home", str(self.path)]

    def cli(self, *words):
        command = [*self.command(), *words]
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self):
        command = [*self.command(), "run", "--interface", "halow0", "--overlay", "embedded"]
        with open(self.path / "log", "wb") as log:
            self.process = netns.start(self.namespace, command, stdout=log, stderr=log)
        until(lambda: "ready:" in (self.path / "log").read_text(), "it does not get ready")

    def stop(self):
        netns.kill_all_in(self.namespace)
        self.process.wait()

    def everything(self):
        return json.loads(self.cli("status", "--json"))

    def status(self):
        return self.everything()["overlay"]

    def warnings(self):
        return [warning["code"] for warning in self.everything()["warnings"]]

    def sees(self, other):
        return any(peer["up"] and peer["address"] == other for peer in self.status()["peers"])


def test_two_nodes_without_yggdrasil_find_each_other_and_ping(tmp_path):
    with netns.namespace("with") as first, netns.namespace("without") as second:
        netns.veth((first, "halow0"), (second, "halow0"))
        one, two = Home(first, tmp_path / "one", "Ada"), Home(second, tmp_path / "two", "Bo", WITHOUT_RIGHTS)
        with open(tmp_path / "two" / "config.toml", "a") as config:
            config.write('\n[radio]\ncountry = "DE"\n')
        one.run()
        two.run()
        here, there = one.status(), two.status()
        assert (here["backend"], there["backend"]) == ("embedded", "embedded")
        assert (here["holder_pid"], there["holder_pid"] > 0) == (0, True)
        until(lambda: one.sees(there["address"]) and two.sees(here["address"]), "they do not find each other")
        assert " 0% packet loss" in two.cli("exec", "--", "ping", "-c", "3", "-i", "0.2", here["address"])
        assert " 0% packet loss" in one.cli("exec", "--", "ping", "-c", "3", "-i", "0.2", there["address"])
        inside = two.cli("exec", "--", sys.executable, "-c", OVER_TCP, here["address"])
        assert inside.split() == ["connected", str(0)]
        assert "ygg0" not in netns.ip("-n", second, "link")
        mark = int((tmp_path / "one" / "overlay.mark").read_text())
        key = here["public_key"]
        one.stop()
        one.run()
        assert one.status()["public_key"] == key
        until(lambda: int((tmp_path / "one" / "overlay.mark").read_text()) > mark, "numbers fall over a restart")
        overlay_takes_the_air(two, one)
        one.stop()
        two.stop()


def overlay_takes_the_air(two, one):
    """Who may not shape its interface drops the overlay that floods it."""
    at_ease = two.warnings()
    far = one.status()["address"]
    flood = ["ping", "-q", "-i", "0.005", "-s", "1200", far]
    flooding = netns.start(two.namespace, [*two.command(), "exec", "--", *flood], stdout=subprocess.DEVNULL)
    until(lambda: "overlay_stopped" in two.warnings(), "the overlay takes the air and nobody minds", 180)
    until(lambda: not two.sees(far), "the overlay goes on")
    assert two.everything()["airtime"]["others_s_halow0"] > 10.0
    assert "airtime_unshaped" in at_ease
    until(lambda: any(row["bound"] for row in two.everything()["neighbours"]), "the link itself does not go on")
    flooding.kill()
    flooding.wait()


# A session of the node itself listens on its overlay address: whoever dials it there gets through.
OVER_TCP = """
import os, socket, sys
with socket.create_connection((sys.argv[1], 21027), 20):
    print("connected", os.getuid())
"""


async def test_over_a_radio_that_loses_a_third_the_middle_node_carries_the_overlay():
    line = 'shape = "line"\nnames = ["A", "B", "C"]'
    text = story(line, loss=0.3, overlay="embedded", pairs='[["A", "C"], ["C", "A"]]')
    async with valley(text) as lab:
        with trio.fail_after(PATIENCE_S):
            far = (await lab["C"].cli("status", "--json")).json["overlay"]["address"]
            while await echoes(lab["A"], far) < 4:
                pass
        await deliver(lab["A"], "C", "over two hops")


async def echoes(node, address):
    """How many of five echoes came back."""
    program = await node.open(["ping", "-q", "-c", "5", "-i", "0.3", "-W", "5", address])
    said = "".join([line async for line in program])
    return int(re.search(r"(\d+) received", said)[1])
