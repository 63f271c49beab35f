"""New tasks: fork, vfork, clone, clone3.  man 2 clone

Everything that can fail comes first (`lbw.kernel.clone_rules`); once the child is in the kernel's tables it exists. A
pidfd is the last that can fail: its number is stored before the child is there, as in Linux.

A thread (CLONE_THREAD) joins the process of its creator. Without CLONE_THREAD, each of CLONE_VM, CLONE_FILES, CLONE_FS
and CLONE_SIGHAND makes two processes share one thing: address spaces, descriptor tables and action tables count their
users. CLONE_IO, CLONE_UNTRACED and CLONE_PTRACE have nothing to say where there is no I/O scheduler and no tracing.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.sched import (
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_CLEAR_SIGHAND,
    CLONE_FILES,
    CLONE_FS,
    CLONE_PARENT,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
)
from lbw.cpu.contracts import ALL, RAX, RSP
from lbw.kernel.clone_rules import check, check_limits, choose_tid
from lbw.kernel.policies import ORDINARY
from lbw.kernel.process import Process
from lbw.kernel.scheduling import set_scheduling
from lbw.kernel.task import Task
from lbw.kernel.tls import install, thread_area
from lbw.signals.pending import PendingSignals
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.clone_rules import CloneArguments
    from lbw.mm.address_space import AddressSpace


def make_task(task: Task, arguments: CloneArguments) -> Task:
    """Return the new task, ready to run; with CLONE_VFORK its `vfork_queue` is where the caller waits.

    EAGAIN: too many tasks; ENOMEM; EMFILE: no room for a pidfd; EFAULT: no place to store it; and what `check` refuses
    """
    check(task, arguments)
    check_limits(task)
    kernel, process, flags = task.kernel, task.process, arguments.flags
    tid = choose_tid(task, arguments.set_tid) if arguments.set_tid else kernel.pids.allocate()
    files = memory = None
    try:
        files = task.files.acquire() if flags & CLONE_FILES else task.files.fork()
        memory = task.memory if flags & CLONE_VM else task.memory.fork()
        if flags & CLONE_VM:
            memory.users += 1
        if not flags & CLONE_THREAD:
            process = make_process(task, tid, arguments)
        if flags & CLONE_PIDFD:
            give_pidfd(task, process, arguments.pidfd)
    except BaseException:
        if process is not task.process:
            forget_process(process)
        if memory is not None:
            memory.release()
        if files is not None:
            files.release()
        kernel.pids.release(tid)
        raise
    context = task.context.clone()
    context.mmu = memory.mmu
    child = Task(
        kernel, tid, process, task.program_abi, context, memory, files,
        task.fs.share() if flags & CLONE_FS else task.fs.fork(),
        task.signals.fork(keep_altstack=flags & (CLONE_VM | CLONE_VFORK) != CLONE_VM),
        task.comm,
    )  # fmt: skip
    context.registers[RAX] = 0
    if arguments.stack:
        context.registers[RSP] = arguments.stack
    context.modified = ALL
    inherit(task, child, flags)
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


def inherit(task: Task, child: Task, flags: int) -> None:
    """Give `child` what its creator registered or chose and what is not shared."""
    child.tls = task.tls
    if flags & CLONE_SYSVSEM:
        child.undo_list = task.shared_undo_list().share()
    if task.scheduling is not ORDINARY:
        set_scheduling(child, task.scheduling.inherited())
    child.io_priority = task.io_priority
    if not flags & CLONE_VM:
        child.rseq, child.rseq_signature = task.rseq, task.rseq_signature


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
    process.personality = old.personality
    process.oom_adjustment, process.oom_least = old.oom_adjustment, old.oom_least
    process.timer_slack, process.thp_disabled = old.timer_slack, old.thp_disabled
    parent.children[process] = None
    kernel.processes[pid] = process
    return process


def forget_process(process: Process) -> None:
    """Undo `make_process`."""
    from lbw.kernel.groups import leave_group

    process.actions.sharers -= 1
    for timer in process.timers.values():
        timer.cancel()
    if process.executable is not None:
        process.kernel.vfs.allow_write(process.executable.inode)
    assert process.parent is not None
    del process.parent.children[process]
    del process.kernel.processes[process.pid]
    leave_group(process)


def give_pidfd(task: Task, process: Process, address: int) -> None:
    """Store a pidfd of `process` for its creator.  EMFILE, EFAULT"""
    from lbw.kernel.pidfd import PidFile

    with task.files.reserve(1, close_on_exec=True) as slot:
        task.memory.write_u32(address, slot.numbers[0])
        slot.install([PidFile(process)])


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
