"""The admin socket of yggdrasil-go 0.5: one question, one answer, over one connection that is kept.

The daemon trusts whoever opens the socket, and some questions kill it. What this client never does:
`null` arguments; `removePeer` for an inbound link; waiting without a limit. A reply that does not come in time closes
the connection, because a late one would answer the next question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import trio

from meshnode.errors import OverlayError

CALL_WITHIN_S = 3.0
REMOTE_WITHIN_S = 8.0  # the daemon itself gives up after 6
LARGEST_REPLY = 16 * 1024 * 1024

_REMOTE = re.compile(r"getnodeinfo|debug_", re.IGNORECASE)
_MARKS = re.compile(rb'["\\{}]')


def encode_call(request: str, arguments: Mapping[str, str | None]) -> bytes:
    """One request. Arguments that are None or empty are left out: a null one kills the daemon."""
    given = {name: value for name, value in arguments.items() if value}
    return json.dumps({"request": request, "keepalive": True, **({"arguments": given} if given else {})}).encode()


def decode_reply_untrusted(text: bytes) -> dict[str, Any]:
    """The `response` of a reply; OverlayError for one that failed or makes no sense."""
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OverlayError(f"Yggdrasil's admin socket answers with something else ({error}).") from error
    if not isinstance(reply, dict) or reply.get("status") not in ("success", "error"):
        raise OverlayError("Yggdrasil's admin socket answers with something else; is it a yggdrasil?")
    if reply["status"] == "error":
        raise OverlayError(f"Yggdrasil refused: {str(reply.get('error', 'without a reason'))[:300]}.")
    response = reply.get("response")
    return response if isinstance(response, dict) else {}


class Objects:
    """Cuts a stream of JSON objects into whole ones, as the bytes come."""

    def __init__(self, largest: int = LARGEST_REPLY) -> None:
        self._largest = largest
        self._buffer = bytearray()
        self._at = 0  # scanned so far
        self._depth = 0
        self._in_text = False

    def feed_untrusted(self, data: bytes) -> bytes | None:
        """The first whole object so far, taken out; None while there is none. OverlayError for one too large."""
        self._buffer += data
        while mark := _MARKS.search(self._buffer, self._at):
            self._at = mark.end()
            if self._step(self._buffer[mark.start()]):
                whole = bytes(self._buffer[: self._at])
                del self._buffer[: self._at]
                self._at = 0
                return whole
        self._at = max(self._at, len(self._buffer))
        if len(self._buffer) > self._largest:
            raise OverlayError("Yggdrasil's admin socket answers without end.")
        return None

    def _step(self, mark: int) -> bool:
        """Take one mark in; True when it ends an object."""
        if mark == 0x5C:
            self._at += self._in_text  # whatever follows a backslash in a text is no mark
        elif mark == 0x22:
            self._in_text = not self._in_text
        elif not self._in_text:
            self._depth += 1 if mark == 0x7B else -1
            return mark == 0x7D and self._depth == 0
        return False


class Admin:
    """A client of one endpoint, `unix:///path` or `tcp://host:port`. `connections` counts how often it connected."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.connections = 0
        self._target = parse_endpoint(endpoint)
        self._stream: trio.SocketStream | None = None
        self._objects = Objects()
        self._turn = trio.Lock()
        self._in_step = True  # the last question has had its answer

    async def call(self, request: str, **arguments: str | None) -> dict[str, Any]:
        """Ask; the response, or OverlayError."""
        limit = REMOTE_WITHIN_S if _REMOTE.match(request) else CALL_WITHIN_S
        async with self._turn:
            try:
                with trio.fail_after(limit):
                    text = await self._exchange(encode_call(request, arguments))
            except trio.TooSlowError as error:
                raise OverlayError(
                    f"Yggdrasil at {self.endpoint} does not answer {request} in {limit:.0f} s."
                ) from error
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise OverlayError(_unreachable(self.endpoint, error)) from error
            finally:
                if not self._in_step:
                    await self.aclose()
        return decode_reply_untrusted(text)

    async def aclose(self) -> None:
        """Close the connection; the next call opens another."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with trio.CancelScope(shield=True):
                await stream.aclose()

    async def _exchange(self, question: bytes) -> bytes:
        self._in_step = False
        if self._stream is None:
            self._stream = await self._connect()
            self._objects = Objects()
            self.connections += 1
        await self._stream.send_all(question)
        while True:
            data = await self._stream.receive_some(65536)
            if not data:
                raise OverlayError(f"Yggdrasil at {self.endpoint} closed the connection.")
            if (whole := self._objects.feed_untrusted(bytes(data))) is not None:
                self._in_step = True
                return whole

    async def _connect(self) -> trio.SocketStream:
        if isinstance(self._target, str):
            return await trio.open_unix_socket(self._target)
        return await trio.open_tcp_stream(*self._target)


def parse_endpoint(text: str) -> str | tuple[str, int]:
    """A path, or host and port; OverlayError for anything else."""
    if text.startswith("unix://") and len(text) > 7:
        return text.removeprefix("unix://")
    host, colon, port = text.removeprefix("tcp://").rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise OverlayError(f"{text} is no admin socket; it looks like unix:///path or tcp://127.0.0.1:9001.")
    return host.strip("[]"), int(port)


def _unreachable(endpoint: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"Yggdrasil's admin socket {endpoint} may not be opened; join its group (often `yggdrasil`)."
    if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError):
        return f"Yggdrasil at {endpoint} closed the connection."
    return f"Yggdrasil does not answer at {endpoint} ({getattr(error, 'strerror', None) or error}); is it running?"
