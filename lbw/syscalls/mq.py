"""POSIX message queues.  man 7 mq_overview

A queue is named without the slash that the C library wants. All calls but mq_open and mq_unlink take a descriptor,
which opening a file below /dev/mqueue gives as well. SIGEV_THREAD is what the C library builds with a netlink socket:
the kernel sends a cookie there.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EEXIST,
    EINVAL,
    EMSGSIZE,
    ENAMETOOLONG,
    ENOENT,
    ENOTSOCK,
    ETIMEDOUT,
    LinuxError,
)
from lbw.abi.fcntl import O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY
from lbw.abi.fs import NAME_MAX
from lbw.abi.ipc import MQ_PRIO_MAX, NOTIFY_COOKIE_LEN
from lbw.abi.signal import NSIG, SI_MESGQ
from lbw.ipc.mqueue import Notification, Transfer
from lbw.ipc.mqueue_fs import QueueDirectory, QueueFile, QueueInode
from lbw.kernel.signal_send import send_signal
from lbw.kernel.task import Interrupted
from lbw.signals.siginfo import SigInfo
from lbw.syscalls.displays import InBuffer, OutInts, Timespec
from lbw.syscalls.flag_names import OPEN_FLAGS
from lbw.syscalls.mq_displays import InAttributes, OutAttributes, Sigevent
from lbw.syscalls.parameters import Fd, Flags, Mode, OutBuffer, Path, Size, UInt
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs.permissions import READ, SEARCH, WRITE, require, require_removable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lbw.kernel.task import Task

SECOND = 1_000_000_000
SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD = range(3)
#: struct mq_attr, by word size: flags, maxmsg, msgsize, curmsgs.
ATTRIBUTES = {8: Struct("<4q32x"), 4: Struct("<4i16x")}
#: struct sigevent, by word size: value, signo, notify.
SIGEVENT = {8: Struct("<Qii"), 4: Struct("<Iii")}
_ACCESS = (READ, WRITE, READ | WRITE, 0)
_ONCE = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC


def root_of(task: Task) -> QueueDirectory:
    """Return where the names are."""
    return task.kernel.queues.root


def checked_name(name: bytes) -> bytes:
    """ENOENT: no name; EACCES: not one component of a path; ENAMETOOLONG."""
    if not name:
        raise LinuxError(ENOENT)
    if b"/" in name or name in (b".", b".."):
        raise LinuxError(EACCES)
    if len(name) > NAME_MAX:
        raise LinuxError(ENAMETOOLONG)
    return name


@syscall("mq_open", Path("name"), Flags("oflag", OPEN_FLAGS), Mode("mode"), InAttributes("attr"))
def mq_open(task: Task, name: bytes, flags: int, mode: int, address: int) -> int:
    """Open a message queue, made if need be; return its descriptor.

    EACCES, EEXIST, EFAULT, EINVAL: attributes; EMFILE, ENAMETOOLONG, ENOENT, ENOSPC.  man 3 mq_open
    """
    attributes = task.memory.load(address, ATTRIBUTES[task.abi.word]) if address else None
    with task.files.reserve(1, close_on_exec=True) as slot:
        inode = find_or_make(task, checked_name(name), flags, mode, attributes)
        fd = slot.numbers[0]
        slot.install([inode.open(flags & ~_ONCE)])
    return fd


def find_or_make(
    task: Task, name: bytes, flags: int, mode: int, attributes: tuple[int, ...] | None
) -> QueueInode:  # fmt: skip
    """Return the queue that mq_open means."""
    root, who = root_of(task), task.credentials
    try:
        inode = root.lookup(name)
    except LinuxError as error:
        if error.errno != ENOENT or not flags & O_CREAT:
            raise
        require(who, root, WRITE | SEARCH)
        fs = root.fs
        limits = min(fs.messages_limit, fs.messages_default), min(fs.size_limit, fs.size_default)
        if attributes is not None:
            limits = attributes[1], attributes[2]
        return root.make(name, mode & 0o7777 & ~task.fs.umask, who.fsuid, who.fsgid, *limits)
    if flags & O_CREAT and flags & O_EXCL:
        raise LinuxError(EEXIST)
    if flags & O_ACCMODE == O_RDWR | O_WRONLY:
        raise LinuxError(EINVAL)
    require(who, inode, _ACCESS[flags & O_ACCMODE])
    return inode


@syscall("mq_unlink", Path("name"))
def mq_unlink(task: Task, name: bytes) -> int:
    """Remove the name of a queue.  EACCES, ENAMETOOLONG, ENOENT, EPERM: it is somebody else's.  man 3 mq_unlink"""
    root = root_of(task)
    inode = root.lookup(checked_name(name))
    require_removable(task.credentials, root, inode)
    root.unlink(name)
    return 0


def queue_file(task: Task, fd: int) -> QueueFile:
    """Return the open queue.  EBADF: it is something else"""
    file = task.files.get(fd)
    if not isinstance(file, QueueFile):
        raise LinuxError(EBADF)
    return file


def deadline_at(task: Task, address: int, layout: Struct | None) -> int | None:
    """Return the time at `address` (0: none), by the real-time clock, as monotonic ns.  EFAULT, EINVAL"""
    if not address:
        return None
    seconds, nanoseconds = task.memory.load(address, layout or task.abi.timespec)
    if seconds < 0 or not 0 <= nanoseconds < SECOND:
        raise LinuxError(EINVAL)
    clock = task.kernel.clock
    time: int = seconds * SECOND + nanoseconds
    return clock.monotonic() + time - clock.realtime()


