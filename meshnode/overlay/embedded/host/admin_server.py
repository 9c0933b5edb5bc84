"""The admin socket of an embedded node: one JSON object in, one out, as `yggdrasilctl` speaks it.

Who may open it controls the overlay, so it is a UNIX socket of mode 0600. What is not understood is answered with an
error, and nothing that is asked ends the node: `null` arguments are none, an inbound link cannot be removed and stays.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from meshnode.errors import MeshnodeError, OverlayError
from meshnode.overlay.admin import Objects
from meshnode.overlay.embedded.host.answers import Answers

LARGEST_REQUEST = 65536
BACKLOG = 16


def open_admin_socket(path: Path) -> trio.SocketListener:
    """A listener there, instead of what an earlier life left; OverlayError where it cannot be."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        made.bind(os.fspath(path))
        path.chmod(0o600)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OverlayError(f"The admin socket {path} cannot be made ({error.strerror or error}).") from error
    return trio.SocketListener(trio.socket.from_stdlib_socket(made))


async def serve_admin(answers: Answers, stream: trio.abc.Stream) -> None:
    """Answer one connection until it is closed or has asked without `keepalive`."""
    objects = Objects(LARGEST_REQUEST)
    async with stream:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OverlayError):
            data: bytes | bytearray = await stream.receive_some()
            while data:
                whole = objects.feed_untrusted(bytes(data))
                while whole is not None:
                    reply, keep = await _answer_untrusted(answers, whole)
                    await stream.send_all(reply)
                    if not keep:
                        return
                    whole = objects.feed_untrusted(b"")
                data = await stream.receive_some()


async def _answer_untrusted(answers: Answers, text: bytes) -> tuple[bytes, bool]:
    """The reply to one request, and whether the connection is to be kept."""
    try:
        asked: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _reply({}, "error", error="invalid JSON"), False
    asked = asked if isinstance(asked, dict) else {}
    request, arguments = asked.get("request"), asked.get("arguments")
    try:
        response = await answers.answer(
            request if isinstance(request, str) else "", arguments if isinstance(arguments, dict) else {}
        )
    except MeshnodeError as error:
        return _reply(asked, "error", error=str(error)), bool(asked.get("keepalive"))
    return _reply(asked, "success", response=response), bool(asked.get("keepalive"))


def _reply(asked: dict[str, Any], status: str, *, error: str = "", response: object = None) -> bytes:
    echo = {"request": asked.get("request", ""), "arguments": asked.get("arguments") or {}}
    if asked.get("keepalive"):
        echo["keepalive"] = True
    reply = {"status": status, **({"error": error} if error else {}), "request": echo, "response": response}
    return json.dumps(reply, indent=2).encode() + b"\n"
