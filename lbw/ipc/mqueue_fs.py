"""The file system of POSIX message queues, mounted on /dev/mqueue.  man 7 mq_overview

A queue is a file: it lives as long as it has its name or is open. Reading it tells how full it is. The root has no
directories and no links.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_RESOURCE
from lbw.abi.errno import EEXIST, EINVAL, EMFILE, ENOENT, ENOSPC, EOVERFLOW, EPERM, LinuxError
from lbw.abi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.abi.stat import S_IFMT, S_IFREG
from lbw.ipc.budget import MemoryBudget
from lbw.ipc.mqueue import Queue
from lbw.vfs.file import File, scatter
from lbw.vfs.pseudo import PrivateDirectory, PseudoFileSystem, PseudoInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.namespace import Surroundings
    from lbw.vfs.inode import Inode, Stat
    from lbw.waiting import WaitQueue

MQUEUE_MAGIC = 0x19800202
#: What privileged programs may ask for (HARD_MSGMAX, HARD_MSGSIZEMAX).
HARD_MESSAGES, HARD_SIZE = 65536, 16 << 20
#: What the kernel needs for a message, and for a priority, bytes: RLIMIT_MSGQUEUE counts them.
_MESSAGE_COST = _PRIORITY_COST = 48
_PRIORITIES = 32768
_FILE_SIZE = 80
_UNSIGNED = 1 << 64


class QueueFileSystem(PseudoFileSystem):
    """mqueue, with its limits: /proc/sys/fs/mqueue."""

    type_name = "mqueue"
    magic = MQUEUE_MAGIC
    root: QueueDirectory

    def __init__(self, around: Surroundings, dev: int = 0x14) -> None:
        super().__init__(dev)
        self.around = around
        self.budget = MemoryBudget(around.frames)
        self.count = 0
        self.accounts: dict[int, int] = {}  # bytes that queues may take, by user
        self.count_limit = 256  # queues_max
        self.messages_limit = self.messages_default = 10  # msg_max, msg_default
        self.size_limit = self.size_default = 8192  # msgsize_max, msgsize_default
        self.root = QueueDirectory(self, self.next_ino(), 0o1777)

    def charge(self, limit: int, largest: int) -> tuple[int, int]:
        """Account for a new queue; return (user, bytes).

        EINVAL: more than a queue may hold; EOVERFLOW; ENOSPC: too many queues; EMFILE: RLIMIT_MSGQUEUE
        """
        credentials, allowance = self.around.caller()
        privileged = credentials.capable(CAP_SYS_RESOURCE)
        if self.count >= self.count_limit and not privileged:
            raise LinuxError(ENOSPC)
        hard = (HARD_MESSAGES, HARD_SIZE) if privileged else (self.messages_limit, self.size_limit)
        if not 0 < limit <= hard[0] or not 0 < largest <= hard[1]:
            raise LinuxError(EINVAL)
        cost = limit * (largest + _MESSAGE_COST) + min(limit, _PRIORITIES) * _PRIORITY_COST
        if cost >= _UNSIGNED:
            raise LinuxError(EOVERFLOW)
        used = self.accounts.get(credentials.ruid, 0) + cost
        if used > allowance:
            raise LinuxError(EMFILE)
        self.accounts[credentials.ruid] = used
        self.count += 1
        return credentials.ruid, cost

    def release(self, account: tuple[int, int]) -> None:
        """Take a queue off its account."""
        uid, cost = account
        self.accounts[uid] -= cost
        self.count -= 1


class QueueDirectory(PrivateDirectory):
    """The root: the names of the queues."""

    __slots__ = ("_names",)

    fs: QueueFileSystem

    def __init__(self, fs: QueueFileSystem, ino: int, permissions: int) -> None:
        super().__init__(fs, ino, permissions)
        self._names: dict[bytes, QueueInode] = {}

    def lookup(self, name: bytes) -> QueueInode:
        """Return a queue.  ENOENT"""
        found = self._names.get(name)
        if found is None:
            raise LinuxError(ENOENT)
        return found

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return the queues."""
        return [(name, inode.ino, S_IFREG) for name, inode in self._names.items()]

    def make(self, name: bytes, mode: int, uid: int, gid: int, limit: int, largest: int) -> QueueInode:
        """Make a queue of `limit` messages of `largest` bytes.  EEXIST; and what `charge` refuses"""
        if name in self._names:
            raise LinuxError(EEXIST)
        fs = self.fs
        account = fs.charge(limit, largest)
        made = self._names[name] = QueueInode(fs, name, mode, uid, gid, Queue(limit, largest, fs.budget), account)
        return made

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> Inode:
        """Make a queue as open(2) does it, with the default attributes.  EPERM: another kind of file"""
        if mode & S_IFMT != S_IFREG:
            raise LinuxError(EPERM)
        fs = self.fs
        limits = min(fs.messages_limit, fs.messages_default), min(fs.size_limit, fs.size_default)
        return self.make(name, mode, uid, gid, *limits)

    def unlink(self, name: bytes) -> None:
        """Remove the name of a queue.  ENOENT"""
        inode = self.lookup(name)
        del self._names[name]
        inode.linked = False
        inode.end_if_unused()

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """EPERM."""
        raise LinuxError(EPERM)