async def wait_for_transfer(
    task: Task, transfer: Transfer, line: list[Transfer], deadline: int | None, then: Callable[[], int]
) -> int:
    """Stand in `line` until others have done `transfer`, and then do `then`.  ETIMEDOUT"""
    line.append(transfer)
    try:
        while not transfer.done:
            if not await task.wait(transfer.queue, deadline=deadline) and not transfer.done:
                raise LinuxError(ETIMEDOUT)
    except Interrupted:
        if not transfer.done:
            raise
    finally:
        if not transfer.done:
            line.remove(transfer)
    return then()


@syscall(
    "mq_timedsend", Fd("mqdes"), InBuffer("msg_ptr", 2), Size("msg_len"), UInt("msg_prio"), Timespec("abs_timeout")
)
def mq_timedsend(
    task: Task, fd: int, address: int, size: int, priority: int, timeout: int, layout: Struct | None = None
) -> int | Awaitable[int]:
    """Send a message; wait for room until `abs_timeout`.

    EAGAIN, EBADF, EFAULT, EINTR, EINVAL: priority or time; EMSGSIZE, ETIMEDOUT.  man 3 mq_send
    """
    deadline = deadline_at(task, timeout, layout)
    if priority >= MQ_PRIO_MAX:
        raise LinuxError(EINVAL)
    file = queue_file(task, fd)
    if not file.writable:
        raise LinuxError(EBADF)
    contents = file.contents
    if size > contents.largest:
        raise LinuxError(EMSGSIZE)
    text = task.memory.read(address, size)
    if not contents.full:
        contents.send(priority, text)
        return 0
    if file.flags & O_NONBLOCK:
        raise LinuxError(EAGAIN)
    return wait_for_transfer(task, Transfer((priority, text)), contents.senders, deadline, lambda: 0)


@syscall(
    "mq_timedreceive", Fd("mqdes"), OutBuffer("msg_ptr"), Size("msg_len"), OutInts("msg_prio", 1),
    Timespec("abs_timeout"),
)  # fmt: skip
def mq_timedreceive(
    task: Task, fd: int, address: int, size: int, priority: int, timeout: int, layout: Struct | None = None
) -> int | Awaitable[int]:
    """Receive the message that is due; wait for one until `abs_timeout`; return its length.

    EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMSGSIZE: the buffer is smaller than messages may be; ETIMEDOUT.
    man 3 mq_receive
    """
    deadline = deadline_at(task, timeout, layout)
    file = queue_file(task, fd)
    if not file.readable:
        raise LinuxError(EBADF)
    contents = file.contents
    if size < contents.largest:
        raise LinuxError(EMSGSIZE)
    if len(contents):
        return deliver(task, address, priority, contents.receive())
    if file.flags & O_NONBLOCK:
        raise LinuxError(EAGAIN)
    transfer = Transfer()

    def take() -> int:
        assert transfer.message is not None
        return deliver(task, address, priority, transfer.message)

    return wait_for_transfer(task, transfer, contents.receivers, deadline, take)


def deliver(task: Task, address: int, where: int, message: tuple[int, bytes]) -> int:
    """Store a message, which is gone from its queue, whatever happens.  EFAULT"""
    priority, text = message
    if where:
        task.memory.write_u32(where, priority)
    task.memory.write(address, text)
    return len(text)


@syscall(
    "mq_notify", Fd("mqdes"), Sigevent("sevp"),
    support=PARTIAL, note="SIGEV_THREAD needs netlink sockets, which there are none of",
)  # fmt: skip
def mq_notify(task: Task, fd: int, address: int) -> int:
    """Be told when a message comes into the empty queue; NULL: no longer.

    EBADF, EBUSY: somebody else is; EFAULT, EINVAL, ENOTSOCK.  man 3 mq_notify
    """
    process = task.process
    if not address:
        queue_file(task, fd).contents.forget(process.pid)
        return 0
    value, signo, kind = task.memory.load(address, SIGEVENT[task.abi.word])
    if kind not in (SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD) or (kind == SIGEV_SIGNAL and not 0 <= signo <= NSIG):
        raise LinuxError(EINVAL)
    if kind == SIGEV_THREAD:
        task.memory.read(value, NOTIFY_COOKIE_LEN)
        task.files.get(signo)
        raise LinuxError(ENOTSOCK)

    def tell() -> None:
        sender = process.kernel.current
        if kind == SIGEV_SIGNAL and signo and sender is not None:
            uid = sender.credentials.ruid
            send_signal(process, SigInfo(signo, SI_MESGQ, pid=sender.process.pid, uid=uid, value=value))

    contents = queue_file(task, fd).contents
    contents.notify(Notification(process.pid, kind, signo if kind == SIGEV_SIGNAL else 0, tell))
    return 0


@syscall("mq_getsetattr", Fd("mqdes"), InAttributes("newattr"), OutAttributes("oldattr"))
def mq_getsetattr(task: Task, fd: int, new: int, old: int) -> int:
    """Set O_NONBLOCK of the description and tell the attributes of before.  EBADF, EFAULT, EINVAL: other flags"""
    layout = ATTRIBUTES[task.abi.word]
    flags = None
    if new:
        flags = task.memory.load(new, layout)[0]
        only(flags, O_NONBLOCK)
    file = queue_file(task, fd)
    contents = file.contents
    values = file.flags & O_NONBLOCK, contents.limit, contents.largest, len(contents)
    if flags is not None:
        file.flags = file.flags & ~O_NONBLOCK | flags
    if old:
        task.memory.store(old, layout, *values)
    return 0
