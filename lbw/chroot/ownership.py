"""Who owns what in the root, when the host cannot say.

The default rule, kept together with the host file system of lbw's VFS: a file that belongs to the host user is shown to
the guest as 0:0 with the mode it has on the host.  What the host cannot or should not hold is recorded in a small
sqlite3 database beside the root, `DIR.lbw.sqlite3`, one row per inode; a NULL column means "as the rule says":

    uid, gid    owner in the guest
    mode        st_mode in the guest, file type included, all twelve permission bits
    rdev        device number of a device node, as Linux encodes it; on the host the node is an empty regular file

A host user who is root needs no records: files get their owner and mode for real.  Everybody else's files lose their
set-user-id and set-group-id bits on the host (they would hand out *this* host user's rights) and gain read and write
permission for the owner (search, for directories), so that lbw, running as that user, can act for the guest's root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path

from lbw.host import identity, nodes
from lbw.vfs.host.metadata import DATABASE_SUFFIX, SCHEMA


@dataclass(frozen=True, slots=True)
class Record:
    """What the guest must see at `path` (relative to the root) and the host does not hold."""

    path: str
    device: int
    inode: int
    uid: int | None
    gid: int | None
    mode: int | None
    rdev: int | None


class Ownership:
    """Give files their owner and mode, as far as the host lets us; record the rest."""

    def __init__(self, root: Path) -> None:
        self._prefix = len(str(root)) + 1
        self._privileged = identity.is_root()
        self._records: dict[int, Record] = {}

    @property
    def privileged(self) -> bool:
        """Whether the host user may give files away and make device nodes."""
        return self._privileged

    @property
    def records(self) -> list[Record]:
        """What could not be set, in the order of its setting."""
        return list(self._records.values())

    def apply(self, path: str, mode: int, uid: int, gid: int, rdev: int | None = None) -> None:
        """Make the file at the host path `path`, itself no matter if a link, belong to `uid`:`gid`.

        `mode` is the full st_mode, file type included; `rdev` is given for a device that is only a placeholder.
        """
        permissions = stat.S_IMODE(mode)
        is_link = stat.S_ISLNK(mode)
        if self._privileged and rdev is None:
            try:
                nodes.lchown(path, uid, gid)
            except PermissionError:  # root of a container without CAP_CHOWN
                self._privileged = False
            else:
                if not is_link:
                    os.chmod(path, permissions)  # after chown, which clears set-user-id
                return
        wanted = permissions & 0o1777 | (0o700 if stat.S_ISDIR(mode) else 0o600)
        if not is_link:
            os.chmod(path, wanted)
        held = permissions if is_link else self._held(path, wanted)
        recorded_mode = mode if held != permissions or rdev is not None else None
        if uid or gid or recorded_mode is not None:
            self._record(path, uid, gid, recorded_mode, rdev)

    def forget(self, path: str) -> None:
        """Drop the record of a name about to be deleted, if it is its inode's last: the number may come again."""
        if self._records:
            status = os.lstat(path)
            if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode):
                self._records.pop(status.st_ino, None)

    def save(self, database: Path) -> None:
        """Write all records to `database`, replacing it; without records there is none, which is faster to open.

        Raises OSError when the host cannot hold it.
        """
        delete_database(database)
        if not self._records:
            return
        rows = [(record.inode, record.uid, record.gid, record.mode, record.rdev) for record in self.records]
        try:
            with contextlib.closing(sqlite3.connect(database)) as connection, connection:
                connection.execute(SCHEMA)
                connection.executemany("INSERT OR REPLACE INTO inode VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            number = errno.ENOSPC if error.sqlite_errorcode == sqlite3.SQLITE_FULL else errno.EIO
            raise OSError(number, str(error), str(database)) from error

    def _record(self, path: str, uid: int, gid: int, mode: int | None, rdev: int | None) -> None:
        status = os.lstat(path)
        name = path[self._prefix :].replace(os.sep, "/")
        self._records[status.st_ino] = Record(
            name, status.st_dev, status.st_ino, uid or None, gid or None, mode, rdev
        )  # fmt: skip

    @staticmethod
    def _held(path: str, wanted: int) -> int:
        """Return the permissions that the host now shows; only Windows differs from what was asked for."""
        return wanted if os.name == "posix" else stat.S_IMODE(os.lstat(path).st_mode)


def delete_database(database: Path) -> None:
    """Delete a database with what sqlite may have left beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def linux_device(major: int, minor: int) -> int:
    """Return the device number as Linux's makedev(3) encodes it, whatever the host's own encoding is."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def database_path(root: Path) -> Path:
    """Return where the records of `root` are kept."""
    return root.with_name(root.name + DATABASE_SUFFIX)
