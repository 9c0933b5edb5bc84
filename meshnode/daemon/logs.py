"""The log: one line an event, to stderr. It never holds a person's words, nor a key."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from meshnode.config import LogSection


def set_up(log: LogSection) -> None:
    """Text on a terminal and JSON elsewhere, unless the configuration says otherwise."""
    text = log.format == "text" or (log.format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _text_renderer() if text else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[log.level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Patient(sys.stderr))),
        cache_logger_on_first_use=False,
    )


class _Patient:
    """Where the log goes. A full disk or a closed end there costs lines, and never the node."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """A line, if it can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """What was written, if it can be."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def _text_renderer() -> structlog.types.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
    )
