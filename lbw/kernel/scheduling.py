"""Changing how a thread is scheduled: what is valid, and who may.  man 2 sched_setattr, man 7 sched

The parameters of deadline threads count toward the bandwidth of the one processor, so that EBUSY comes when it should.
Utilisation clamps are EOPNOTSUPP, as in a kernel without them.  Linux kernel/sched/core.c, deadline.c
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_NICE
from lbw.abi.errno import EBUSY, EINVAL, EOPNOTSUPP, EPERM, LinuxError
from lbw.abi.resource import RLIMIT_NICE, RLIMIT_RTPRIO
from lbw.abi.sched import (
    SCHED_DEADLINE,
    SCHED_FLAG_ALL,
    SCHED_FLAG_KEEP_PARAMS,
    SCHED_FLAG_RESET_ON_FORK,
    SCHED_FLAG_UTIL_CLAMP,
    SCHED_IDLE,
)
from lbw.kernel.policies import FAIR, POLICIES, REAL_TIME, Scheduling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.vfs.credentials import Credentials

#: Keep the policy (sched_setparam, SCHED_FLAG_KEEP_POLICY).
KEEP_POLICY = -1
#: Deadline periods, ns; what is smaller than the least runtime cannot be counted.
SHORTEST_PERIOD, LONGEST_PERIOD, LEAST_RUNTIME = 100_000, (1 << 22) * 1000, 1 << 10
#: How much of the processor all deadline threads may have together.
DEADLINE_SHARE = 0.95


def set_scheduling(task: Task, scheduling: Scheduling) -> None:
    """Give `task` other parameters; they were checked."""
    task.scheduling = scheduling
    task.rate = scheduling.rate


def change(
    caller: Task, target: Task, policy: int, flags: int, nice: int, priority: int, runtime: int = 0, deadline: int = 0,
    period: int = 0,
) -> None:  # fmt: skip
    """Change policy (KEEP_POLICY: as it is) and parameters of `target`, as `caller` may.

    `flags`: SCHED_FLAG_*.  EINVAL; EPERM; EBUSY: the deadline threads would have too much; EOPNOTSUPP: utilisation
    """
    old = target.scheduling
    reset = old.reset_on_fork if policy == KEEP_POLICY else bool(flags & SCHED_FLAG_RESET_ON_FORK)
    if policy == KEEP_POLICY:
        policy = old.policy
    if policy not in POLICIES or flags & ~SCHED_FLAG_ALL or priority > 99:
        raise LinuxError(EINVAL)
    new = Scheduling(policy, old.nice, 0, reset)
    if policy == SCHED_DEADLINE:
        new.runtime, new.deadline, new.period = runtime, deadline, period or deadline
        if not _valid_deadline(new):
            raise LinuxError(EINVAL)
    if (policy in REAL_TIME) != (priority != 0):
        raise LinuxError(EINVAL)
    new.priority = priority
    if policy in FAIR:
        new.nice = nice
    if not caller.credentials.capable(CAP_SYS_NICE) and not _may_change(caller, target, new):
        raise LinuxError(EPERM)
    if flags & SCHED_FLAG_UTIL_CLAMP:
        raise LinuxError(EOPNOTSUPP)
    if policy == SCHED_DEADLINE:
        others = sum(task.scheduling.bandwidth for task in target.kernel.tasks.values() if task is not target)
        if others + new.bandwidth > DEADLINE_SHARE:
            raise LinuxError(EBUSY)
    if flags & SCHED_FLAG_KEEP_PARAMS:
        new = old.copy()
        new.reset_on_fork = reset
    set_scheduling(target, new)


def _valid_deadline(new: Scheduling) -> bool:
    """Whether runtime <= deadline <= period, all in range."""
    return (
        0 < new.deadline < 1 << 63 and new.period < 1 << 63
        and LEAST_RUNTIME <= new.runtime <= new.deadline <= new.period
        and SHORTEST_PERIOD <= new.period <= LONGEST_PERIOD
    )  # fmt: skip


def _may_change(caller: Task, target: Task, new: Scheduling) -> bool:
    """Whether a caller without CAP_SYS_NICE may give `target` these parameters."""
    old, limits = target.scheduling, target.process.limits
    if new.policy == SCHED_DEADLINE:
        return False
    if new.policy in FAIR and new.nice < old.nice and not nice_is_allowed(target, new.nice):
        return False
    if new.policy in REAL_TIME:
        limit = limits.soft(RLIMIT_RTPRIO)
        if (new.policy != old.policy and not limit) or new.priority > max(old.priority, limit):
            return False
    if old.policy == SCHED_IDLE and new.policy != SCHED_IDLE and not nice_is_allowed(target, old.nice):
        return False
    if old.reset_on_fork and not new.reset_on_fork:
        return False
    return owned_by(target, caller.credentials)


def nice_is_allowed(target: Task, nice: int) -> bool:
    """Whether RLIMIT_NICE of `target` lets its nice value go down to `nice`."""
    return 20 - nice <= target.process.limits.soft(RLIMIT_NICE)


def owned_by(target: Task, who: Credentials) -> bool:
    """Whether the real or the effective user of `target` is the effective user of the caller."""
    return who.euid in (target.credentials.ruid, target.credentials.euid)
