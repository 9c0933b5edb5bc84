"""The SQLite file: how it is opened, checked and closed, and what its errors mean to a person.

One connection, exclusive: the home's lock already keeps other meshnodes out, and without shared memory the write-ahead
log works on any file system and with a test's own VFS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from meshnode.errors import StoreError, StoreFullError
from meshnode.store import migrations

PAGE = 4096
LOG_PAGES = 1000  # 4 MB of write-ahead log, then its pages move into the file


def open_database(path: Path, vfs: str | None = None, *, given: bool = False) -> apsw.Connection:
    """Open, check, and bring forward. A file that is damaged, newer or not ours is closed again as it was.

    `given`: by somebody, who may have put in more than a store has.
    """
    with translated(path.name):
        if vfs is None:
            _make_private(path)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        database = apsw.Connection(str(path), flags=flags, vfs=vfs)
        try:
            _prepare(database, path, given=given)
        except BaseException:
            database.close()
            raise
        return database


def _prepare(database: apsw.Connection, path: Path, *, given: bool) -> None:
    database.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # a file we refuse is closed as it was found
    database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    database.pragma("locking_mode", "exclusive")
    migrations.check(database, path.name)
    if given and not _has_our_tables(database):  # before the check and the steps, which run what a table brings along
        raise StoreError(f"{path.name} has tables that are not ours.")
    _check_integrity(database, path)
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", "full")
    database.pragma("wal_autocheckpoint", LOG_PAGES)
    database.pragma("secure_delete", "fast")  # erased chain keys are overwritten wherever a page is written anyway
    database.pragma("cell_size_check", 1)
    migrations.bring_forward(database)


def _has_our_tables(database: apsw.Connection) -> bool:
    """False for a file with a table, view or trigger more, less or other than a store of its version that we made."""
    with closing(apsw.Connection(":memory:")) as own:
        migrations.bring_forward(own, database.pragma("user_version"))
        return _tables(own) == _tables(database)


def _tables(database: apsw.Connection) -> set[tuple[object, ...]]:
    """As bytes: what somebody gave us need not be text."""
    columns = ", ".join(f"CAST({name} AS BLOB)" for name in ("type", "name", "tbl_name", "sql"))
    return set(database.execute(f"SELECT {columns} FROM sqlite_schema"))


def close_database(database: apsw.Connection) -> None:
    """Move everything into the one file and let go of it; on a full disk the log stays beside it, and is as good."""
    try:
        with translated("store"):
            database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except StoreFullError:
        pass
    finally:
        database.close()


def _make_private(path: Path) -> None:
    """Create it 0600 before SQLite does; the write-ahead log takes the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _check_integrity(database: apsw.Connection, path: Path) -> None:
    found = database.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise _damaged(path.name, str(found))


def _damaged(name: str, found: str) -> StoreError:
    return StoreError(
        f"{name} is damaged ({found.splitlines()[-1].strip()}) and was left as it is; restore a backup into a new home,"
        " or see docs/decisions/store.md for what can be salvaged."
    )


@contextmanager
def translated(name: str) -> Iterator[None]:
    """SQLite's errors as ours, each one sentence."""
    try:
        yield
    except apsw.FullError as error:
        raise StoreFullError("The store cannot grow: the disk or its limit is full; free some space.") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _damaged(name, str(error)) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreError(f"{name} is in use by another program; stop that one first.") from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, PermissionError) as error:
        raise StoreError(f"{name} cannot be opened for writing ({error}); check its owner and mode.") from error
    except apsw.Error as error:
        raise StoreError(f"{name} cannot be read or written ({error}); check the disk.") from error
    except OSError as error:
        raise StoreError(f"{name} cannot be opened ({error.strerror}); check the path and the disk.") from error
