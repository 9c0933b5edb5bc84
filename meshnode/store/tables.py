"""All tables, found by the record class they keep."""

from __future__ import annotations

from typing import Any, get_args

from meshnode.core.records import BlockRecord, Keyed, Record
from meshnode.store.blocks import BlockTable
from meshnode.store.mapping import Table

TABLES: dict[type[Keyed], Table[Any]] = {
    kind: BlockTable() if kind is BlockRecord else Table(kind) for kind in get_args(Record)
}
