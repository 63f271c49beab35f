"""prctl and arch_prctl: small attributes of threads and processes.  man 2 prctl, arch_prctl

Each operation is a function (task, arg2, arg3, arg4, arg5) in `OPERATIONS`; what is not there is EINVAL, as in a kernel
built without it. Arguments are unsigned words.
"""

from __future__ import annotations

from lbw.abi import prctl as names
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.prctl import (
    ARCH_GET_FS,
    ARCH_GET_GS,
    ARCH_SET_FS,
    ARCH_SET_GS,
    PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE,
    PR_GET_NAME,
    PR_GET_NO_NEW_PRIVS,
    PR_GET_PDEATHSIG,
    PR_GET_SECCOMP,
    PR_GET_THP_DISABLE,
    PR_GET_TID_ADDRESS,
    PR_GET_TIMERSLACK,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_THP_DISABLE,
    PR_SET_TIMERSLACK,
)
from lbw.abi.signal import NSIG
from lbw.abi.thread_cell import PR_LBW_REWRITTEN
from lbw.kernel.task import SIGNAL
from lbw.kernel.tls import FS, GS
from lbw.syscalls.parameters import Choice, Hex
from lbw.syscalls.privileges import OPERATIONS as PRIVILEGES
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task

    Operation = Callable[[Task, int, int, int, int], int]

#: Bytes of a thread name with its NUL.
NAME_SIZE = 16
TIMER_SLACK = 50_000  # ns, the default


def operation_names(prefix: str) -> dict[int, str]:
    """Return {value: name} of the operations, leaving out the names of their arguments."""
    skip = ("PR_SET_MM_", "PR_CAP_AMBIENT_", "PR_SET_VMA_", "PR_SET_PTRACER_")
    return {
        value: name for name, value in vars(names).items() if name.startswith(prefix) and not name.startswith(skip)
    }  # fmt: skip


PRCTL_OPTIONS = {**operation_names("PR_"), PR_LBW_REWRITTEN: "PR_LBW_REWRITTEN"}
ARCH_OPTIONS = operation_names("ARCH_")


def nothing_more(*arguments: int) -> None:
    """EINVAL unless all unused arguments are 0."""
    if any(arguments):
        raise LinuxError(EINVAL)


def set_name(task: Task, name: int, *_: int) -> int:
    """Set the thread's name, cut to 15 bytes."""
    task.set_comm(task.memory.read_cstring(name, NAME_SIZE - 1))
    return 0


def get_name(task: Task, name: int, *_: int) -> int:
    task.memory.write(name, task.comm.ljust(NAME_SIZE, b"\0"))
    return 0


def set_parent_death_signal(task: Task, signo: int, *_: int) -> int:
    """Choose the signal that comes when the parent thread ends.  EINVAL"""
    if signo > NSIG:
        raise LinuxError(EINVAL)
    task.parent_death_signal = signo
    return 0


def get_parent_death_signal(task: Task, address: int, *_: int) -> int:
    task.memory.write_u32(address, task.parent_death_signal)
    return 0


def set_dumpable(task: Task, value: int, *_: int) -> int:
    if value > 1:
        raise LinuxError(EINVAL)
    task.process.dumpable = value
    return 0


def get_dumpable(task: Task, *_: int) -> int:
    return task.process.dumpable


def set_subreaper(task: Task, value: int, *_: int) -> int:
    """Choose whether orphaned descendants become our children."""
    task.process.subreaper = value != 0
    return 0


def get_subreaper(task: Task, address: int, *_: int) -> int:
    task.memory.write_u32(address, int(task.process.subreaper))
    return 0


def set_no_new_privileges(task: Task, value: int, *rest: int) -> int:
    """Give up what set-user-ID programs would give, for good.  EINVAL: anything but 1"""
    nothing_more(value ^ 1, *rest)
    if not task.credentials.no_new_privileges:
        new = task.credentials.copy()
        new.no_new_privileges = True
        task.credentials = new
    return 0


def get_no_new_privileges(task: Task, *arguments: int) -> int:
    nothing_more(*arguments)
    return int(task.credentials.no_new_privileges)


