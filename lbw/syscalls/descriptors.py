"""Descriptors and their flags: dup family, fcntl.  man 2 dup, fcntl"""

from __future__ import annotations

from struct import Struct

from lbw.abi import fcntl as abi
from lbw.abi.capability import CAP_SYS_RESOURCE
from lbw.abi.errno import EBADF, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.fcntl import (
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_OWNER_PGRP,
    F_OWNER_PID,
    F_OWNER_TID,
    FD_CLOEXEC,
    O_APPEND,
    O_CLOEXEC,
    O_DIRECT,
    O_NOATIME,
    O_NONBLOCK,
    O_PATH,
)
from lbw.abi.signal import NSIG
from lbw.kernel.async_io import O_ASYNC, Notifier, notifier_of, set_async
from lbw.syscalls.flag_names import DUP3_FLAGS, FCNTL_COMMANDS
from lbw.syscalls.locks import lock_command, test_command
from lbw.syscalls.memfd import SEAL_COMMANDS
from lbw.syscalls.parameters import Choice, Fd, Flags, Hex, signed
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

    Command = Callable[[Task, int, File, int], "int | Awaitable[int]"]

#: What F_SETFL may change.
SETTABLE = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME

NO_OTHERS: dict[int, Command] = {}

#: struct f_owner_ex: type, pid.
OWNER_EX = Struct("<ii")


@syscall("dup", Fd("oldfd"))
def dup(task: Task, fd: int) -> int:
    """Return another descriptor of the same open file, the lowest free.  man 2 dup"""
    return task.files.duplicate(fd)


@syscall("dup2", Fd("oldfd"), Fd("newfd"))
def dup2(task: Task, fd: int, new: int) -> int:
    """Make `newfd` a copy of `oldfd`, closing it first.  man 2 dup2"""
    file = task.files.get_any(fd)
    return new if fd == new else task.files.duplicate_to(file, new)


@syscall("dup3", Fd("oldfd"), Fd("newfd"), Flags("flags", DUP3_FLAGS))
def dup3(task: Task, fd: int, new: int, flags: int) -> int:
    """As dup2, with O_CLOEXEC.  EINVAL: equal descriptors.  man 2 dup3"""
    only(flags, O_CLOEXEC)
    if fd == new:
        raise LinuxError(EINVAL)
    return task.files.duplicate_to(task.files.get_any(fd), new, bool(flags))


@syscall(
    "fcntl", Fd("fd"), Choice("cmd", FCNTL_COMMANDS), Hex("arg"),
    support=PARTIAL, note="no leases, no directory notification",
)  # fmt: skip
def fcntl(
    task: Task, fd: int, command: int, argument: int, others: Mapping[int, Command] = NO_OTHERS
) -> int | Awaitable[int]:
    """Duplicate, flags, locks, owner, pipe size.  EINVAL: an unknown command.  man 2 fcntl

    `others` are commands that go before the usual ones: those with structures of another layout.
    """
    file = task.files.get_any(fd)
    action = others.get(command) or COMMANDS.get(command)
    if file.flags & O_PATH and command not in PATH_COMMANDS:
        raise LinuxError(EBADF)
    if action is None:
        raise LinuxError(EINVAL)
    return action(task, fd, file, argument)


def duplicate(task: Task, fd: int, file: File, minimum: int) -> int:
    """F_DUPFD."""
    return task.files.duplicate(fd, signed(minimum, 32))


def duplicate_close_on_exec(task: Task, fd: int, file: File, minimum: int) -> int:
    """F_DUPFD_CLOEXEC."""
    return task.files.duplicate(fd, signed(minimum, 32), True)