class QueueInode(PseudoInode):
    """A queue as a file."""

    __slots__ = ("_account", "_opened", "_size", "contents", "linked", "name")

    fs: QueueFileSystem

    def __init__(
        self, fs: QueueFileSystem, name: bytes, mode: int, uid: int, gid: int, contents: Queue,
        account: tuple[int, int],
    ) -> None:  # fmt: skip
        super().__init__(fs, fs.next_ino(), mode & 0o7777, uid, gid)
        self.name = name
        self.contents = contents
        self.linked = True
        self._account = account
        self._opened = 0
        self._size = _FILE_SIZE

    def stat(self) -> Stat:
        """Return the attributes; a queue has a size of 80 bytes, as on Linux, until somebody truncates it."""
        status = super().stat()
        status.size = self._size
        return status

    def link_count(self) -> int:
        """Return 0 once it is unlinked."""
        return int(self.linked)

    def link_text(self) -> bytes:
        """Return its path in its file system."""
        return b"/" + self.name + (b"" if self.linked else b" (deleted)")

    def open(self, flags: int) -> QueueFile:
        """Open it."""
        self._opened += 1
        return QueueFile(self, flags)

    def truncate(self, size: int) -> None:
        """Change the size that `stat` tells, and nothing else."""
        self._size = size

    def closed(self) -> None:
        """Note that a description is gone."""
        self._opened -= 1
        self.end_if_unused()

    def end_if_unused(self) -> None:
        """End a queue that nobody can use any more."""
        if not self._opened and not self.linked:
            self.fs.release(self._account)
            self.contents.clear()


class QueueFile(File):
    """An open message queue."""

    __slots__ = ("contents", "queue")

    inode: QueueInode
    minds_closing = True

    def __init__(self, inode: QueueInode, flags: int) -> None:
        super().__init__(inode, flags)
        self.contents = inode.contents
        self.queue: WaitQueue = inode.contents.queue

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Tell how full it is and who is to be told."""
        contents = self.contents
        notification = contents.notification
        told = (0, 0, 0) if notification is None else (notification.kind, notification.signo, notification.pid)
        text = b"QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n" % (contents.bytes, *told)
        return scatter(text[offset:], views)

    def write(self, views: list[memoryview]) -> int:
        """EINVAL."""
        raise LinuxError(EINVAL)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """EINVAL."""
        raise LinuxError(EINVAL)

    def poll(self) -> int:
        """Return readiness for mq_receive and mq_send."""
        events = POLLIN | POLLRDNORM if len(self.contents) else 0
        return events if self.contents.full else events | POLLOUT | POLLWRNORM

    def descriptor_closed(self) -> None:
        """Drop the notification of a process that closes any of its descriptors."""
        self.contents.forget(self.inode.fs.around.pid())

    def close(self) -> None:
        """Let the queue go."""
        self.inode.closed()
