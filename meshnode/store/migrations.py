"""From an older store to this one, forward only, each step one transaction.

`user_version` counts the steps a file has taken. A file that has taken more than we know was written by a newer
meshnode: it is refused and not touched, for we cannot know what its columns have come to mean.
"""

from __future__ import annotations

import apsw

from meshnode.errors import StoreError, StoreNewerError
from meshnode.store import schema

APPLICATION = 0x6D657368  # "mesh": tells our files from other people's databases

STEPS = (schema.VERSION_1, schema.VERSION_2, schema.VERSION_3, schema.VERSION_4)  # append only


def check(database: apsw.Connection, name: str) -> None:
    """Refuse a file that is not ours or newer than we are. Writes nothing."""
    application, version = database.pragma("application_id"), database.pragma("user_version")
    empty = database.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if (application != APPLICATION and not empty) or version < 0:
        raise StoreError(f"{name} is a database of another program; move it away, or choose another home.")
    if version > len(STEPS):
        raise StoreNewerError(
            f"{name} was written by a newer meshnode (store version {version}, this one knows {len(STEPS)}) and was"
            " left as it is; update meshnode, or go back to the version that wrote it."
        )


def bring_forward(database: apsw.Connection, to: int | None = None) -> None:
    """Take the steps the file has not taken yet; a power cut between two leaves the file at the earlier one."""
    for version in range(database.pragma("user_version"), len(STEPS) if to is None else to):
        with database:
            database.execute(STEPS[version])
            database.execute(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version + 1}")
