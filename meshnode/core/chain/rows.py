"""What memory keeps of the headers of one log that stand in a row: 36 B a block, so that ten thousand fit a small box.

Per block, from seq 1 on: id 32 | kind 1 | body state 1 | body length 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from meshnode.core.ids import REF_SIZE, BlockId

_LAYOUT: Final = Struct(">32sBBH")
_ROW: Final = _LAYOUT.size
_KIND, _STATE, _LEN = 32, 33, 34


class Rows:
    """Headers from seq 1 to `last` (0: none), none missing."""

    __slots__ = ("_data", "last")

    def __init__(self) -> None:
        self.last = 0
        self._data = bytearray()

    def __contains__(self, seq: int) -> bool:
        return 0 < seq <= self.last

    def id_at(self, seq: int) -> BlockId:
        """The id of the block at `seq`, which must be held."""
        at = (seq - 1) * _ROW
        return BlockId(bytes(self._data[at : at + 32]))

    def ref_at(self, seq: int) -> bytes:
        """The 20 B reference of the block at `seq`, which must be held."""
        at = (seq - 1) * _ROW
        return bytes(self._data[at : at + REF_SIZE])

    def kind_at(self, seq: int) -> int:
        """The kind of the block at `seq`."""
        return self._data[(seq - 1) * _ROW + _KIND]

    def state_at(self, seq: int) -> int:
        """What is known of the body at `seq`."""
        return self._data[(seq - 1) * _ROW + _STATE]

    def body_len_at(self, seq: int) -> int:
        """How long the body at `seq` is or was."""
        at = (seq - 1) * _ROW + _LEN
        return int.from_bytes(self._data[at : at + 2], "big")

    def set_state(self, seq: int, state: int) -> None:
        """Note what became of the body at `seq`."""
        self._data[(seq - 1) * _ROW + _STATE] = state

    def append(self, block: BlockId, kind: int, state: int, body_len: int) -> None:
        """Add the block after `last`."""
        self._data += _LAYOUT.pack(block, kind, state, body_len)
        self.last += 1

    def cut(self, seq: int) -> None:
        """Forget the blocks at `seq` and above."""
        self.last = min(self.last, seq - 1)
        del self._data[self.last * _ROW :]

    def ids(self, first: int, count: int) -> Iterator[BlockId]:
        """The ids of a stretch that is held."""
        return (self.id_at(seq) for seq in range(first, first + count))

    def of_kind(self, kind: int) -> Iterator[int]:
        """The seqs of the blocks of a kind, lowest first."""
        return self._found(_KIND, kind)

    def in_state(self, state: int) -> Iterator[int]:
        """The seqs whose bodies are in `state`, lowest first."""
        return self._found(_STATE, state)

    def _found(self, column: int, value: int) -> Iterator[int]:
        values = self._data[column::_ROW]
        at = values.find(value)
        while at >= 0:
            yield 1 + at
            at = values.find(value, at + 1)
