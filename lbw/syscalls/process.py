"""Identity of processes, their groups and sessions, and the calls that end tasks."""

from __future__ import annotations

from lbw.abi.errno import ESRCH, LinuxError
from lbw.kernel.exit import exit_process, exit_task
from lbw.kernel.groups import new_session, set_group
from lbw.kernel.task import YIELD
from lbw.syscalls.parameters import Int, Pid, Pointer
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task


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
    """Return the process `pid`, which may be the number of one of its threads, 0 for the caller's.  ESRCH"""
    if not pid:
        return task.process
    process = task.kernel.processes.get(pid)
    if process is None:
        thread = task.kernel.tasks.get(pid)
        if thread is None:
            raise LinuxError(ESRCH)
        return thread.process
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
