"""File locks: the lock commands of fcntl, and flock.  man 2 fcntl, flock

What conflicts with what is the business of `lbw.vfs.locks`; here is the waiting.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EAGAIN, EINVAL, ENOLCK, EOVERFLOW, LinuxError
from lbw.abi.fcntl import F_UNLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN
from lbw.syscalls.flag_names import FLOCK_OPERATIONS
from lbw.syscalls.parameters import Fd, Flags
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import MAX_OFFSET
from lbw.vfs.locks import LockManager, RecordLock, lock_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

    Command = Callable[[Task, int, File, int], "int | Awaitable[int]"]

#: struct flock of a 64-bit ABI: type, whence, start, len, pid.
FLOCK = Struct("<hh4xqqi4x")


def record_lock(task: Task, file: File, address: int, description: bool, layout: Struct) -> RecordLock:
    """Return the request that a struct flock makes.  EINVAL: an OFD lock with a pid"""
    kind, whence, start, length, pid = task.memory.load(address, layout)
    if description and pid:
        raise LinuxError(EINVAL)
    first, last = lock_range(file, whence, start, length)
    if description:
        return RecordLock(file, -1, kind, first, last)
    return RecordLock(task.files, task.process.pid, kind, first, last)


def lock_command(description: bool, wait: bool, layout: Struct = FLOCK) -> Command:
    """Return F_SETLK, F_SETLKW or their OFD forms."""

    def set_lock(task: Task, fd: int, file: File, address: int) -> int | Awaitable[int]:
        """Set or drop a record lock.  EAGAIN, EDEADLK, EBADF"""
        request = record_lock(task, file, address, description, layout)
        manager = lock_manager(task)
        try:
            manager.lock(file, request)
        except LinuxError as error:
            if not wait or error.errno != EAGAIN:
                raise
            return wait_for_lock(task, file, request)
        return 0

    return set_lock


async def wait_for_lock(task: Task, file: File, request: RecordLock) -> int:
    """Wait until the lock can be had, and take it."""
    manager = lock_manager(task)
    file.acquire()
    try:
        while True:
            with manager.waiting(file, request) as queue:
                await task.wait(queue)
            try:
                manager.lock(file, request)
                return 0
            except LinuxError as error:
                if error.errno != EAGAIN:
                    raise
    finally:
        file.release()


def test_command(description: bool, layout: Struct = FLOCK, furthest: int = MAX_OFFSET) -> Command:
    """Return F_GETLK or F_OFD_GETLK, for a layout whose offsets go as far as `furthest`."""

    def test_lock(task: Task, fd: int, file: File, address: int) -> int:
        """Tell whether a lock could be had, or who holds one that is in the way.  EOVERFLOW: too far away to tell"""
        held = lock_manager(task).test(file, record_lock(task, file, address, description, layout))
        if held is None:
            task.memory.write(address, F_UNLCK.to_bytes(2, "little"))
        else:
            if held.first > furthest:
                raise LinuxError(EOVERFLOW)
            length = min(held.length, furthest)
            task.memory.store(address, layout, held.kind, 0, held.first, length, held.pid)
        return 0

    return test_lock


def lock_manager(task: Task) -> LockManager:
    """Return who keeps the locks of all files.  ENOLCK: nobody does"""
    locks = task.files.locks
    if locks is None:
        raise LinuxError(ENOLCK)
    return locks


@syscall("flock", Fd("fd"), Flags("operation", FLOCK_OPERATIONS))
def flock(task: Task, fd: int, operation: int) -> int | Awaitable[int]:
    """Lock an open file as a whole.  EAGAIN: LOCK_NB and somebody holds it; EINVAL goes before EBADF.  man 2 flock"""
    if operation & ~LOCK_NB not in (LOCK_SH, LOCK_EX, LOCK_UN):
        raise LinuxError(EINVAL)
    file = task.files.get(fd)
    try:
        lock_manager(task).flock(file, operation)
    except LinuxError as error:
        if error.errno != EAGAIN or operation & LOCK_NB:
            raise
        return wait_for_flock(task, file, operation)
    return 0


async def wait_for_flock(task: Task, file: File, operation: int) -> int:
    """Wait until the lock can be had, and take it."""
    manager = lock_manager(task)
    file.acquire()
    try:
        while True:
            await task.wait(manager.flock_queue(file))
            try:
                manager.flock(file, operation)
                return 0
            except LinuxError as error:
                if error.errno != EAGAIN:
                    raise
    finally:
        file.release()
