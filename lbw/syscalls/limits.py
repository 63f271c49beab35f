"""Resource limits and what was consumed.  man 2 getrlimit, getrusage, times"""

from __future__ import annotations

from struct import Struct

from lbw.abi import resource as names
from lbw.abi.capability import CAP_SYS_RESOURCE
from lbw.abi.errno import EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.resource import (
    RLIM_INFINITY,
    RLIMIT_CPU,
    RLIMIT_NOFILE,
    RUSAGE_CHILDREN,
    RUSAGE_SELF,
    RUSAGE_THREAD,
)
from lbw.kernel.cpu_clocks import running_time
from lbw.kernel.cpu_limit import watch_cpu_limit
from lbw.kernel.process import Usage
from lbw.syscalls.displays import Shown
from lbw.syscalls.parameters import Choice, Out, Pid
from lbw.syscalls.table import syscall
from lbw.syscalls.wait import store_usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: struct rlimit64 is the same in all ABIs.
RLIMIT64 = Struct("<QQ")
RESOURCES = {
    value: name for name, value in vars(names).items() if name.startswith("RLIMIT_")
}  # fmt: skip
USERS = {RUSAGE_SELF: "RUSAGE_SELF", RUSAGE_CHILDREN: "RUSAGE_CHILDREN", RUSAGE_THREAD: "RUSAGE_THREAD"}
#: Clock ticks of times(2), ns.
TICK = 10_000_000


class Limit(Shown):
    """A struct rlimit; `wide`: a struct rlimit64."""

    __slots__ = ("wide",)

    def __init__(self, name: str, wide: bool = False) -> None:
        super().__init__(name)
        self.wide = wide

    def target(self, task: Task, address: int, result: int) -> str:
        words = task.memory.load(address, RLIMIT64 if self.wide else task.abi.rlimit)
        top = (1 << 8 * (8 if self.wide else task.abi.word)) - 1
        soft, hard = ["RLIM_INFINITY" if word == top else str(word) for word in words]
        return f"{{rlim_cur={soft}, rlim_max={hard}}}"


class OutLimit(Limit):
    """A struct rlimit that the call fills in."""

    __slots__ = ()
    out = True


def apply_limits(task: Task) -> None:
    """Tell the mechanisms that keep a limit of their own what the limits of the process are now."""
    limits = task.process.limits
    for thread in task.process.threads:
        thread.files.limit = limits.soft(RLIMIT_NOFILE)
        limits.restrict(thread.memory)


def set_limit(task: Task, target: Task, resource: int, soft: int, hard: int) -> None:
    """Change a limit of the process of `target` as `task` may.  EINVAL, EPERM"""
    target.process.limits.set(resource, soft, hard, task.credentials.capable(CAP_SYS_RESOURCE))
    apply_limits(target)
    if resource == RLIMIT_CPU:
        watch_cpu_limit(target.process)


@syscall("getrlimit", Choice("resource", RESOURCES), OutLimit("rlim"))
def getrlimit(task: Task, resource: int, rlim: int, top: int | None = None) -> int:
    """Store a limit of the process, as `top` if it is higher (None: the highest word).  man 2 getrlimit: EINVAL"""
    layout = task.abi.rlimit
    top = top or (1 << 8 * task.abi.word) - 1
    soft, hard = task.process.limits.get(resource)
    task.memory.store(rlim, layout, min(soft, top), min(hard, top))
    return 0


@syscall("setrlimit", Choice("resource", RESOURCES), Limit("rlim"))
def setrlimit(task: Task, resource: int, rlim: int) -> int:
    """Change a limit of the process.  man 2 setrlimit: EINVAL, EPERM"""
    top = (1 << 8 * task.abi.word) - 1
    soft, hard = (RLIM_INFINITY if word == top else word for word in task.memory.load(rlim, task.abi.rlimit))
    set_limit(task, task, resource, soft, hard)
    return 0


@syscall("prlimit64", Pid("pid"), Choice("resource", RESOURCES), Limit("new_limit", wide=True),
         OutLimit("old_limit", wide=True))  # fmt: skip
def prlimit64(task: Task, pid: int, resource: int, new_limit: int, old_limit: int) -> int:
    """Change and store a limit of any process of the same user.  man 2 prlimit: EINVAL, EPERM, ESRCH"""
    new = task.memory.load(new_limit, RLIMIT64) if new_limit else None
    target = task.kernel.tasks.get(pid) if pid else task
    if target is None:
        raise LinuxError(ESRCH)
    who, whose = task.credentials, target.credentials
    same = {whose.euid, whose.suid, whose.ruid} == {who.ruid} and {whose.egid, whose.sgid, whose.rgid} == {who.rgid}
    if target is not task and not same and not who.capable(CAP_SYS_RESOURCE):
        raise LinuxError(EPERM)
    old = target.process.limits.get(resource)
    if new is not None:
        set_limit(task, target, resource, *new)
    if old_limit:
        task.memory.store(old_limit, RLIMIT64, *old)
    return 0


@syscall("getrusage", Choice("who", USERS), Out("usage"))
def getrusage(task: Task, who: int, usage: int) -> int:
    """Store what the process, its waited-for children or the thread consumed.  man 2 getrusage: EINVAL"""
    process = task.process
    if who == RUSAGE_SELF:
        total = process.total_usage()
    elif who == RUSAGE_CHILDREN:
        total = process.child_usage
    elif who == RUSAGE_THREAD:
        total = Usage()
        total.add_task(task)
        total.max_resident = process.total_usage().max_resident
    else:
        raise LinuxError(EINVAL)
    if who != RUSAGE_CHILDREN:
        total.user_time += running_time(task)
    store_usage(task, usage, total)
    return 0


@syscall("times", Out("buf"))
def times(task: Task, buf: int) -> int:
    """Store processor times of the process and its waited-for children, in ticks; return the time.  man 2 times"""
    if buf:
        process = task.process
        used, children = process.total_usage(), process.child_usage
        values = (used.user_time + running_time(task), used.system_time, children.user_time, children.system_time)
        task.memory.store(buf, task.abi.tms, *(value // TICK for value in values))
    clock = task.kernel.clock
    return (clock.monotonic() - clock.boot) // TICK
