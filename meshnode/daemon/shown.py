"""Messages with what is known beside them: how much of the file they announce is here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from meshnode.core.records import MessageRecord, StateRecord
from meshnode.core.sealing.manifest import decode_manifest_untrusted
from meshnode.daemon.adapters import Filed, FileHere

if TYPE_CHECKING:
    from meshnode.store.reads import Reads


def with_files(reads: Reads, found: Iterable[tuple[MessageRecord, StateRecord | None]]) -> list[Filed]:
    """Each with its state, and with what is here of its file."""
    return [Filed(message, state, _here(reads, message)) for message, state in found]


def _here(reads: Reads, message: MessageRecord) -> FileHere | None:
    if not message.file:
        return None
    found = reads.file(decode_manifest_untrusted(message.file).file)
    return FileHere(*found) if found else None
