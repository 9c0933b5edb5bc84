"""Lines from a stream, as server and client read them. Apart from the server, so that a command starts quickly."""

from __future__ import annotations

import trio

from meshnode.control.lines import LINE_LIMIT
from meshnode.errors import WireError


class LineReader:
    """Lines of a stream, none longer than the limit."""

    def __init__(self, stream: trio.abc.ReceiveStream, limit: int = LINE_LIMIT) -> None:
        self._stream = stream
        self._limit = limit
        self._rest = bytearray()
        self._seen = 0

    async def next_untrusted(self) -> bytes | None:
        """The next line without its end, None at the end of the stream; WireError for one too long."""
        while (at := self._rest.find(b"\n", self._seen)) < 0:
            self._seen = len(self._rest)
            if self._seen > self._limit:
                raise WireError(f"A line is longer than {self._limit} bytes; ask for less at a time.")
            data = await self._stream.receive_some(65536)
            if not data:
                return None
            self._rest += data
        line = bytes(self._rest[:at])
        del self._rest[: at + 1]
        self._seen = 0
        return line