def get_descriptor_flags(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETFD."""
    return FD_CLOEXEC if task.files.get_close_on_exec(fd) else 0


def set_descriptor_flags(task: Task, fd: int, file: File, flags: int) -> int:
    """F_SETFD."""
    task.files.set_close_on_exec(fd, bool(flags & FD_CLOEXEC))
    return 0


def get_status_flags(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETFL."""
    return file.flags


def set_status_flags(task: Task, fd: int, file: File, flags: int) -> int:
    """F_SETFL; bits that cannot be changed are ignored.  EPERM: O_NOATIME on a file of somebody else"""
    if flags & O_NOATIME and not file.flags & O_NOATIME:
        credentials = task.credentials
        if credentials.euid and credentials.fsuid != file.inode.stat().uid:
            raise LinuxError(EPERM)
    if (flags ^ file.flags) & O_ASYNC:
        set_async(task, file, fd, bool(flags & O_ASYNC))
    file.flags = file.flags & ~SETTABLE | flags & SETTABLE
    return 0


def get_owner(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETOWN: a group is negative."""
    known = file.async_owner
    if not isinstance(known, Notifier):
        return 0
    return -known.number if known.kind == F_OWNER_PGRP else known.number


def set_owner(task: Task, fd: int, file: File, owner: int) -> int:
    """F_SETOWN: a process, or a group when negative.  ESRCH"""
    owner = signed(owner, 32)
    if owner == -(1 << 31):
        raise LinuxError(EINVAL)
    own(task, file, F_OWNER_PGRP if owner < 0 else F_OWNER_PID, abs(owner))
    return 0


def own(task: Task, file: File, kind: int, number: int) -> None:
    """Make `number` (F_OWNER_*; 0: nobody) the owner of a file.  ESRCH"""
    processes, tasks = task.kernel.processes, task.kernel.tasks
    if kind == F_OWNER_PGRP:
        known = any(process.group.pgid == number for process in processes.values())
    else:
        known = number in processes or number in tasks
    if number and not known:
        raise LinuxError(ESRCH)
    notifier_of(task, file).set_owner(task, kind, number)


def get_owner_ex(task: Task, fd: int, file: File, address: int) -> int:
    """F_GETOWN_EX."""
    known = file.async_owner
    kind, number = (known.kind, known.number) if isinstance(known, Notifier) else (F_OWNER_PID, 0)
    task.memory.store(address, OWNER_EX, kind, number)
    return 0


def set_owner_ex(task: Task, fd: int, file: File, address: int) -> int:
    """F_SETOWN_EX.  EINVAL: no such type; ESRCH"""
    kind, number = task.memory.load(address, OWNER_EX)
    if kind not in (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP):
        raise LinuxError(EINVAL)
    own(task, file, kind, number)
    return 0


def get_signal(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETSIG: 0 is SIGIO."""
    known = file.async_owner
    return known.signo if isinstance(known, Notifier) else 0


def set_signal(task: Task, fd: int, file: File, signo: int) -> int:
    """F_SETSIG: 0 is SIGIO, without a payload.  EINVAL: no such signal"""
    if signo > NSIG:
        raise LinuxError(EINVAL)
    notifier_of(task, file).signo = signo
    return 0


def get_lease(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETLEASE: there are none, for F_SETLEASE is refused."""
    return abi.F_UNLCK


def get_pipe_size(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GETPIPE_SZ.  EBADF: not a pipe"""
    from lbw.vfs.pipe import PipeEnd

    if not isinstance(file, PipeEnd):
        raise LinuxError(EBADF)
    return file.pipe.capacity


def set_pipe_size(task: Task, fd: int, file: File, size: int) -> int:
    """F_SETPIPE_SZ.  EBADF: not a pipe"""
    from lbw.vfs.pipe import PipeEnd

    if not isinstance(file, PipeEnd):
        raise LinuxError(EBADF)
    return file.pipe.set_capacity(size & 0xFFFFFFFF, task.credentials.capable(CAP_SYS_RESOURCE))


COMMANDS: dict[int, Command] = {
    abi.F_DUPFD: duplicate,
    abi.F_DUPFD_CLOEXEC: duplicate_close_on_exec,
    abi.F_GETFD: get_descriptor_flags,
    abi.F_SETFD: set_descriptor_flags,
    abi.F_GETFL: get_status_flags,
    abi.F_SETFL: set_status_flags,
    abi.F_GETLK: test_command(False),
    abi.F_SETLK: lock_command(False, False),
    abi.F_SETLKW: lock_command(False, True),
    F_OFD_GETLK: test_command(True),
    F_OFD_SETLK: lock_command(True, False),
    F_OFD_SETLKW: lock_command(True, True),
    abi.F_GETOWN: get_owner,
    abi.F_SETOWN: set_owner,
    abi.F_GETOWN_EX: get_owner_ex,
    abi.F_SETOWN_EX: set_owner_ex,
    abi.F_GETSIG: get_signal,
    abi.F_SETSIG: set_signal,
    abi.F_GETLEASE: get_lease,
    abi.F_GETPIPE_SZ: get_pipe_size,
    abi.F_SETPIPE_SZ: set_pipe_size,
    **SEAL_COMMANDS,
}
#: What an O_PATH descriptor may be asked.
PATH_COMMANDS = frozenset((abi.F_DUPFD, abi.F_DUPFD_CLOEXEC, abi.F_GETFD, abi.F_SETFD, abi.F_GETFL))
