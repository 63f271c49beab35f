"""New tasks: fork, vfork, clone, clone3.  man 2 fork, vfork, clone"""

from __future__ import annotations

from struct import Struct

from lbw.abi import sched
from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.sched import (
    CLONE_ARGS_SIZE_VER0,
    CLONE_ARGS_SIZE_VER2,
    CLONE_CLEAR_SIGHAND,
    CLONE_DETACHED,
    CLONE_INTO_CGROUP,
    CLONE_NEWTIME,
    CLONE_PARENT,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
    CSIGNAL,
    MAX_PID_NS_LEVEL,
)
from lbw.abi.signal import NSIG, SIGCHLD
from lbw.kernel.clone import make_task, wait_for_vfork
from lbw.kernel.clone_rules import CloneArguments
from lbw.syscalls.displays import InStruct
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits
from lbw.syscalls.parameters import Out, Parameter, Pointer, Size
from lbw.syscalls.structures import read_extensible
from lbw.syscalls.table import NEVER, PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

CLONE_FLAGS = named(
    sched,
    "CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT CLONE_THREAD"
    " CLONE_NEWNS CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_DETACHED CLONE_UNTRACED"
    " CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO",
)
CLONE3_FLAGS = CLONE_FLAGS | named(sched, "CLONE_NEWTIME CLONE_CLEAR_SIGHAND CLONE_INTO_CGROUP")
#: struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
#: cgroup.
CLONE_ARGS = Struct("<11Q")
CLONE_ARGS_NAMES = (
    "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup"
)  # fmt: skip
NOTE = "no namespaces (EPERM, EINVAL), no control groups (EBADF)"
#: What a C int of a descriptor may be.
INT_MAX = 0x7FFF_FFFF


class CloneFlags(Parameter):
    """The flags of clone, with the exit signal in the low byte."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        from lbw.signals.names import signal_name

        raw &= 0xFFFFFFFF
        shown = [show_bits(raw & ~CSIGNAL, CLONE_FLAGS)] if raw & ~CSIGNAL else []
        if raw & CSIGNAL:
            shown.append(signal_name(raw & CSIGNAL))
        return "|".join(shown) or "0"


def show_clone_args(task: Task, address: int) -> str:
    """Return a struct clone_args, without what was not given."""
    from lbw.signals.names import signal_name

    data = task.memory.read(address, CLONE_ARGS_SIZE_VER0).ljust(CLONE_ARGS.size, b"\0")
    flags, *values = CLONE_ARGS.unpack(data)
    shown = [f"flags={show_bits(flags, CLONE3_FLAGS) if flags else '0'}"]
    for name, value in zip(CLONE_ARGS_NAMES, values, strict=True):
        if name == "exit_signal":
            shown.append(f"exit_signal={signal_name(value) if value else '0'}")
        elif value:
            shown.append(f"{name}={value:#x}")
    return "{" + ", ".join(shown) + "}"


@syscall("fork", restart=NEVER)
def fork(task: Task) -> int:
    """Make a process that is a copy of the caller.  EAGAIN, ENOMEM.  man 2 fork"""
    return make_task(task, CloneArguments(0, SIGCHLD)).tid


@syscall("vfork", restart=NEVER)
def vfork(task: Task) -> Awaitable[int]:
    """Make a process in the caller's memory, and wait until it executes a program or ends.  man 2 vfork"""
    child = make_task(task, CloneArguments(CLONE_VFORK | CLONE_VM, SIGCHLD))
    assert child.vfork_queue is not None
    return wait_for_vfork(task, child, child.vfork_queue)


def start_child(task: Task, arguments: CloneArguments) -> int | Awaitable[int]:
    """Make the task; with CLONE_VFORK wait for it."""
    child = make_task(task, arguments)
    queue = child.vfork_queue
    return child.tid if queue is None else wait_for_vfork(task, child, queue)


@syscall(
    "clone", CloneFlags("flags"), Pointer("stack"), Out("parent_tid"), Out("child_tid"), Pointer("tls"),
    restart=NEVER, support=PARTIAL, note=NOTE,
)  # fmt: skip
def clone(task: Task, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int) -> int | Awaitable[int]:
    """Make a task that shares with the caller what `flags` say; a pidfd is stored at `parent_tid`.  man 2 clone"""
    flags &= 0xFFFFFFFF  # what lies above is for clone3
    return start_child(
        task, CloneArguments(flags & ~CSIGNAL, flags & CSIGNAL, stack, parent_tid, child_tid, tls, parent_tid)
    )  # fmt: skip


@syscall(
    "clone3", InStruct("cl_args", show_clone_args), Size("size"), restart=NEVER, support=PARTIAL, note=NOTE
)  # fmt: skip
def clone3(task: Task, cl_args: int, size: int) -> int | Awaitable[int]:
    """Make a task as `struct clone_args` says.

    E2BIG: the structure is larger than ours and the rest is not zero, or larger than a page; EINVAL; EFAULT.
    man 2 clone3
    """
    data = read_extensible(task, cl_args, size, CLONE_ARGS_SIZE_VER0, CLONE_ARGS_SIZE_VER2)
    (
        flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    ) = CLONE_ARGS.unpack(data)  # fmt: skip
    if (
        set_tid_size > MAX_PID_NS_LEVEL or bool(set_tid) != bool(set_tid_size) or exit_signal > NSIG
        or (flags & CLONE_INTO_CGROUP and (cgroup > INT_MAX or size < CLONE_ARGS_SIZE_VER2))
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    wanted: tuple[int, ...] = ()
    if set_tid:
        wanted = Struct(f"<{set_tid_size}i").unpack(task.memory.read(set_tid, 4 * set_tid_size))
    if (
        flags & ~(0xFFFF_FFFF | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)
        or flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))
        or (flags & (CLONE_THREAD | CLONE_PARENT) and exit_signal)
        or bool(stack) != bool(stack_size) or stack + stack_size > task.abi.task_size
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    return start_child(
        task, CloneArguments(flags, exit_signal, stack + stack_size, parent_tid, child_tid, tls, pidfd, wanted)
    )  # fmt: skip
