"""Nice values and I/O priorities: calls that mean a thread, the threads of a group, or those of a user.

man 2 getpriority, ioprio_set. Nice values are of threads, and are shares of the processor (`lbw.kernel.policies`). I/O
priorities are kept and told: lbw has no queue of a disk in which they could count.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_ADMIN, CAP_SYS_NICE
from lbw.abi.errno import EACCES, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.ioprio import (
    IOPRIO_CLASS_BE,
    IOPRIO_CLASS_IDLE,
    IOPRIO_CLASS_NONE,
    IOPRIO_CLASS_RT,
    IOPRIO_CLASS_SHIFT,
    IOPRIO_NR_LEVELS,
    IOPRIO_WHO_PGRP,
    IOPRIO_WHO_PROCESS,
    IOPRIO_WHO_USER,
)
from lbw.abi.resource import PRIO_PGRP, PRIO_PROCESS, PRIO_USER
from lbw.abi.sched import SCHED_IDLE
from lbw.kernel.policies import FAIR
from lbw.kernel.scheduling import nice_is_allowed, set_scheduling
from lbw.kernel.threads import all_threads, find_thread
from lbw.syscalls.parameters import Choice, Int, Parameter
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

PRIORITY_KINDS = {PRIO_PROCESS: "PRIO_PROCESS", PRIO_PGRP: "PRIO_PGRP", PRIO_USER: "PRIO_USER"}
IO_KINDS = {
    IOPRIO_WHO_PROCESS: "IOPRIO_WHO_PROCESS", IOPRIO_WHO_PGRP: "IOPRIO_WHO_PGRP", IOPRIO_WHO_USER: "IOPRIO_WHO_USER"
}  # fmt: skip
IO_CLASSES = {
    IOPRIO_CLASS_NONE: "IOPRIO_CLASS_NONE", IOPRIO_CLASS_RT: "IOPRIO_CLASS_RT", IOPRIO_CLASS_BE: "IOPRIO_CLASS_BE",
    IOPRIO_CLASS_IDLE: "IOPRIO_CLASS_IDLE",
}  # fmt: skip


def targets(task: Task, kind: int, who: int) -> list[Task]:
    """Return the threads that (kind, who) means, `kind` as of getpriority.  EINVAL; ESRCH: none"""
    kernel = task.kernel
    if kind == PRIO_PROCESS:
        thread = find_thread(kernel, who) if who else task
        found = [thread] if thread is not None else []
    elif kind == PRIO_PGRP:
        pgid = who or task.process.group.pgid
        found = [thread for thread in all_threads(kernel) if thread.process.group.pgid == pgid]
    elif kind == PRIO_USER:
        uid = (who & 0xFFFFFFFF) or task.credentials.ruid
        found = [thread for thread in all_threads(kernel) if thread.credentials.ruid == uid]
    else:
        raise LinuxError(EINVAL)
    if not found:
        raise LinuxError(ESRCH)
    return found


def is_ours(task: Task, target: Task, *owners: int) -> bool:
    """Whether one of `owners`, users of `target`, is the caller's effective one, or it has CAP_SYS_NICE."""
    return task.credentials.euid in owners or task.credentials.capable(CAP_SYS_NICE)


def may_be_nice(task: Task, target: Task, nice: int) -> bool:
    """Whether `task` may lower the nice value of `target` to `nice`."""
    return nice_is_allowed(target, nice) or task.credentials.capable(CAP_SYS_NICE)


@syscall("getpriority", Choice("which", PRIORITY_KINDS), Int("who"))
def getpriority(task: Task, which: int, who: int) -> int:
    """Return 20 minus the lowest nice value, so that the result is never negative.  man 2 getpriority: EINVAL, ESRCH"""
    if which == PRIO_PROCESS and who == task.kernel.init.pid:
        return 20  # it has no thread
    return max(20 - thread.scheduling.nice for thread in targets(task, which, who))


@syscall("setpriority", Choice("which", PRIORITY_KINDS), Int("who"), Int("prio"))
def setpriority(task: Task, which: int, who: int, prio: int) -> int:
    """Set nice values, cut to -20 ... 19.  man 2 setpriority: EINVAL, ESRCH, EPERM: not ours, EACCES: would lower it"""
    nice = min(max(prio, -20), 19)
    error = 0
    for thread in targets(task, which, who):
        scheduling, whose = thread.scheduling, thread.credentials
        if not is_ours(task, thread, whose.ruid, whose.euid):
            error = EPERM
        elif nice < scheduling.nice and not may_be_nice(task, thread, nice):
            error = EACCES
        else:
            set_scheduling(thread, scheduling.with_nice(nice))
    if error:
        raise LinuxError(error)
    return 0


class IoPriority(Parameter):
    """An I/O priority: a class and a level."""

    __slots__ = ()
    conversion = "({} & 0xFFFFFFFF)"

    def show(self, task: Task, raw: int, result: int) -> str:
        kind, level = raw >> IOPRIO_CLASS_SHIFT & 7, raw & 0x1FFF
        return f"IOPRIO_PRIO_VALUE({IO_CLASSES.get(kind, hex(kind))}, {level})"


def effective(thread: Task) -> int:
    """Return the I/O priority that counts: what was set, else what follows from how the thread is scheduled."""
    if thread.io_priority >> IOPRIO_CLASS_SHIFT:
        return thread.io_priority
    scheduling = thread.scheduling
    if scheduling.policy in FAIR:
        kind = IOPRIO_CLASS_BE
    else:
        kind = IOPRIO_CLASS_IDLE if scheduling.policy == SCHED_IDLE else IOPRIO_CLASS_RT
    return kind << IOPRIO_CLASS_SHIFT | (scheduling.nice + 20) // 5


@syscall("ioprio_get", Choice("which", IO_KINDS), Int("who"))
def ioprio_get(task: Task, which: int, who: int) -> int:
    """Return the I/O priority of a thread as it was set, or the best of several.  EINVAL, ESRCH.  man 2 ioprio_get"""
    found = targets(task, which - 1, who)
    return found[0].io_priority if which == IOPRIO_WHO_PROCESS else min(effective(thread) for thread in found)


@syscall(
    "ioprio_set", Choice("which", IO_KINDS), Int("who"), IoPriority("ioprio"),
    support=PARTIAL, note="kept, inherited and told, without effect",
)  # fmt: skip
def ioprio_set(task: Task, which: int, who: int, priority: int) -> int:
    """Set I/O priorities.  EINVAL; EPERM: not ours, or real-time without CAP_SYS_ADMIN; ESRCH.  man 2 ioprio_set"""
    kind, level = priority >> IOPRIO_CLASS_SHIFT & 7, priority & 0x1FFF
    mine = task.credentials
    if kind == IOPRIO_CLASS_RT and not mine.capable(CAP_SYS_ADMIN) and not mine.capable(CAP_SYS_NICE):
        raise LinuxError(EPERM)
    if kind not in IO_CLASSES or (kind in (IOPRIO_CLASS_RT, IOPRIO_CLASS_BE) and level >= IOPRIO_NR_LEVELS):
        raise LinuxError(EINVAL)
    if kind == IOPRIO_CLASS_NONE and level:
        raise LinuxError(EINVAL)
    for thread in targets(task, which - 1, who):
        owner = thread.credentials.ruid
        if owner not in (mine.euid, mine.ruid) and not mine.capable(CAP_SYS_NICE):
            raise LinuxError(EPERM)
        thread.io_priority = priority & 0xFFFF
    return 0
