"""The file descriptor table of a process.  man 2 open, dup, close

Used numbers are bits of one integer, so the lowest free one is a single expression. Descriptors opened with O_PATH
are kept apart, so that `get`, which every read and write calls, is one dictionary lookup.

A table may be shared (CLONE_FILES): `acquire` and `release` count its users; the last one closes everything. POSIX
record locks belong to the table, and go when any descriptor of their file is closed.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EBUSY, EINVAL, EMFILE, LinuxError
from lbw.abi.fcntl import O_PATH
from lbw.vfs.locks import LockManager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from lbw.vfs.file import File


class FileTable:
    """Open file descriptors. `limit` is the soft RLIMIT_NOFILE: the highest number plus one."""

    __slots__ = ("_close_on_exec", "_files", "_paths", "_used", "limit", "locks", "users")

    def __init__(self, limit: int = 1024, locks: LockManager | None = None) -> None:
        self._files: dict[int, File] = {}
        self._paths: dict[int, File] = {}  # those opened with O_PATH
        self._used = 0
        self._close_on_exec: set[int] = set()
        self.limit = limit
        #: The locks of all files; tables that descend from each other by fork share it.
        self.locks = locks or LockManager()
        self.users = 1

    # Look-up

    def get(self, fd: int) -> File:
        """Return the open file.  EBADF: not open, or opened with O_PATH"""
        try:
            return self._files[fd]
        except KeyError:
            raise LinuxError(EBADF) from None

    def get_any(self, fd: int) -> File:
        """Return the open file, also one opened with O_PATH.  EBADF"""
        file = self._files.get(fd) or self._paths.get(fd)
        if file is None:
            raise LinuxError(EBADF)
        return file

    def items(self) -> list[tuple[int, File]]:
        """Return (number, file) of all descriptors, in order."""
        return sorted((*self._files.items(), *self._paths.items()))

    def __len__(self) -> int:
        return len(self._files) + len(self._paths)

    @property
    def size(self) -> int:
        """How many descriptors Linux would have room for now (FDSize in /proc/PID/status)."""
        return max(64, 1 << max(self._used.bit_length() - 1, 0).bit_length())

    # Allocation

    def _allocate(self, minimum: int = 0) -> int:
        used = self._used
        if minimum:
            used |= (1 << minimum) - 1
        bit = ~used & (used + 1)
        fd = bit.bit_length() - 1
        if fd >= self.limit:
            raise LinuxError(EMFILE)
        self._used |= bit
        return fd

    def _put(self, fd: int, file: File, close_on_exec: bool) -> None:
        (self._paths if file.flags & O_PATH else self._files)[fd] = file
        file.references += 1
        if close_on_exec:
            self._close_on_exec.add(fd)

    def install(self, file: File, close_on_exec: bool = False, minimum: int = 0) -> int:
        """Give `file` the lowest free number that is at least `minimum`.  EMFILE: the limit is reached"""
        fd = self._allocate(minimum)
        self._put(fd, file, close_on_exec)
        return fd

    def reserve(self, count: int, close_on_exec: bool = False) -> Reservation:
        """Set `count` numbers aside, for calls that must not fail after the files are made.  EMFILE"""
        numbers: list[int] = []
        try:
            for _ in range(count):
                numbers.append(self._allocate())
        except LinuxError:
            self._free(numbers)
            raise
        return Reservation(self, numbers, close_on_exec)

    def _free(self, numbers: Sequence[int]) -> None:
        for fd in numbers:
            self._used &= ~(1 << fd)

    # Copies of descriptors

    def duplicate(self, fd: int, minimum: int = 0, close_on_exec: bool = False) -> int:
        """Give the file of `fd` another number, at least `minimum` (dup, F_DUPFD).  EBADF, EINVAL, EMFILE"""
        file = self.get_any(fd)
        if not 0 <= minimum < self.limit:
            raise LinuxError(EINVAL)
        return self.install(file, close_on_exec, minimum)

    def duplicate_to(self, file: File, fd: int, close_on_exec: bool = False) -> int:
        """Make `fd` refer to `file`, closing what it was (dup2 and dup3 of different numbers).

        EBADF: beyond the limit; EBUSY: another call is about to use the number
        """
        if not 0 <= fd < self.limit:
            raise LinuxError(EBADF)
        old = self._files.pop(fd, None) or self._paths.pop(fd, None)
        if old is None:
            if self._used >> fd & 1:
                raise LinuxError(EBUSY)
            self._used |= 1 << fd
        self._close_on_exec.discard(fd)
        self._put(fd, file, close_on_exec)
        if old is not None:
            self._dismiss(old)
        return fd

    # Closing

    def _dismiss(self, file: File) -> None:
        locks = self.locks
        if locks.posix_owners:
            locks.descriptor_closed(file, self)
        if file.minds_closing:
            file.descriptor_closed()
        file.release()

    def close(self, fd: int) -> None:
        """Free the number and drop its reference.  EBADF"""
        file = self._files.pop(fd, None) or self._paths.pop(fd, None)
        if file is None:
            raise LinuxError(EBADF)
        self._used &= ~(1 << fd)
        self._close_on_exec.discard(fd)
        self._dismiss(file)

    def close_on_exec(self) -> None:
        """Close what is marked close-on-exec; execve does this."""
        for fd in sorted(self._close_on_exec):
            self.close(fd)

    def close_all(self) -> None:
        """Close everything."""
        files = [file for _, file in self.items()]
        self._files.clear()
        self._paths.clear()
        self._close_on_exec.clear()
        self._used = 0
        for file in files:
            self._dismiss(file)

    # Flags

    def get_close_on_exec(self, fd: int) -> bool:
        """Return FD_CLOEXEC of `fd`.  EBADF"""
        self.get_any(fd)
        return fd in self._close_on_exec

    def set_close_on_exec(self, fd: int, flag: bool) -> None:
        """Set or clear FD_CLOEXEC of `fd`.  EBADF"""
        self.get_any(fd)
        if flag:
            self._close_on_exec.add(fd)
        else:
            self._close_on_exec.discard(fd)

    # Sharing

    def fork(self) -> FileTable:
        """Return a copy whose descriptors refer to the same open files."""
        copy = FileTable(self.limit, self.locks)
        files, paths = copy._files, copy._paths = self._files.copy(), self._paths.copy()
        for file in files.values():
            file.references += 1
        for file in paths.values():
            file.references += 1
        # Numbers that are only reserved are not copied: nobody would install or free them.
        copy._used = sum(1 << fd for fd in (*files, *paths)) if len(self) != self._used.bit_count() else self._used
        copy._close_on_exec = self._close_on_exec.copy()
        return copy

    def acquire(self) -> FileTable:
        """Add a user (CLONE_FILES)."""
        self.users += 1
        return self

    def release(self) -> None:
        """Drop a user; the last one closes everything."""
        self.users -= 1
        if not self.users:
            self.close_all()


class Reservation:
    """Numbers set aside; what is not installed when the `with` block ends is free again."""

    __slots__ = ("_close_on_exec", "_table", "numbers")

    def __init__(self, table: FileTable, numbers: list[int], close_on_exec: bool) -> None:
        self._table = table
        self._close_on_exec = close_on_exec
        self.numbers = numbers

    def __enter__(self) -> Reservation:
        return self

    def install(self, files: Sequence[File]) -> None:
        """Give the numbers to `files`, in order."""
        assert len(files) == len(self.numbers)
        for fd, file in zip(self.numbers, files, strict=True):
            self._table._put(fd, file, self._close_on_exec)
        self.numbers = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._table._free(self.numbers)
