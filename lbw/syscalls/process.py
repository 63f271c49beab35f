"""Identity of processes, their groups and sessions, and the calls that make and end tasks."""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import E2BIG, EINVAL, ESRCH, LinuxError
from lbw.abi.sched import (
    CLONE_ARGS_SIZE_VER0,
    CLONE_ARGS_SIZE_VER2,
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_DETACHED,
    CLONE_FILES,
    CLONE_FS,
    CLONE_IO,
    CLONE_PARENT,
    CLONE_PARENT_SETTID,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_UNTRACED,
    CLONE_VFORK,
    CLONE_VM,
    CSIGNAL,
)
from lbw.abi.signal import SIGCHLD
from lbw.kernel.clone import CloneArguments, make_task, wait_for_vfork
from lbw.kernel.exit import exit_process, exit_task
from lbw.kernel.groups import new_session, set_group
from lbw.kernel.task import YIELD
from lbw.syscalls.parameters import Flags, In, Int, Out, Pid, Pointer, Size
from lbw.syscalls.table import NEVER, PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

CLONE_FLAGS = {
    CLONE_VM: "CLONE_VM", CLONE_FS: "CLONE_FS", CLONE_FILES: "CLONE_FILES", CLONE_SIGHAND: "CLONE_SIGHAND",
    CLONE_VFORK: "CLONE_VFORK", CLONE_PARENT: "CLONE_PARENT", CLONE_THREAD: "CLONE_THREAD",
    CLONE_SYSVSEM: "CLONE_SYSVSEM", CLONE_SETTLS: "CLONE_SETTLS", CLONE_PARENT_SETTID: "CLONE_PARENT_SETTID",
    CLONE_CHILD_CLEARTID: "CLONE_CHILD_CLEARTID", CLONE_DETACHED: "CLONE_DETACHED",
    CLONE_UNTRACED: "CLONE_UNTRACED", CLONE_CHILD_SETTID: "CLONE_CHILD_SETTID", CLONE_IO: "CLONE_IO",
    SIGCHLD: "SIGCHLD",
}  # fmt: skip

#: struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
#: cgroup.
CLONE_ARGS = Struct("<11Q")


@syscall("getpid")
def getpid(task: Task) -> int:
    """Return the process's number.  man 2 getpid"""
    return task.process.pid


@syscall("gettid")
def gettid(task: Task) -> int:
    """Return the thread's number.  man 2 gettid"""
    return task.tid


@syscall("getppid")
def getppid(task: Task) -> int:
    """Return the parent's number; 1 when an orphan.  man 2 getppid"""
    return task.process.parent_pid


@syscall("set_tid_address", Pointer("tidptr"))
def set_tid_address(task: Task, tidptr: int) -> int:
    """Note where to store 0, and whom to wake, when the thread ends; return its number.  man 2 set_tid_address"""
    task.clear_child_tid = tidptr
    return task.tid


@syscall("sched_yield")
def sched_yield(task: Task) -> int:
    """Let all other ready tasks run first.  man 2 sched_yield"""
    task.attention |= YIELD
    return 0


# Groups and sessions


def process_named(task: Task, pid: int) -> Process:
    """Return the process `pid`, 0 for the caller's.  ESRCH"""
    if not pid:
        return task.process
    process = task.kernel.processes.get(pid)
    if process is None:
        raise LinuxError(ESRCH)
    return process


@syscall("setpgid", Pid("pid"), Pid("pgid"))
def setpgid(task: Task, pid: int, pgid: int) -> int:
    """Put a process into a group of its session.  man 2 setpgid"""
    set_group(task.process, pid, pgid)
    return 0


@syscall("getpgid", Pid("pid"))
def getpgid(task: Task, pid: int) -> int:
    """Return the group of a process.  ESRCH.  man 2 getpgid"""
    return process_named(task, pid).group.pgid


@syscall("getpgrp")
def getpgrp(task: Task) -> int:
    """Return the caller's group.  man 2 getpgrp"""
    return task.process.group.pgid


@syscall("setsid")
def setsid(task: Task) -> int:
    """Start a session.  EPERM: the caller leads a group.  man 2 setsid"""
    return new_session(task.process)


@syscall("getsid", Pid("pid"))
def getsid(task: Task, pid: int) -> int:
    """Return the session of a process.  ESRCH.  man 2 getsid"""
    return process_named(task, pid).session.sid


# Birth


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
    "clone", Flags("flags", CLONE_FLAGS), Pointer("stack"), Out("parent_tid"), Out("child_tid"), Pointer("tls"),
    restart=NEVER, support=PARTIAL, note="no namespaces, no CLONE_PIDFD (EINVAL)",
)  # fmt: skip
def clone(task: Task, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int) -> int | Awaitable[int]:
    """Make a task that shares with the caller what `flags` say.  man 2 clone"""
    flags &= 0xFFFFFFFF  # what lies above is for clone3
    return start_child(task, CloneArguments(flags & ~CSIGNAL, flags & CSIGNAL, stack, parent_tid, child_tid, tls))


@syscall(
    "clone3", In("cl_args"), Size("size"),
    restart=NEVER, support=PARTIAL, note="no namespaces, no CLONE_PIDFD, no set_tid, no CLONE_INTO_CGROUP (EINVAL)",
)  # fmt: skip
def clone3(task: Task, cl_args: int, size: int) -> int | Awaitable[int]:
    """Make a task as `struct clone_args` says.

    E2BIG: the structure is larger than ours and the rest is not zero; EINVAL.  man 2 clone3
    """
    if size < CLONE_ARGS_SIZE_VER0:
        raise LinuxError(EINVAL)
    if size > 4096:
        raise LinuxError(E2BIG)
    data = task.memory.read(cl_args, size).ljust(CLONE_ARGS_SIZE_VER2, b"\0")
    if any(data[CLONE_ARGS_SIZE_VER2:]):
        raise LinuxError(E2BIG)
    flags, _, child_tid, parent_tid, exit_signal, stack, stack_size, tls, _, set_tid_size, _ = CLONE_ARGS.unpack_from(
        data
    )
    if (
        flags & (CLONE_DETACHED | (CSIGNAL & ~0x80)) or flags >> 34 or exit_signal & ~CSIGNAL or set_tid_size
        or bool(stack) != bool(stack_size)
        or (flags & (CLONE_THREAD | CLONE_PARENT) and exit_signal)
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    return start_child(task, CloneArguments(flags, exit_signal, stack + stack_size, parent_tid, child_tid, tls))


# Death


@syscall("exit", Int("status"))
def exit_thread(task: Task, status: int) -> int:
    """End the thread; with the last one the process ends with `status`.  man 2 exit"""
    exit_task(task, (status & 0xFF) << 8)
    return 0


@syscall("exit_group", Int("status"))
def exit_group(task: Task, status: int) -> int:
    """End the process with `status`.  man 2 exit_group"""
    exit_process(task.process, (status & 0xFF) << 8)
    return 0
