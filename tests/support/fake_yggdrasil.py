"""The admin socket of a yggdrasil 0.5.12 as it was seen to behave; what kills the real one sets `died`."""

import json
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

KEY = "09edaf6df5ab6f07052f599a39a0e77df919e48f601e86141e7b4fd51401d7e3"
ADDRESS = "204:c24a:1241:4a92:1f1f:5a14:ccb8:cbe3"
FAR_KEY = "1ce591d7e5712cca1edba2b3c3093d655d3a30a9b560c08b251d405afd2eccd3"
FAR_ADDRESS = "203:31a6:e281:a8ed:335e:1245:d4c3:cf6c"


def outbound(remote: str) -> dict:
    return {"remote": remote, "up": False, "inbound": False, "key": "", "port": 0, "priority": 0, "cost": 0,
            "last_error": "dial tcp: connection refused", "last_error_time": 504010277}  # fmt: skip


def up(remote: str, *, inbound: bool, key: str = FAR_KEY, address: str = FAR_ADDRESS) -> dict:
    return {"remote": remote, "up": True, "inbound": inbound, "address": address, "key": key, "port": 1, "cost": 1,
            "priority": 0, "uptime": 217.611903467, "latency": 560000, "last_error": "an old one"}  # fmt: skip


class FakeYggdrasil:
    """`peers` are rows of getPeers; `mood` is "well", "mute", "noise", "endless" or "slow" (one byte at a time)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mood = "well"
        self.died = ""
        self.peers: list[dict] = []
        self.tun = {"enabled": True, "name": "ygg0", "mtu": 1280}
        self.asked: list[dict] = []
        self.close_with_error = False
        self.version = "0.5.12"

    @property
    def endpoint(self) -> str:
        return f"unix://{self.path}"

    def requests(self, name: str) -> list[dict]:
        return [asked for asked in self.asked if asked["request"].lower() == name.lower()]

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        self.died = ""
        with suppress(FileNotFoundError):
            self.path.unlink()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(str(self.path))  # trio's would use a thread, and a jumping clock jump meanwhile
        made.listen()
        listener = trio.socket.from_stdlib_socket(made)
        self._ended = trio.Event()
        with listener:
            async with trio.open_nursery() as nursery:
                task_status.started()
                self._nursery = nursery
                await trio.serve_listeners(partial(self._serve), [trio.SocketListener(listener)])
        self._ended.set()

    async def restart(self, nursery: trio.Nursery) -> None:
        """A new process: connections and added peers are gone."""
        self._nursery.cancel_scope.cancel()
        self.peers = [row for row in self.peers if row["inbound"]]
        await self._ended.wait()
        await nursery.start(self.run)

    async def _serve(self, stream: trio.SocketStream) -> None:
        text, decoder = "", json.JSONDecoder()
        with suppress(trio.BrokenResourceError):
            async with stream:
                async for data in stream:
                    text += data.decode()
                    while text:
                        try:
                            question, end = decoder.raw_decode(text)
                        except ValueError:
                            break
                        text = text[end:]
                        await self._reply(stream, question)
                        if self.died or not question.get("keepalive"):
                            return

    async def _reply(self, stream: trio.SocketStream, question: dict) -> None:
        self.asked.append(question)
        answer = json.dumps(self._answered(question), indent=2).encode() + b"\n"
        if self.died:
            self._nursery.cancel_scope.cancel()
            return
        match self.mood:
            case "well":
                await stream.send_all(answer)
            case "noise":
                await stream.send_all(b"HTTP/1.1 200 {}\r\n")
            case "endless":
                while True:
                    await stream.send_all(b"[" * 65536)
            case "slow":
                for byte in answer:
                    await stream.send_all(bytes((byte,)))
            case "mute":
                await trio.sleep_forever()

    def _answered(self, question: dict) -> dict:
        arguments = question.get("arguments", {})
        try:
            response, error = self._done(question["request"].lower(), arguments), None
        except LookupError as problem:
            response, error = None, str(problem.args[0])
        failed = {"status": "error", "error": error} if error else {"status": "success"}
        return {**failed, "request": {**question, "arguments": arguments or {}}, "response": response}

    def _done(self, request: str, arguments: dict | None) -> dict:
        if request in ("addpeer", "removepeer") and arguments is None:
            self.died = "null arguments"
            return {}
        match request:
            case "getself":
                return {"build_name": "yggdrasil", "build_version": self.version, "key": KEY, "address": ADDRESS,
                        "routing_entries": 1, "subnet": "304:c24a:1241:4a92::/64"}  # fmt: skip
            case "gettun":
                return self.tun
            case "getpeers":
                return {"peers": self.peers}
            case "addpeer":
                plain = arguments["uri"].partition("?")[0]
                if any(row.get("remote") == plain for row in self.peers):
                    raise LookupError("peer is already configured")
                self.peers.append(outbound(plain))
                return {}
            case "removepeer":
                return self._removed(arguments["uri"].partition("?")[0])
        raise LookupError(f"Unknown action '{request}', try 'list' for help")

    def _removed(self, plain: str) -> dict:
        found = [row for row in self.peers if row.get("remote") == plain]
        if any(row["inbound"] for row in found):
            self.died = "an inbound link was removed"
            return {}
        if not found:
            raise LookupError("peer is not configured")
        self.peers = [row for row in self.peers if row.get("remote") != plain]
        if self.close_with_error:
            raise LookupError("tls: failed to send closeNotify alert (but connection was closed anyway): broken pipe")
        return {}
