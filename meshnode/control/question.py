"""One question to a running node from code that does not run in trio: a plain socket, which is quick to import."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from meshnode.control.lines import LINE_LIMIT, Answer, Failure, Line, raised
from meshnode.control.paths import short
from meshnode.control.replies import Reply
from meshnode.control.requests import Request
from meshnode.errors import NotRunningError, UsageError, WireError

ANSWER_LIMIT = 64 * 1024 * 1024  # a whole inbox in one reply
OTHER_VERSION = "The node answered with something else; is it of another version?"

R = TypeVar("R", bound=Reply)

_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def ask(path: Path, request: Request, reply: type[R]) -> R:
    """The answer of the node at `path`; what went wrong there is raised here. NotRunningError where nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        with reaching(path) as name:
            link.connect(name)
        try:
            link.sendall(question(request))
            line = _line_untrusted(link)
        except OSError as error:
            raise NotRunningError("The node stopped before it answered.") from error
    match _lines.decode(line):
        case Answer(raw):
            return msgspec.json.decode(raw, type=reply)
        case Failure() as failure:
            raise raised(failure)
        case _:
            raise WireError(OTHER_VERSION)


def question(request: Request) -> bytes:
    """The line of a request; UsageError for one longer than a node takes."""
    line = msgspec.json.encode(request) + b"\n"
    if len(line) > LINE_LIMIT:
        raise UsageError("This is longer than a node takes at a time; give less of it.")
    return line


@contextmanager
def reaching(path: Path) -> Iterator[str]:
    """Connect within this: the control socket at `path` by a short name; who cannot is told why."""
    try:
        with short(path) as name:
            yield name
    except PermissionError as error:
        raise UsageError(f"You may not use {path}; run this as its owner or join its group.") from error
    except OSError as error:
        raise NotRunningError(f"No node is running at {path.parent}; start it with `meshnode run`.") from error


def _line_untrusted(link: socket.socket) -> bytes:
    parts, size = list[bytes](), 0
    while not parts or b"\n" not in parts[-1]:
        data = link.recv(65_536)
        size += len(data)
        if not data:
            raise NotRunningError("The node stopped before it answered.")
        if size > ANSWER_LIMIT:
            raise WireError(f"A line is longer than {ANSWER_LIMIT} bytes; ask for less at a time.")
        parts.append(data)
    return b"".join(parts).partition(b"\n")[0]
