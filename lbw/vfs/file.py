"""Open file descriptions: what a descriptor refers to, and what all kinds of files share.

Files never block. `read` and `write` do what can be done now; when that is nothing they raise EAGAIN, whatever
O_NONBLOCK says, and the caller waits on `queue` and tries again (`lbw.waiting` has the rules). `poll` tells readiness.

A description is reference-counted by the descriptor tables that hold it (`acquire`, `release`); the last release
calls `close` once.
Bytes go to and from guest memory as lists of memoryviews (one per page), so that a read from a host file is one
`preadv` into guest memory without a copy.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EINVAL, ENOTDIR, ENOTTY, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_APPEND, O_RDONLY, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET
from lbw.abi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.vfs.epoll.item import EpollItem
    from lbw.vfs.inode import Inode
    from lbw.vfs.location import Location
    from lbw.vfs.locks import LockManager
    from lbw.waiting import WaitQueue

    class AsyncOwner(Protocol):
        """Somebody who sends signals for a file."""

        def stop(self) -> None:
            """The file is closed."""

    class GuestMemory(Protocol):
        """What `ioctl` needs of a task's memory; all raise EFAULT."""

        def read(self, address: int, length: int) -> bytes: ...
        def write(self, address: int, data: bytes) -> None: ...


class File:
    """An open file description.  man 2 open, "Open file descriptions"."""

    __slots__ = (
        "async_owner", "epolls", "flags", "inode", "location", "locks", "offset", "references", "strips_privileges",
    )  # fmt: skip

    #: A terminal: reading waits by rules of its own (VMIN and VTIME, `lbw.syscalls.terminal_read`).
    has_timer = False

    #: Woken whenever readiness may have changed; None: the file is always ready, and epoll does not take it.
    queue: WaitQueue | None = None

    #: splice(2) and sendfile(2) can read it.
    can_be_spliced = True

    #: `descriptor_closed` is to be called whenever a process closes a descriptor of it (mqueues).
    minds_closing = False

    #: Offsets are places in a file: RLIMIT_FSIZE and O_LARGEFILE bound those of writes.
    has_size = True

    #: The most bytes that read(2) and write(2) move in one step.
    step = 1 << 20

    #: A socket: whatever is more than a step, or vectors, goes its own ways (`lbw.syscalls.socket_transfer`).
    is_socket = False

    def __init__(self, inode: Inode, flags: int) -> None:
        self.inode = inode
        self.flags = flags  # access mode and file status flags (O_APPEND, O_NONBLOCK, ...)
        self.offset = 0
        self.location: Location | None = None  # where it was opened; None: pipes, sockets, anonymous inodes
        self.references = 0
        self.async_owner: AsyncOwner | None = None  # who gets signals (`lbw.kernel.async_io`)
        self.strips_privileges = False  # writing clears set-user-id: the opener lacks CAP_FSETID
        self.locks: LockManager | None = None  # who keeps flock(2) and OFD locks of this description, if it has any
        self.epolls: set[EpollItem] | None = None  # who watches this description with epoll

    # Life

    def acquire(self) -> File:
        """Add a reference (a descriptor)."""
        self.references += 1
        return self

    def release(self) -> None:
        """Drop a reference; the last one closes."""
        self.references -= 1
        if self.references == 0:
            if self.locks is not None:
                self.locks.description_closed(self)
            if self.epolls is not None:
                for item in list(self.epolls):
                    item.remove()
            if self.async_owner is not None:
                self.async_owner.stop()
            self.close()

    def close(self) -> None:
        """Free what the description holds. Called once."""

    def descriptor_closed(self) -> None:
        """The task whose turn it is closes a descriptor; there may be others (`minds_closing`)."""

    # Access mode

    @property
    def readable(self) -> bool:
        """Opened for reading."""
        return self.flags & O_ACCMODE != O_WRONLY

    @property
    def writable(self) -> bool:
        """Opened for writing."""
        return self.flags & O_ACCMODE != O_RDONLY

    # Data. `views` are slices of guest memory; the result is how many bytes were moved.

    def read(self, views: list[memoryview]) -> int:
        """Read at the file offset and advance it.  EAGAIN: nothing to read yet; 0: end of file"""
        count = self.pread(views, self.offset)
        self.offset += count
        return count

    def write(self, views: list[memoryview]) -> int:
        """Write at the file offset (at the end with O_APPEND) and advance it.  EAGAIN: no room yet"""
        if self.flags & O_APPEND:
            self.offset = self.inode.stat().size
        count = self.pwrite(views, self.offset)
        self.offset += count
        return count

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`, without moving the file offset.  ESPIPE: not seekable"""
        raise LinuxError(ESPIPE)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`, without moving the file offset.  ESPIPE: not seekable"""
        raise LinuxError(ESPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset; return the new one.  man 2 lseek"""
        if whence == SEEK_SET:
            position = offset
        elif whence == SEEK_CUR:
            position = self.offset + offset
        elif whence == SEEK_END:
            position = self.inode.stat().size + offset
        else:
            raise LinuxError(EINVAL)
        if position < 0:
            raise LinuxError(EINVAL)
        self.offset = position
        return position

    # Readiness

    def poll(self) -> int:
        """Return the POLL* events that hold now."""
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM

    # The rest

    def fdinfo(self) -> bytes:
        """Return what /proc/PID/fdinfo/N tells of this kind of file, whole lines."""
        return b""

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return the entries of a directory with `.` and `..`, as (name, inode number, S_IF* type); see `Directory`."""
        raise LinuxError(ENOTDIR)

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        """Device control; `argument` is an integer or a guest address in `memory`.  ENOTTY"""
        raise LinuxError(ENOTTY)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """Reserve or punch space.  man 2 fallocate"""
        raise LinuxError(ESPIPE)

    def fsync(self, data_only: bool) -> None:
        """Make the data durable.  EINVAL: not something that can be synced"""
        raise LinuxError(EINVAL)

    def require(self, *, read: bool = False, write: bool = False) -> None:
        """EBADF unless the access mode allows it."""
        if (read and not self.readable) or (write and not self.writable):
            raise LinuxError(EBADF)


def scatter(data: bytes | memoryview, views: list[memoryview]) -> int:
    """Copy `data` into `views`, front to back; return the bytes copied (the shorter of the two)."""
    done, length = 0, len(data)
    for view in views:
        chunk = min(len(view), length - done)
        view[:chunk] = data[done : done + chunk]
        done += chunk
        if done == length:
            break
    return done


def gather(views: list[memoryview]) -> bytes:
    """Return the bytes of `views` as one object."""
    return views[0].tobytes() if len(views) == 1 else b"".join(views)
