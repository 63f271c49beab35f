"""Processes on i386: the order of clone's arguments, waitpid, nice, old limits, old names, select with a block."""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.i386 import I386
from lbw.kernel.scheduling import set_scheduling
from lbw.syscalls.clone import CloneFlags, clone
from lbw.syscalls.displays import InStruct, WaitStatus
from lbw.syscalls.limits import getrlimit
from lbw.syscalls.parameters import Choice, Flags, Hex, Int, Out, Pid, Pointer
from lbw.syscalls.prctl import ARCH_OPTIONS
from lbw.syscalls.priority import may_be_nice
from lbw.syscalls.sched import time_slice
from lbw.syscalls.select import select
from lbw.syscalls.system import names_of_system
from lbw.syscalls.table import NEVER, NO_HANDLER, ROWS, own_call, variant
from lbw.syscalls.wait import WAIT4_FLAGS, wait4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: struct sel_arg_struct: n, readfds, writefds, exceptfds, timeout.
SELECT = Struct("<iIIII")
#: struct old_utsname and struct oldold_utsname: five names.
OLD_NAMES, OLDEST_NAMES = Struct("65s65s65s65s65s"), Struct("9s9s9s9s9s")

variant(
    I386, "waitpid", wait4, Pid("pid"), WaitStatus("wstatus"), Flags("options", WAIT4_FLAGS), fixed=(0,)
)  # fmt: skip
variant(I386, "ugetrlimit", getrlimit)
variant(I386, "getrlimit", getrlimit, fixed=(0x7FFF_FFFF,))
variant(I386, "_newselect", select)


@own_call(I386, "sched_rr_get_interval_time64", Pid("pid"), Out("tp"))
def sched_rr_get_interval_time64(task: Task, pid: int, tp: int) -> int:
    """Store the time slice of a thread.  man 2 sched_rr_get_interval: EINVAL, ESRCH"""
    task.memory.store(tp, task.abi.timespec64, *divmod(time_slice(task, pid), 10**9))
    return 0


@own_call(
    I386, "clone", CloneFlags("flags"), Pointer("stack"), Out("parent_tid"), Pointer("tls"), Out("child_tid"),
    restart=NEVER, support=ROWS["clone"].support, note=ROWS["clone"].note,
)  # fmt: skip
def clone_backwards(
    task: Task, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int
) -> int | Awaitable[int]:
    """Make a task that shares with the caller what `flags` say; `tls` is a struct user_desc.  man 2 clone"""
    return clone(task, flags, stack, parent_tid, child_tid, tls)


@own_call(I386, "nice", Int("inc"), support=ROWS["setpriority"].support, note=ROWS["setpriority"].note)
def nice(task: Task, increment: int) -> int:
    """Change the nice value, cut to -20 ... 19.  EPERM: would lower it.  man 2 nice"""
    value = min(max(task.scheduling.nice + min(max(increment, -40), 40), -20), 19)
    if increment < 0 and not may_be_nice(task, task, value):
        raise LinuxError(EPERM)
    set_scheduling(task, task.scheduling.with_nice(value))
    return 0


def show_select(task: Task, address: int) -> str:
    """Return the block of arguments of `select`."""
    count, *sets = task.memory.load(address, SELECT)
    return "{" + ", ".join([f"n={count}", *(hex(word) if word else "NULL" for word in sets)]) + "}"


@own_call(I386, "select", InStruct("arg", show_select), restart=NO_HANDLER)
def old_select(task: Task, address: int) -> int | Awaitable[int]:
    """Wait until a descriptor is ready; the arguments are in a block of memory.  man 2 select"""
    return select(task, *task.memory.load(address, SELECT))


@own_call(I386, "olduname", Out("buf"))
def olduname(task: Task, buf: int) -> int:
    """Store five names of the system.  man 2 uname"""
    task.memory.store(buf, OLD_NAMES, *names_of_system(task)[:5])
    return 0


@own_call(I386, "oldolduname", Out("buf"))
def oldolduname(task: Task, buf: int) -> int:
    """Store five names of the system, each cut to eight bytes.  man 2 uname"""
    task.memory.store(buf, OLDEST_NAMES, *(name[:8] for name in names_of_system(task)[:5]))
    return 0


@own_call(I386, "arch_prctl", Choice("op", ARCH_OPTIONS), Hex("addr"), note="the bases are those of descriptors")
def arch_prctl(task: Task, op: int, address: int) -> int:
    """Refuse: FS and GS get their bases from descriptors.  EINVAL.  man 2 arch_prctl"""
    raise LinuxError(EINVAL)
