"""Whole nodes with the embedded overlay: one with the right to make a TUN, one without; no yggdrasil anywhere."""

import json
import re
import subprocess
import sys
from functools import partial

import pytest

from support import netns
from support.valley_lab import deliver, once, status, story, valley
from support.ygg_lab import lost, until

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
        done = self.tried(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def tried(self, *words):
        command = ["ip", "netns", "exec", self.namespace, *self.command(), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=240)

    def run(self):
        command = [*self.command(), "run", "--interface", "halow0", "--overlay", "embedded"]
        with open(self.path / "log", "wb") as log:
            self.process = netns.start(self.namespace, command, stdout=log, stderr=log)
        until(lambda: "ready:" in (self.path / "log").read_text(), (self.path / "log").read_text)

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

    def echoes(self, other):
        """Three echoes go there, and each comes back."""
        return not lost(self.cli("exec", "--", "ping", "-c", "3", "-i", "0.2", "-w", "100", other), 3)


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
        assert two.echoes(here["address"])
        assert one.echoes(there["address"])
        inside = ["exec", "--", sys.executable, "-c", OVER_TCP, here["address"]]
        until(lambda: two.tried(*inside).stdout.split() == ["connected", "0"], "nobody listens on the overlay")
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
    until(lambda: "airtime_unshaped" in two.warnings(), "it does not say that it may not shape")
    far = one.status()["address"]
    flood = ["ping", "-q", "-i", "0.005", "-s", "1200", far]
    flooding = netns.start(two.namespace, [*two.command(), "exec", "--", *flood], stdout=subprocess.DEVNULL)
    until(lambda: "overlay_stopped" in two.warnings(), "the overlay takes the air and nobody minds", 400)
    until(lambda: not two.sees(far), "the overlay goes on")
    assert two.everything()["airtime"]["others_s_halow0"] > 10.0
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
        far = (await status(lab["C"]))["overlay"]["address"]
        await once(lambda came: came >= 4, partial(echoes, lab["A"], far), "of five echoes too few come back")
        await deliver(lab["A"], "C", "over two hops")


async def echoes(node, address):
    """How many of five echoes came back."""
    program = await node.open(["ping", "-q", "-c", "5", "-i", "0.3", "-W", "5", address])
    said = "".join([line async for line in program])
    received = re.search(r"(\d+) received", said)
    return int(received[1]) if received else 0  # it may see no way there yet
