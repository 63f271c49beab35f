"""Locked ranges: what fcntl's struct flock says, and how the ranges of one owner replace and join each other."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EOVERFLOW, LinuxError
from lbw.abi.fcntl import F_UNLCK, F_WRLCK, SEEK_CUR, SEEK_END, SEEK_SET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.vfs.file import File

#: The last byte that a lock can cover; a lock up to here is shown with length 0, "to the end of the file".
OFFSET_MAX = (1 << 63) - 1


class RecordLock:
    """A locked range: the bytes `first` to `last`, both included. `pid` is for F_GETLK: -1 for OFD locks."""

    __slots__ = ("first", "kind", "last", "owner", "pid")

    def __init__(self, owner: object, pid: int, kind: int, first: int, last: int) -> None:
        self.owner = owner  # a FileTable (POSIX) or a File (OFD)
        self.pid = pid
        self.kind = kind  # F_RDLCK, F_WRLCK; in a request also F_UNLCK
        self.first = first
        self.last = last

    @property
    def length(self) -> int:
        """`l_len` of struct flock."""
        return 0 if self.last == OFFSET_MAX else self.last - self.first + 1

    def conflicts(self, other: RecordLock) -> bool:
        """Whether both cannot be held at once."""
        return (
            self.first <= other.last
            and other.first <= self.last
            and F_WRLCK in (self.kind, other.kind)
            and self.owner is not other.owner
        )


def replace_range(old: list[RecordLock], new: RecordLock) -> Iterator[RecordLock]:
    """Yield `old` with the range of `new` replaced by it; neighbours of one kind become one lock."""
    pieces = [] if new.kind == F_UNLCK else [RecordLock(new.owner, new.pid, new.kind, new.first, new.last)]
    for lock in old:
        if lock.last < new.first or lock.first > new.last:
            pieces.append(lock)
            continue
        if lock.first < new.first:
            pieces.append(RecordLock(lock.owner, lock.pid, lock.kind, lock.first, new.first - 1))
        if lock.last > new.last:
            pieces.append(RecordLock(lock.owner, lock.pid, lock.kind, new.last + 1, lock.last))
    pieces.sort(key=lambda lock: lock.first)
    run: RecordLock | None = None
    for piece in pieces:
        if run is not None and run.kind == piece.kind and run.last + 1 == piece.first:
            run = RecordLock(run.owner, piece.pid, run.kind, run.first, piece.last)
            continue
        if run is not None:
            yield run
        run = piece
    if run is not None:
        yield run


def lock_range(file: File, whence: int, start: int, length: int) -> tuple[int, int]:
    """Return the first and last byte that struct flock means.  EINVAL: before the file; EOVERFLOW: beyond 2**63"""
    if whence == SEEK_CUR:
        start += file.offset
    elif whence == SEEK_END:
        start += file.inode.stat().size
    elif whence != SEEK_SET:
        raise LinuxError(EINVAL)
    if start > OFFSET_MAX:
        raise LinuxError(EOVERFLOW)
    if start < 0:
        raise LinuxError(EINVAL)
    if length > 0:
        if start + length - 1 > OFFSET_MAX:
            raise LinuxError(EOVERFLOW)
        return start, start + length - 1
    if length < 0:
        if start + length < 0:
            raise LinuxError(EINVAL)
        return start + length, start - 1
    return start, OFFSET_MAX
