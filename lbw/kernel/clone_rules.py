"""What clone may ask for, and when there is no room for one more task.  man 2 clone

The order of the checks is that of Linux' kernel/fork.c, so that of two errors the same one is told. Namespaces do not
exist: they are EPERM for those who would need CAP_SYS_ADMIN and lack it, else EINVAL, as where they are not configured.
There are no control groups one could name by a descriptor, so CLONE_INTO_CGROUP is EBADF.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from lbw.abi.errno import EAGAIN, EBADF, EINVAL, EPERM, LinuxError
from lbw.abi.resource import RLIMIT_NPROC
from lbw.abi.sched import (
    CLONE_CLEAR_SIGHAND,
    CLONE_DETACHED,
    CLONE_FS,
    CLONE_INTO_CGROUP,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
    SCHED_DEADLINE,
)
from lbw.kernel.tls import thread_area

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: Namespaces that only CAP_SYS_ADMIN may make; a user namespace anybody may.
ADMIN_NAMESPACES = (
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME
)  # fmt: skip


class CloneArguments:
    """What the caller of clone3 may ask for. Addresses are guest addresses, 0: not given."""

    __slots__ = ("child_tid", "exit_signal", "flags", "parent_tid", "pidfd", "set_tid", "stack", "tls")

    def __init__(
        self, flags: int, exit_signal: int, stack: int = 0, parent_tid: int = 0, child_tid: int = 0, tls: int = 0,
        pidfd: int = 0, set_tid: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.flags = flags  # CLONE_*
        self.exit_signal = exit_signal
        self.stack = stack  # initial stack pointer; 0: the parent's
        self.parent_tid = parent_tid
        self.child_tid = child_tid
        self.tls = tls
        self.pidfd = pidfd  # where to store the descriptor
        self.set_tid = set_tid  # wanted numbers, innermost pid namespace first


def refuse_namespaces(task: Task, flags: int) -> None:
    """EPERM, EINVAL: `flags` asks for a new namespace."""
    if flags & CLONE_NEWUSER:
        raise LinuxError(EINVAL)
    if flags & ADMIN_NAMESPACES:
        raise LinuxError(EINVAL if task.credentials.capable(CAP_SYS_ADMIN) else EPERM)


def check(task: Task, arguments: CloneArguments) -> None:
    """Refuse combinations as Linux does.

    EINVAL; EPERM: a namespace, or a base that is no user address; EBADF: a control group; EAGAIN: a deadline thread
    """
    flags = arguments.flags
    if (
        (flags & CLONE_PIDFD and flags & CLONE_PARENT_SETTID and arguments.pidfd == arguments.parent_tid)
        or (flags & CLONE_FS and flags & (CLONE_NEWNS | CLONE_NEWUSER))
        or (flags & CLONE_THREAD and (not flags & CLONE_SIGHAND or flags & (CLONE_NEWUSER | CLONE_NEWPID)))
        or (flags & CLONE_SIGHAND and (not flags & CLONE_VM or flags & CLONE_CLEAR_SIGHAND))
        or (flags & CLONE_PIDFD and flags & (CLONE_DETACHED | CLONE_THREAD))
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    refuse_namespaces(task, flags)
    scheduling = task.scheduling
    if scheduling.policy == SCHED_DEADLINE and not scheduling.reset_on_fork:
        raise LinuxError(EAGAIN)  # the bandwidth it has is for one
    if flags & CLONE_SETTLS:
        if task.abi.word == 4:
            thread_area(task.memory, arguments.tls)
        elif arguments.tls >= task.abi.task_size:
            raise LinuxError(EPERM)
    if flags & CLONE_INTO_CGROUP:
        raise LinuxError(EBADF)


def check_limits(task: Task) -> None:
    """Hold the number of tasks down.  EAGAIN: RLIMIT_NPROC of the user, or the kernel's own limit"""
    kernel, credentials = task.kernel, task.credentials
    zombies = len(kernel.processes) - 1
    if max(len(kernel.tasks), zombies) >= kernel.max_tasks:
        raise LinuxError(EAGAIN)
    limit = task.process.limits.soft(RLIMIT_NPROC)
    if limit >= kernel.max_tasks or credentials.ruid == 0:
        return
    if credentials.capable(CAP_SYS_RESOURCE) or credentials.capable(CAP_SYS_ADMIN):
        return
    used = 0
    for process in kernel.processes.values():
        if process.exit_status is not None:
            used += process.uid == credentials.ruid
        used += sum(thread.credentials.ruid == credentials.ruid for thread in process.threads)
    if used >= limit:
        raise LinuxError(EAGAIN)


def choose_tid(task: Task, wanted: tuple[int, ...]) -> int:
    """Return the number that the caller of clone3 wants for the child, with one reference.

    EINVAL: more numbers than pid namespaces, of which there is one, or no number of a task; EPERM: without
    CAP_CHECKPOINT_RESTORE and CAP_SYS_ADMIN; EEXIST: it is in use
    """
    if len(wanted) > 1 or not 1 <= wanted[0] < task.kernel.pids.limit:
        raise LinuxError(EINVAL)
    who = task.credentials
    if not who.capable(CAP_CHECKPOINT_RESTORE) and not who.capable(CAP_SYS_ADMIN):
        raise LinuxError(EPERM)
    task.kernel.pids.take(wanted[0])
    return wanted[0]
