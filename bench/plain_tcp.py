"""The reference program: lines over one TCP connection, nothing else.

    plain_tcp.py listen PORT             prints every line it receives
    plain_tcp.py talk ADDRESS PORT       sends every line of its standard input, at once
    plain_tcp.py take PORT SIZE          prints "whole" when so many bytes have come
    plain_tcp.py give ADDRESS PORT SIZE  sends so many random bytes when it is told to by a line

It keeps nothing, seals nothing, and gives no receipt but the kernel's. What it costs is a floor, not a rival.
"""

from __future__ import annotations

import os
import socket
import sys
import time


def main() -> None:
    """Listens or talks."""
    match sys.argv[1:]:
        case ["listen", port]:
            listen(int(port))
        case ["talk", address, port]:
            talk(address, int(port))
        case ["take", port, size]:
            take(int(port), int(size))
        case ["give", address, port, size]:
            give(address, int(port), int(size))
        case _:
            sys.exit(
                "plain_tcp.py: say `listen PORT`, `talk ADDRESS PORT`, `take PORT SIZE` or `give ADDRESS PORT SIZE`"
            )


def listen(port: int) -> None:
    """Takes one connection after another."""
    with socket.create_server(("::", port), family=socket.AF_INET6) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    print(line, end="", flush=True)


def talk(address: str, port: int) -> None:
    """Connects as soon as there is a way, and sends."""
    connection = connect(address, port)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print("ready", flush=True)
    for line in sys.stdin:
        connection.sendall(line.encode())


def take(port: int, size: int) -> None:
    """One connection, and all it brings."""
    with socket.create_server(("::", port), family=socket.AF_INET6) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection:
            while size > 0 and (data := connection.recv(65_536)):
                size -= len(data)
        print("whole" if size <= 0 else "short", flush=True)
        time.sleep(60)  # the bench ends us


def give(address: str, port: int, size: int) -> None:
    """Connects first, so that the handshake is not part of what is measured."""
    data = os.urandom(size)
    connection = connect(address, port)
    print("ready", flush=True)
    sys.stdin.readline()
    connection.sendall(data)
    time.sleep(60)


def connect(address: str, port: int) -> socket.socket:
    """Tries again until the network has found itself."""
    while True:
        try:
            return socket.create_connection((address, port), timeout=None)
        except OSError:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
