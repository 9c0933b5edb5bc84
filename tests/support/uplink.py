"""Two real bridges in namespaces of their own, an "internet" between them, and what goes over it. Needs root."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support import netns
from support.ygg_lab import until

WIRE = "inet0"
PORT = 9001
READY = "ready:"


class Bridge:
    """A home whose node runs in a namespace; `extra` lines go into its [bridge] table."""

    def __init__(self, namespace: str, path: Path, name: str, listen: str = "", extra: Sequence[str] = ()) -> None:
        self.namespace, self.path, self.name = namespace, path, name
        secret = path.parent / "secret"
        secret.write_text("5a" * 32)
        secret.chmod(0o600)
        self.cli("init", "--name", name, "--mesh", "valley", "--mesh-secret-file", str(secret))
        self.uri = json.loads(self.cli("invite", "--json"))["uri"]
        with open(path / "config.toml", "a") as config:
            config.write("\n[bridge]\nenabled = true\n" + "".join(f"{line}\n" for line in extra))
            if listen:
                config.write(f'[overlay]\nlisten = ["{listen}"]\n')

    def cli(self, *words: str, stdin: str | None = None) -> str:
        """A command, what it prints."""
        done = self.inside(sys.executable, "-m", "meshnode", "--home", str(self.path), *words, stdin=stdin)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def inside(self, *command: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Any program in the namespace of the box."""
        whole = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(whole, input=stdin, capture_output=True, text=True, timeout=240)

    def start(self) -> None:
        """Run the node until the namespace ends."""
        command = [sys.executable, "-m", "meshnode", "--home", str(self.path), "run", "--overlay", "embedded"]
        log = self.path / "log"
        with open(log, "wb") as out:
            self.process = netns.start(self.namespace, command, stdout=out, stderr=out)
        until(lambda: READY in log.read_text(), log.read_text)

    def kill(self) -> None:
        """End it without a word, whatever it does."""
        self.process.kill()
        self.process.wait()

    def status(self) -> dict:
        """`meshnode status`."""
        return json.loads(self.cli("status", "--json"))

    def texts(self) -> list[str]:
        """What others wrote."""
        messages = json.loads(self.cli("inbox", "--limit", "0", "--json"))["messages"]
        return [message["text"] for message in messages if message["from"] != self.name]

    def wire_bytes(self) -> int:
        """What went over the uplink, both ways, with all headers of IP and Ethernet."""
        shown = json.loads(netns.ip("-n", self.namespace, "-j", "-s", "link", "show", WIRE))[0]["stats64"]
        return shown["rx"]["bytes"] + shown["tx"]["bytes"]


@contextmanager
def uplink(folder: Path, left: Sequence[str] = (), right: Sequence[str] = ()) -> Iterator[tuple[Bridge, Bridge]]:
    """Two bridges that know each other, peered over TCP and in session."""
    with netns.namespace("left") as one, netns.namespace("right") as two, ExitStack() as stack:
        netns.veth((one, WIRE), (two, WIRE))
        for name, address in ((one, "192.0.2.1/24"), (two, "192.0.2.2/24")):
            netns.ip("-n", name, "address", "add", address, "dev", WIRE)
        ada = Bridge(one, folder / "ada", "Ada", listen=f"tcp://0.0.0.0:{PORT}", extra=left)
        bo = Bridge(two, folder / "bo", "Bo", extra=right)
        ada.cli("contact", "add", bo.uri, "--name", "Bo")
        bo.cli("contact", "add", ada.uri, "--name", "Ada")
        for bridge in (ada, bo):
            bridge.start()
            stack.callback(bridge.kill)
        there = f"tcp://192.0.2.1:{PORT}"
        until(lambda: "is up, and kept" in bo.cli("peer", "add", there), "the peering does not come up")
        until(lambda: ada.status()["bridge"]["uplinks"] == 1, "the bridges have no session")
        yield ada, bo
