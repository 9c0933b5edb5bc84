"""Yggdrasil nodes as programs, Go's and ours, each in a namespace on one switch."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from meshnode.overlay.addresses import address_of
from meshnode.overlay.child import find_program
from support import netns

PROGRAM = Path(__file__).with_name("ygg_program.py")
PORTS = {"tcp": 4000, "tls": 4001, "ws": 4002, "wss": 4003}
GO_LISTENS = ("tcp", "tls", "ws")


@dataclass
class LabNode:
    """One node: `kind` is "go" or "ours"."""

    kind: str
    number: int
    namespace: str
    directory: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def seed(self) -> bytes:
        return bytes([self.number]) * 32

    @property
    def key(self) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def address(self) -> str:
        return address_of(self.key)

    @property
    def endpoint(self) -> str:
        return f"unix://{self.directory}/{self.number}.sock"

    def uri(self, scheme: str = "tcp", options: str = "") -> str:
        return f"{scheme}://10.9.0.{self.number}:{PORTS[scheme]}{options}"

    def ask(self, request: str, **arguments: str) -> dict:
        """What `yggdrasilctl` is told, empty while nobody answers."""
        command = ["yggdrasilctl", "-json", "-endpoint", self.endpoint, request]
        command += [f"{name}={value}" for name, value in arguments.items()]
        done = subprocess.run(command, capture_output=True, timeout=100)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {}

    def up(self) -> set[str]:
        """The keys of peers that are up."""
        return {row["key"] for row in self.ask("getPeers").get("peers", ()) if row["up"] and row["key"]}

    def start(self, peers: Sequence[str] = (), *, multicast: bool = False, options: str = "", **more: object) -> None:
        """Run it, listening on all it can."""
        listen = [self.uri(scheme, options) for scheme in PORTS if self.kind == "ours" or scheme in GO_LISTENS]
        make = self._go if self.kind == "go" else self._ours
        command, given = make(listen, list(peers), multicast)
        self.process = netns.start(
            self.namespace, command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.process.stdin.write(json.dumps(given | more).encode())
        self.process.stdin.close()
        until(self._answers, f"{self.kind} {self.number} does not start")

    def _answers(self) -> bool:
        """True once it can be asked; who has ended never can."""
        assert self.process.poll() is None, f"{self.kind} {self.number} ended with {self.process.returncode}"
        return bool(self.ask("getSelf"))

    def stop(self) -> None:
        if self.process is not None:
            netns.kill_all_in(self.namespace)
            self.process.wait()
            self.process = None

    def _go(self, listen: list[str], peers: list[str], multicast: bool) -> tuple[list[str], dict]:
        group = {"Regex": "eth0", "Beacon": True, "Listen": True, "Port": 0, "Password": "valley"}
        given = {
            "PrivateKey": (self.seed + self.key).hex(),
            "Listen": listen,
            "Peers": peers,
            "AdminListen": self.endpoint,
            "IfName": "ygg0",
            "IfMTU": 1280,
            "MulticastInterfaces": [group] if multicast else [],
        }
        return [find_program("yggdrasil"), "-useconf"], given

    def _ours(self, listen: list[str], peers: list[str], multicast: bool) -> tuple[list[str], dict]:
        given = {
            "seed": self.seed.hex(),
            "listen": listen,
            "peers": peers,
            "admin": self.endpoint.removeprefix("unix://"),
            "multicast": ["eth0"] if multicast else [],
        }
        tests = str(PROGRAM.parents[1])
        return ["env", f"PYTHONPATH={tests}", sys.executable, str(PROGRAM)], given

    def ping(self, address: str, within_s: int = 1) -> bool:
        """True when an echo comes back in time; one is sent each second until then."""
        return self.run("ping", "-q", "-c", "1", "-w", str(within_s), address).returncode == 0

    def run(self, *command: str, **more: object) -> "subprocess.CompletedProcess[str]":
        """A program in its namespace."""
        words = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(words, capture_output=True, text=True, timeout=300, **more)


def until(true: Callable[[], object], otherwise: str | Callable[[], str], within_s: float = 150.0) -> None:
    """Look again until it is true; `otherwise` says what is wrong when it does not come to that.

    Daemons are asked over their admin socket, which tells nothing by itself: so there is no event to wait for.
    """
    ends = time.monotonic() + within_s
    while not true():
        if time.monotonic() > ends:
            raise AssertionError(otherwise() if callable(otherwise) else otherwise)
        time.sleep(0.1)


def all_ping(nodes: Sequence[LabNode], within_s: int = 150) -> None:
    """Every pair, both ways; each may take a while until paths are found.

    Two of Go's whose first answer was lost, in a tree still growing, find each other again only after 61 s.
    """
    for one in nodes:
        for two in nodes:
            if one is not two:
                reached = one.ping(two.address, within_s)
                assert reached, f"{one.kind} {one.number} does not reach {two.kind} {two.number}"


def lost(said: str, count: int) -> set[int]:
    """Which of its first echoes never came back to a `ping -c COUNT -w LONG`, which waits also for those that are late.

    What ping says of loss counts as lost what is late at the end.
    """
    return set(range(1, count + 1)) - {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", said)}


@contextmanager
def lab(kinds: Sequence[str], directory: Path) -> Iterator[list[LabNode]]:
    """Nodes numbered from 1, `eth0` of each on one switch with 10.9.0.N; nothing runs yet."""
    with ExitStack() as stack:
        switch = stack.enter_context(netns.namespace("switch"))
        netns.ip("-n", switch, "link", "add", "br0", "type", "bridge")
        netns.ip("-n", switch, "link", "set", "br0", "up")
        nodes = []
        for number, kind in enumerate(kinds, 1):
            name = stack.enter_context(netns.namespace(f"y{number}"))
            netns.veth((name, "eth0"), (switch, f"port{number}"))
            netns.ip("-n", switch, "link", "set", f"port{number}", "master", "br0")
            netns.ip("-n", name, "address", "add", f"10.9.0.{number}/24", "dev", "eth0")
            nodes.append(LabNode(kind, number, name, directory))
        try:
            yield nodes
        finally:
            for node in nodes:
                node.stop()
