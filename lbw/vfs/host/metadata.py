"""What the guest must see of a host file and the host cannot hold: owners, modes, device numbers.

When the host user is not root, the guest's root is a fake one: files of the host user are shown as 0:0 with the mode
they have, and whatever differs from that is a row of a small sqlite3 database beside the root, `ROOT.lbw.sqlite3`; a
NULL column means "as the host says". `mode` is the whole st_mode, type included; a device node is an empty regular
file on the host.

A root without a database costs nothing: it is looked for once, and sqlite3 is imported only when there is one or
something is to be written. Every change is a transaction of its own; with write-ahead logging that takes some 20 us
and survives the death of lbw, and `sync` makes it survive that of the host. Changes made meanwhile by another lbw on
the same root are noticed at the next change of ours (`reload`).
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

DATABASE_SUFFIX = ".lbw.sqlite3"
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS inode(ino INTEGER PRIMARY KEY, uid INTEGER, gid INTEGER, mode INTEGER, rdev INTEGER)"
)

#: uid, gid, mode, rdev; None: as the host says.
Row = tuple["int | None", "int | None", "int | None", "int | None"]
EMPTY: Row = (None, None, None, None)


class Metadata:
    """The rows of one root, in memory, and their database."""

    __slots__ = ("_connection", "_path", "_unsynced", "_version", "rows")

    def __init__(self, path: bytes) -> None:
        self._path = os.fsdecode(path)
        self._connection: sqlite3.Connection | None = None
        self._unsynced = False
        self._version = 0  # sqlite's count of changes by others
        self.rows: dict[int, Row] = self._load() if os.path.exists(self._path) else {}

    def _load(self) -> dict[int, Row]:
        import sqlite3

        try:
            connection = self._connect()
            self._version = connection.execute("PRAGMA data_version").fetchone()[0]
            return {row[0]: row[1:] for row in connection.execute("SELECT ino, uid, gid, mode, rdev FROM inode")}
        except sqlite3.DatabaseError as error:
            from lbw.errors import RootError

            raise RootError(f"{self._path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            import atexit
            import sqlite3

            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
            except sqlite3.OperationalError:
                pass  # a read-only database, or a file system without shared memory: the rollback journal does
            try:
                self._connection.execute(SCHEMA)
            except sqlite3.OperationalError:
                pass  # read-only: reading still works
            atexit.register(self.close)
        return self._connection

    def update(self, ino: int, row: Row) -> None:
        """Set the row of an inode; an empty one is dropped."""
        if row == EMPTY:
            self.forget(ino)
        elif self.rows.get(ino) != row:
            self.rows[ino] = row
            self._write("INSERT OR REPLACE INTO inode VALUES (?, ?, ?, ?, ?)", (ino, *row))

    def forget(self, ino: int) -> None:
        """Drop the row of an inode whose last link has gone: its number may be used again."""
        if self.rows.pop(ino, None) is not None:
            self._write("DELETE FROM inode WHERE ino = ?", (ino,))

    def _write(self, statement: str, values: tuple[int | None, ...]) -> None:
        import sqlite3

        try:
            if self._connection is None:
                self._connect()
                self._version = self._connect().execute("PRAGMA data_version").fetchone()[0]
            self._connect().execute(statement, values)
        except sqlite3.OperationalError as error:  # read-only, full disk: the guest is told
            raise OSError(errno.EROFS if "readonly" in str(error) else errno.EIO, str(error)) from error
        self._unsynced = True

    def reload(self) -> None:
        """Take over what another process has changed since the last look."""
        if self._connection is None:
            if not os.path.exists(self._path):
                return
        elif self._connection.execute("PRAGMA data_version").fetchone()[0] == self._version:
            return
        rows = self._load()
        self.rows.clear()
        self.rows.update(rows)

    def sync(self) -> None:
        """Make all changes durable."""
        if self._unsynced and self._connection is not None:
            self._unsynced = False
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            import atexit

            self.sync()
            self._connection.close()
            self._connection = None
            atexit.unregister(self.close)


def database_path(root: bytes) -> bytes:
    """Return where the rows of `root` are kept."""
    return root.rstrip(b"/") + os.fsencode(DATABASE_SUFFIX)
