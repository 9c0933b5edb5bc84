"""How large and how many: what decoders refuse before they build anything."""

from __future__ import annotations

from typing import Final

MAX_PLAINTEXT: Final = 65_536  # frames in a row: a datagram has 1,200 B at most, a session record 64 KiB
MAX_FRAMES: Final = 1024  # in a row
MAX_ECHOES: Final = 8
MAX_CHANGES: Final = 8  # in a beacon; a delta has as many as fit
MAX_WISHES: Final = 128
MAX_RUN: Final = 256  # blocks
MAX_FRAGMENTS: Final = 16
MAX_HANDOVERS: Final = 2
ENVELOPE_HEADER: Final = 16
MIN_ENVELOPE: Final = ENVELOPE_HEADER + 16  # an empty seal still has its tag
MAX_SPANS: Final = 16  # of a chunk, in one question
MAX_SEEK_HOPS: Final = 15
