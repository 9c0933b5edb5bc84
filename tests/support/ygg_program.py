"""An embedded node as a program, for tests in namespaces: settings as JSON on stdin, until it is killed."""

import json
import sys
from functools import partial
from pathlib import Path

import trio

from meshnode.daemon.entropy import SystemEntropy
from meshnode.overlay.embedded.host.admin_server import open_admin_socket, serve_admin
from meshnode.overlay.embedded.host.answers import Answers
from meshnode.overlay.embedded.host.engine import Engine, EngineSettings
from meshnode.overlay.embedded.host.multicast import Group
from meshnode.overlay.embedded.node import NodeSettings
from meshnode.overlay.uris import parse_peer_uri


async def main(given: dict) -> None:
    settings = EngineSettings(
        seed=bytes.fromhex(given["seed"]),
        node=NodeSettings(mtu=given.get("mtu", 1280), info={"name": "embedded"}),
        tun="ygg0",
        inside=given.get("inside", False),
        listen=tuple(given.get("listen", ())),
        groups=tuple(Group(name, b"valley") for name in given.get("multicast", ())),
        allowed=frozenset(bytes.fromhex(key) for key in given.get("allowed", ())),
    )
    engine = Engine(settings, SystemEntropy(), 0, lambda number: None)
    admin = open_admin_socket(Path(given["admin"]))
    async with trio.open_nursery() as nursery:
        await nursery.start(engine.run)
        for uri in given.get("peers", ()):
            engine.add_peer(parse_peer_uri(uri))
        await trio.serve_listeners(partial(serve_admin, Answers(engine)), [admin])


if __name__ == "__main__":
    trio.run(main, json.loads(sys.stdin.read()))
