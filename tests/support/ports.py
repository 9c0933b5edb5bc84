"""Ports for tests that have to name them before anybody listens."""

import socket
from contextlib import ExitStack


def free_ports(count: int, kind: int = socket.SOCK_DGRAM) -> list[int]:
    """So many UDP (or TCP) ports that nobody uses, each another one: asked for one by one the same may come twice."""
    with ExitStack() as asking:
        held = [asking.enter_context(socket.socket(socket.AF_INET6, kind)) for _ in range(count)]
        for one in held:
            one.bind(("", 0))
        return [int(one.getsockname()[1]) for one in held]
