"""Priorities and scheduling policies.  man 2 getpriority, man 7 sched

The scheduler of lbw takes turns and knows neither nice values nor policies: they are checked, kept and inherited as in
Linux, for the whole process, and change nothing. Real-time policies would promise what lbw cannot keep; they are EPERM,
as for a user without the right to them. There is one processor.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_SYS_NICE
from lbw.abi.errno import EACCES, EFAULT, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.resource import PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE
from lbw.abi.sched import (
    SCHED_BATCH,
    SCHED_DEADLINE,
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_NORMAL,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from lbw.syscalls.parameters import Choice, In, Int, Out, Pid, Size
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

PRIORITY_KINDS = {PRIO_PROCESS: "PRIO_PROCESS", PRIO_PGRP: "PRIO_PGRP", PRIO_USER: "PRIO_USER"}
POLICIES = {
    SCHED_NORMAL: "SCHED_OTHER", SCHED_FIFO: "SCHED_FIFO", SCHED_RR: "SCHED_RR", SCHED_BATCH: "SCHED_BATCH",
    SCHED_IDLE: "SCHED_IDLE", SCHED_DEADLINE: "SCHED_DEADLINE",
}  # fmt: skip
REAL_TIME = (SCHED_FIFO, SCHED_RR)
#: Bytes of the kernel's own set of processors.
CPU_MASK_SIZE = 8
#: struct sched_param
PARAM = Struct("<i")
KEPT = "kept and inherited, without effect on scheduling"


def targets(task: Task, which: int, who: int) -> list[Process]:
    """Return the processes that (which, who) means.  EINVAL; ESRCH: none"""
    kernel = task.kernel
    if which == PRIO_PROCESS:
        thread = kernel.tasks.get(who) if who else task
        found = [thread.process] if thread is not None else []
    elif which == PRIO_PGRP:
        pgid = who or task.process.group.pgid
        found = [process for process in kernel.processes.values() if process.group.pgid == pgid and process.threads]
    elif which == PRIO_USER:
        uid = (who & 0xFFFFFFFF) or task.credentials.ruid
        leaders = [(process, process.leader) for process in kernel.processes.values()]
        found = [process for process, leader in leaders if leader is not None and leader.credentials.ruid == uid]
    else:
        raise LinuxError(EINVAL)
    if not found:
        raise LinuxError(ESRCH)
    return found


def thread_of(task: Task, pid: int) -> Task:
    """Return the thread `pid`, 0 for the caller.  EINVAL: negative; ESRCH"""
    if pid < 0:
        raise LinuxError(EINVAL)
    target = task.kernel.tasks.get(pid) if pid else task
    if target is None:
        raise LinuxError(ESRCH)
    return target


def may_schedule(task: Task, process: Process) -> bool:
    """Whether `task` may change how `process` is scheduled: the same user, or CAP_SYS_NICE."""
    who, leader = task.credentials, process.leader
    if who.capable(CAP_SYS_NICE) or leader is None:
        return True
    return who.euid in (leader.credentials.ruid, leader.credentials.euid)


def may_be_nice(task: Task, nice: int, process: Process | None = None) -> bool:
    """Whether `task` may lower the nice value of `process` (or its own) to `nice`."""
    limits = (process or task.process).limits
    return 20 - nice <= limits.soft(RLIMIT_NICE) or task.credentials.capable(CAP_SYS_NICE)


@syscall("getpriority", Choice("which", PRIORITY_KINDS), Int("who"))
def getpriority(task: Task, which: int, who: int) -> int:
    """Return 20 minus the lowest nice value, so that the result is never negative.  man 2 getpriority: EINVAL, ESRCH"""
    return max(20 - process.nice for process in targets(task, which, who))


@syscall("setpriority", Choice("which", PRIORITY_KINDS), Int("who"), Int("prio"), support=PARTIAL, note=KEPT)
def setpriority(task: Task, which: int, who: int, prio: int) -> int:
    """Set nice values, cut to -20 ... 19.  man 2 setpriority: EINVAL, ESRCH, EPERM: not ours, EACCES: would lower it"""
    nice = min(max(prio, -20), 19)
    error = 0
    for process in targets(task, which, who):
        if not may_schedule(task, process):
            error = EPERM
        elif nice < process.nice and not may_be_nice(task, nice, process):
            error = EACCES
        else:
            process.nice = nice
    if error:
        raise LinuxError(error)
    return 0


@syscall("sched_getscheduler", Pid("pid"))
def sched_getscheduler(task: Task, pid: int) -> int:
    """Return the scheduling policy of a thread.  man 2 sched_setscheduler: EINVAL, ESRCH"""
    return thread_of(task, pid).process.policy


@syscall("sched_setscheduler", Pid("pid"), Choice("policy", POLICIES), In("param"), support=PARTIAL, note=KEPT)
def sched_setscheduler(task: Task, pid: int, policy: int, param: int) -> int:
    """Set the scheduling policy.  man 2 sched_setscheduler: EINVAL, ESRCH, EPERM: real-time, or not ours"""
    if not param or pid < 0 or policy < 0:
        raise LinuxError(EINVAL)
    (priority,) = task.memory.load(param, PARAM)
    process = thread_of(task, pid).process
    policy &= ~SCHED_RESET_ON_FORK
    if policy not in POLICIES or policy == SCHED_DEADLINE or not valid_priority(policy, priority):
        raise LinuxError(EINVAL)
    if policy in REAL_TIME or not may_schedule(task, process):
        raise LinuxError(EPERM)
    process.policy = policy
    return 0


@syscall("sched_getparam", Pid("pid"), Out("param"))
def sched_getparam(task: Task, pid: int, param: int) -> int:
    """Store the static priority, which is 0 for all policies that are not real-time.  man 2 sched_getparam: EINVAL"""
    if not param:
        raise LinuxError(EINVAL)
    thread_of(task, pid)
    task.memory.store(param, PARAM, 0)
    return 0


@syscall("sched_setparam", Pid("pid"), In("param"))
def sched_setparam(task: Task, pid: int, param: int) -> int:
    """Set the static priority.  man 2 sched_setparam: EINVAL, ESRCH, EPERM"""
    if not param:
        raise LinuxError(EINVAL)
    (priority,) = task.memory.load(param, PARAM)
    process = thread_of(task, pid).process
    if not valid_priority(process.policy, priority):
        raise LinuxError(EINVAL)
    if not may_schedule(task, process):
        raise LinuxError(EPERM)
    return 0


def valid_priority(policy: int, priority: int) -> bool:
    """Whether `priority` is in the range of `policy`."""
    return 1 <= priority <= 99 if policy in REAL_TIME else priority == 0


@syscall("sched_get_priority_max", Choice("policy", POLICIES))
def sched_get_priority_max(task: Task, policy: int) -> int:
    """Return the highest static priority of a policy.  man 2 sched_get_priority_max: EINVAL"""
    if policy not in POLICIES:
        raise LinuxError(EINVAL)
    return 99 if policy in REAL_TIME else 0


@syscall("sched_get_priority_min", Choice("policy", POLICIES))
def sched_get_priority_min(task: Task, policy: int) -> int:
    """Return the lowest static priority of a policy.  man 2 sched_get_priority_min: EINVAL"""
    if policy not in POLICIES:
        raise LinuxError(EINVAL)
    return 1 if policy in REAL_TIME else 0


@syscall("sched_getaffinity", Pid("pid"), Size("cpusetsize"), Out("mask"))
def sched_getaffinity(task: Task, pid: int, size: int, mask: int) -> int:
    """Store the set of processors, which has one member; return its size in bytes.  man 2 sched_getaffinity: EINVAL"""
    size &= 0xFFFFFFFF
    if not size or size % task.abi.word:
        raise LinuxError(EINVAL)
    thread_of(task, max(pid, 0))
    stored = min(size, CPU_MASK_SIZE)
    task.memory.write(mask, (1).to_bytes(stored, "little"))
    return stored


@syscall("sched_setaffinity", Pid("pid"), Size("cpusetsize"), In("mask"))
def sched_setaffinity(task: Task, pid: int, size: int, mask: int) -> int:
    """Choose processors; the only one must be among them.  man 2 sched_setaffinity: EINVAL, EPERM, ESRCH"""
    length = min(size & 0xFFFFFFFF, task.abi.word)
    chosen = task.memory.read(mask, length) if length else b""
    if len(chosen) < length:
        raise LinuxError(EFAULT)
    if not may_schedule(task, thread_of(task, max(pid, 0)).process):
        raise LinuxError(EPERM)
    if not chosen or not chosen[0] & 1:
        raise LinuxError(EINVAL)
    return 0
