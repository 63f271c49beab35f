"""New tasks: fork, vfork, clone, clone3.  man 2 clone

Everything that can fail comes first; once the child is in the kernel's tables it exists.

Threads (CLONE_THREAD) join the process of their creator. Namespaces and pidfds are refused with EINVAL; time-slicing
on one processor makes CLONE_IO and CLONE_SYSVSEM mean nothing.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from lbw.abi.errno import EAGAIN, EINVAL, EPERM, LinuxError
from lbw.abi.resource import RLIMIT_NPROC
from lbw.abi.sched import (
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_CLEAR_SIGHAND,
    CLONE_FILES,
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
    CLONE_PARENT,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
)
from lbw.abi.signal import NSIG
from lbw.cpu.contracts import ALL, RAX, RSP
from lbw.kernel.process import Process
from lbw.kernel.task import Task
from lbw.kernel.tls import install, thread_area
from lbw.signals.pending import PendingSignals
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace

NAMESPACES = (
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME
)  # fmt: skip


class CloneArguments:
    """What the caller of clone3 may ask for. Addresses are guest addresses, 0: not given."""

    __slots__ = ("child_tid", "exit_signal", "flags", "parent_tid", "stack", "tls")

    def __init__(
        self, flags: int, exit_signal: int, stack: int = 0, parent_tid: int = 0, child_tid: int = 0, tls: int = 0
    ) -> None:
        self.flags = flags  # CLONE_*
        self.exit_signal = exit_signal
        self.stack = stack  # initial stack pointer; 0: the parent's
        self.parent_tid = parent_tid
        self.child_tid = child_tid
        self.tls = tls


def check(task: Task, arguments: CloneArguments) -> None:
    """Refuse combinations as Linux does.  EINVAL; EPERM: needs CAP_SYS_ADMIN"""
    flags = arguments.flags
    if (
        (flags & CLONE_THREAD and not flags & CLONE_SIGHAND)
        or (flags & CLONE_SIGHAND and (not flags & CLONE_VM or flags & CLONE_CLEAR_SIGHAND))
        or (flags & CLONE_FS and flags & CLONE_NEWNS)
        or arguments.exit_signal > NSIG
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    if flags & (NAMESPACES | CLONE_NEWUSER):
        if not flags & CLONE_NEWUSER and not task.credentials.capable(CAP_SYS_ADMIN):
            raise LinuxError(EPERM)
        raise LinuxError(EINVAL)
    if flags & (CLONE_PIDFD | CLONE_INTO_CGROUP):
        raise LinuxError(EINVAL)
    if flags & CLONE_SETTLS:
        if task.abi.word == 4:
            thread_area(task.memory, arguments.tls)
        elif arguments.tls >= task.abi.task_size:
            raise LinuxError(EPERM)


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


def make_task(task: Task, arguments: CloneArguments) -> Task:
    """Return the new task, ready to run; with CLONE_VFORK its `vfork_queue` is where the caller waits.

    EAGAIN: too many tasks; ENOMEM; and what `check` refuses
    """
    check(task, arguments)
    check_limits(task)
    kernel, process, flags = task.kernel, task.process, arguments.flags
    tid = kernel.pids.allocate()
    try:
        memory = task.memory if flags & CLONE_VM else task.memory.fork()
    except BaseException:
        kernel.pids.release(tid)
        raise
    if flags & CLONE_VM:
        memory.users += 1
    if not flags & CLONE_THREAD:
        process = make_process(task, tid, arguments)
    context = task.context.clone()
    context.mmu = memory.mmu
    child = Task(
        kernel, tid, process, task.program_abi, context, memory,
        task.files.acquire() if flags & CLONE_FILES else task.files.fork(),
        task.fs if flags & CLONE_FS else task.fs.fork(),
        task.signals.fork(keep_altstack=flags & (CLONE_VM | CLONE_VFORK) != CLONE_VM),
        task.comm,
    )  # fmt: skip
    context.registers[RAX] = 0
    if arguments.stack:
        context.registers[RSP] = arguments.stack
    context.modified = ALL
    child.tls = task.tls
    if flags & CLONE_SETTLS:
        if task.abi.word == 8:
            context.fs_base = arguments.tls
        else:
            install(child, thread_area(task.memory, arguments.tls))
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = arguments.child_tid
    if flags & CLONE_PARENT_SETTID:
        store_tid(task.memory, arguments.parent_tid, tid)
    if flags & CLONE_CHILD_SETTID:
        store_tid(memory, arguments.child_tid, tid)
    if flags & CLONE_VFORK:
        child.vfork_queue = WaitQueue()
    process.threads.append(child)
    kernel.tasks[tid] = child
    kernel.counters.forks += 1
    kernel.scheduler.ready(child)
    return child


def make_process(task: Task, pid: int, arguments: CloneArguments) -> Process:
    """Return the new process of a fork, in the tables and among its parent's children."""
    kernel, old, flags = task.kernel, task.process, arguments.flags
    parent = old.parent if flags & CLONE_PARENT else old
    assert parent is not None
    if flags & CLONE_SIGHAND:
        actions = old.actions.share()
    else:
        actions = old.actions.fork()
        if flags & CLONE_CLEAR_SIGHAND:
            actions = actions.clear_handlers()
    process = Process(kernel, pid, parent, old.group, old.limits.fork(), actions, PendingSignals())
    if "cpu" in old.timers:
        from lbw.kernel.cpu_limit import watch_cpu_limit

        watch_cpu_limit(process)
    process.exit_signal = old.exit_signal if flags & CLONE_PARENT else arguments.exit_signal
    process.parent_task = task if parent is old else old.parent_task
    process.executable = old.executable
    if old.executable is not None:
        task.fs.vfs.deny_write(old.executable.inode)
    process.argv = old.argv
    process.comm = task.comm
    process.dumpable, process.core_filter = old.dumpable, old.core_filter
    process.nice = old.nice
    process.personality, process.policy = old.personality, old.policy
    process.timer_slack, process.thp_disabled = old.timer_slack, old.thp_disabled
    parent.children[process] = None
    kernel.processes[pid] = process
    return process


def store_tid(memory: AddressSpace, address: int, tid: int) -> None:
    """Store a thread id where clone was told to; a bad address is nobody's error, as in Linux."""
    try:
        memory.write_u32(address, tid)
    except LinuxError:
        pass


async def wait_for_vfork(task: Task, child: Task, queue: WaitQueue) -> int:
    """Wait until `child` executes a program or ends; only a fatal signal ends the wait earlier."""
    tid = child.tid
    while child.vfork_queue is queue:
        await task.wait(queue, interruptible=False)
    return tid
