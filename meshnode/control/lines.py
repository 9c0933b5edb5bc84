"""How a line from the server looks: a reply, a notice of a stream, the end of a stream, or a failure."""

from __future__ import annotations

import msgspec

from meshnode import errors
from meshnode.errors import MeshnodeError

LINE_LIMIT = 1024 * 1024  # a request longer than this is refused


class Answer(msgspec.Struct, frozen=True, tag_field="line", tag="reply"):
    """The reply to the request before."""

    reply: msgspec.Raw


class Event(msgspec.Struct, frozen=True, tag_field="line", tag="notice"):
    """One notice of a stream."""

    notice: msgspec.Raw


class End(msgspec.Struct, frozen=True, tag_field="line", tag="end"):
    """A stream is over."""


class Failure(msgspec.Struct, frozen=True, tag_field="line", tag="error"):
    """It failed. `kind` names an exception of errors.py, `text` is its sentence."""

    kind: str
    text: str


Line = Answer | Event | End | Failure


def raised(failure: Failure) -> MeshnodeError:
    """What went wrong there, to be raised here."""
    kind = getattr(errors, failure.kind, MeshnodeError)
    known = isinstance(kind, type) and issubclass(kind, MeshnodeError)
    return kind(failure.text) if known else MeshnodeError(failure.text)
