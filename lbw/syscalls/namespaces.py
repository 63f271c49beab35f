"""unshare, setns, kcmp: what tasks share with each other.  man 2 unshare, setns, kcmp

Namespaces do not exist, so nothing can be entered, and making one is refused as in `lbw.kernel.clone_rules`.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.sched import (
    CLONE_FILES,
    CLONE_FS,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_VM,
)
from lbw.kernel.clone_rules import ADMIN_NAMESPACES, refuse_namespaces
from lbw.kernel.ptrace_access import require_attach
from lbw.kernel.threads import find_thread
from lbw.syscalls.clone import CLONE3_FLAGS
from lbw.syscalls.parameters import Choice, Fd, Flags, Hex, Pid
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: What unshare takes.
UNSHARE = (
    CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | ADMIN_NAMESPACES | CLONE_NEWUSER
)  # fmt: skip
KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD = range(8)
COMPARISONS = {
    KCMP_FILE: "KCMP_FILE", KCMP_VM: "KCMP_VM", KCMP_FILES: "KCMP_FILES", KCMP_FS: "KCMP_FS",
    KCMP_SIGHAND: "KCMP_SIGHAND", KCMP_IO: "KCMP_IO", KCMP_SYSVSEM: "KCMP_SYSVSEM", KCMP_EPOLL_TFD: "KCMP_EPOLL_TFD",
}  # fmt: skip


@syscall("unshare", Flags("flags", CLONE3_FLAGS), support=PARTIAL, note="no namespaces (EPERM, EINVAL)")
def unshare(task: Task, flags: int) -> int:
    """Stop sharing descriptors (CLONE_FILES), directories (CLONE_FS) and the undo list of semaphores (CLONE_SYSVSEM).

    EINVAL: an unknown flag, or memory, signal handlers or threads that others share; EPERM.  man 2 unshare
    """
    if flags & CLONE_NEWUSER:
        flags |= CLONE_THREAD | CLONE_FS
    if flags & CLONE_VM:
        flags |= CLONE_SIGHAND
    if flags & CLONE_SIGHAND:
        flags |= CLONE_THREAD
    if flags & ~UNSHARE:
        raise LinuxError(EINVAL)
    if flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) and len(task.process.threads) > 1:
        raise LinuxError(EINVAL)
    if flags & (CLONE_SIGHAND | CLONE_VM) and task.process.actions.sharers > 1:
        raise LinuxError(EINVAL)
    if flags & CLONE_VM and task.memory.users > 1:
        raise LinuxError(EINVAL)
    refuse_namespaces(task, flags)
    if flags & CLONE_FILES and task.files.users > 1:
        shared, task.files = task.files, task.files.fork()
        shared.release()
    if flags & CLONE_FS:
        task.fs.leave()
    if flags & CLONE_SYSVSEM and task.undo_list is not None:
        undo, task.undo_list = task.undo_list, None
        undo.leave(task.process.pid)
    return 0


@syscall("setns", Fd("fd"), Flags("nstype", CLONE3_FLAGS), support=PARTIAL, note="EINVAL: there are no namespaces")
def setns(task: Task, fd: int, kind: int) -> int:
    """Refuse: no descriptor can be one of a namespace.  EBADF, EINVAL.  man 2 setns"""
    if kind & ~(ADMIN_NAMESPACES | CLONE_NEWUSER | CLONE_NEWTIME):
        raise LinuxError(EINVAL)
    task.files.get(fd)
    raise LinuxError(EINVAL)


@syscall("kcmp", Pid("pid1"), Pid("pid2"), Choice("type", COMPARISONS), Hex("idx1"), Hex("idx2"), support=PARTIAL,
         note="no KCMP_EPOLL_TFD (EINVAL)")  # fmt: skip
def kcmp(task: Task, first: int, second: int, kind: int, index1: int, index2: int) -> int:
    """Compare what two tasks have: 0 the same, 1 and 2 an order.  EBADF, EINVAL, EPERM, ESRCH.  man 2 kcmp"""
    one, two = find_thread(task.kernel, first), find_thread(task.kernel, second)
    if one is None or two is None:
        raise LinuxError(ESRCH)
    for other in (one, two):
        require_attach(task, other, EPERM)
    if kind == KCMP_FILE:
        try:
            return compare(one.files.get_any(index1), two.files.get_any(index2))
        except LinuxError:
            raise LinuxError(EBADF) from None
    if kind == KCMP_VM:
        return compare(one.memory, two.memory)
    if kind == KCMP_FILES:
        return compare(one.files, two.files)
    if kind == KCMP_FS:
        return compare(one.fs.sharers or one.fs, two.fs.sharers or two.fs)
    if kind == KCMP_SIGHAND:
        return compare(one.process.actions, two.process.actions)
    if kind == KCMP_SYSVSEM:
        return compare(one.undo_list, two.undo_list)
    if kind == KCMP_IO:
        return 0  # nobody has an I/O context
    raise LinuxError(EINVAL)


def compare(one: object, two: object) -> int:
    """Return 0 for the same object, else 1 or 2 by an order that holds while both live."""
    return 0 if one is two else 1 if id(one) < id(two) else 2