def set_timer_slack(task: Task, value: int, *_: int) -> int:
    """Set how late timers may be, ns; 0 and less: the default."""
    task.process.timer_slack = value if 0 < value < 1 << 63 else TIMER_SLACK
    return 0


def get_timer_slack(task: Task, *_: int) -> int:
    return task.process.timer_slack


def set_thp_disable(task: Task, value: int, *rest: int) -> int:
    nothing_more(*rest)
    task.process.thp_disabled = value != 0
    return 0


def get_thp_disable(task: Task, *arguments: int) -> int:
    nothing_more(*arguments)
    return int(task.process.thp_disabled)


def get_tid_address(task: Task, address: int, *_: int) -> int:
    task.memory.write_u64(address, task.clear_child_tid)  # whatever the word of the caller
    return 0


def get_seccomp(task: Task, *_: int) -> int:
    """There is no seccomp, so nobody is filtered."""
    return 0


def rewritten(task: Task, layout: int, *_: int) -> int:
    """Answer a file that `lbw rewrite` made, which asks whether it runs under lbw. EINVAL: made by another version"""
    from lbw.faults.rewritten import LAYOUT

    if layout != LAYOUT or task.kernel.faults is None:
        raise LinuxError(EINVAL)
    task.kernel.faults.expect_rewritten(task.memory)
    task.attention |= SIGNAL  # the run loop looks again where fragments are
    return 0


OPERATIONS: dict[int, Operation] = {
    PR_SET_NAME: set_name,
    PR_GET_NAME: get_name,
    PR_SET_PDEATHSIG: set_parent_death_signal,
    PR_GET_PDEATHSIG: get_parent_death_signal,
    PR_SET_DUMPABLE: set_dumpable,
    PR_GET_DUMPABLE: get_dumpable,
    PR_SET_CHILD_SUBREAPER: set_subreaper,
    PR_GET_CHILD_SUBREAPER: get_subreaper,
    PR_SET_NO_NEW_PRIVS: set_no_new_privileges,
    PR_GET_NO_NEW_PRIVS: get_no_new_privileges,
    PR_SET_TIMERSLACK: set_timer_slack,
    PR_GET_TIMERSLACK: get_timer_slack,
    PR_SET_THP_DISABLE: set_thp_disable,
    PR_GET_THP_DISABLE: get_thp_disable,
    PR_GET_TID_ADDRESS: get_tid_address,
    PR_GET_SECCOMP: get_seccomp,
    PR_LBW_REWRITTEN: rewritten,
    **PRIVILEGES,
}


@syscall("prctl", Choice("option", PRCTL_OPTIONS), Hex("arg2"), Hex("arg3"), Hex("arg4"), Hex("arg5"),
         support=PARTIAL, note="thread names, parent death, dumpable, subreaper, privileges, timer slack")  # fmt: skip
def prctl(task: Task, option: int, arg2: int, arg3: int, arg4: int, arg5: int) -> int:
    """Do what `option` says.  man 2 prctl: EINVAL: unknown option or bad argument, EPERM, EFAULT"""
    operation = OPERATIONS.get(option)
    if operation is None:
        raise LinuxError(EINVAL)
    return operation(task, arg2, arg3, arg4, arg5)


@syscall("arch_prctl", Choice("op", ARCH_OPTIONS), Hex("addr"))
def arch_prctl(task: Task, op: int, address: int) -> int:
    """Set or store the base of FS or GS.  man 2 arch_prctl: EINVAL, EPERM: not a user address, EFAULT"""
    context = task.context
    if op in (ARCH_SET_FS, ARCH_SET_GS):
        if address >= task.abi.task_size:
            raise LinuxError(EPERM)
        register = FS if op == ARCH_SET_FS else GS
        if context.selectors[register]:
            context.load_flat(register, 0)
        if op == ARCH_SET_FS:
            context.fs_base = address
        else:
            context.gs_base = address
    elif op in (ARCH_GET_FS, ARCH_GET_GS):
        task.memory.write_pointer(address, context.fs_base if op == ARCH_GET_FS else context.gs_base)
    else:
        raise LinuxError(EINVAL)
    return 0
