"""Ports for tests that have to name them before anybody listens."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """So many UDP ports that nobody uses, each another one: asked for one by one the same may come twice."""
    with ExitStack() as asking:
        held = [asking.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) for _ in range(count)]
        for one in held:
            one.bind(("", 0))
        return [int(one.getsockname()[1]) for one in held]


def lasting_port() -> int:
    """A TCP port of 127.0.0.1 that is free now, and that the kernel gives nobody who asks for any port at all."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(lowest - 1 - os.getpid() % 8000, 1024, -1):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("every port has a listener")
