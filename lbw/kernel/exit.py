"""The end of tasks and processes.  man 2 exit_group, _exit

There is one processor, so a task that is not running can be ended on the spot, by whoever decides it: its coroutine is closed,
and it is gone. Only the task whose handler is executing right now is left to the run loop, which finds it DEAD.

Order at the end of a process: memory, files and waiting parents of vfork first, then the children are given away, then the
process becomes a zombie, and last its parent is told; so a parent that wakes up finds everything done.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.signal import SI_KERNEL, SIGCHLD, SIGCONT, SIGHUP
from lbw.kernel.groups import leave_group
from lbw.kernel.notify import announce_exit
from lbw.kernel.robust import release_robust_futexes
from lbw.kernel.signal_send import send_signal
from lbw.kernel.task import EXIT
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.groups import ProcessGroup
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task


def exit_process(process: Process, status: int) -> None:
    """End all threads; `status` is a wait(2) status. The first one counts."""
    if process.exit_status is not None:
        return
    if process.exiting is None:
        process.exiting = status
    process.stop_signal = 0
    current = process.kernel.current
    for task in list(process.threads):
        if task is not current:
            exit_task(task, status)
    if current is not None and current in process.threads:
        exit_task(current, status)


def exit_task(task: Task, status: int) -> None:
    """End one thread; the last one ends the process, with `status` unless exit_group gave another."""
    process, kernel = task.process, task.kernel
    if task not in process.threads:
        return
    coroutine, task.coroutine = task.coroutine, None
    if coroutine is not None and not coroutine.cr_running:
        coroutine.close()
    kernel.scheduler.forget(task)
    task.attention = EXIT
    leave_memory(task)
    task.files.release()
    process.threads.remove(task)
    del kernel.tasks[task.tid]
    process.usage.add_task(task)
    if task.tid != process.pid:
        kernel.pids.release(task.tid)
    task.signals.pending.clear()
    if not process.threads:
        process.uid = task.credentials.ruid
        end_process(process, process.exiting if process.exiting is not None else status)


def leave_memory(task: Task) -> None:
    """Give up the task's part of its address space, at exit and execve: robust futexes, CLEARTID, vfork, the space itself."""
    kernel, memory = task.kernel, task.memory
    usage = task.process.usage
    usage.max_resident = max(usage.max_resident, task.context.mmu.resident)
    release_robust_futexes(task)
    address, task.clear_child_tid = task.clear_child_tid, 0
    if address and kernel.shared_memory.shared(memory):
        try:
            memory.write_u32(address, 0)
            kernel.futexes.wake(kernel.futexes.key(task, address, private=False), 1)
        except LinuxError:
            pass  # the guest unmapped its own thread descriptor
    release_vfork_parent(task)
    kernel.shared_memory.drop(memory)


def release_vfork_parent(task: Task) -> None:
    """Let the parent of a vfork go on."""
    queue, task.vfork_queue = task.vfork_queue, None
    if queue is not None:
        queue.wake_all()


def end_process(process: Process, status: int) -> None:
    """Make a process without threads a zombie and tell the world."""
    kernel = process.kernel
    process.pending.clear()
    hang_up_session(process)
    disown_children(process)
    process.exit_status = status
    if process.parent is not None:
        signal_orphaned_group(process.group, was_orphaned=False, leaving=process)
    if announce_exit(process):
        reap(process)
    if process is kernel.main:
        kernel.stopping = True


def disown_children(process: Process) -> None:
    """Give the children to the nearest subreaper, or to init."""
    if not process.children:
        return
    kernel = process.kernel
    reaper = process.parent
    while reaper is not None and not (reaper.subreaper and reaper.threads):
        reaper = reaper.parent
    heir = reaper or kernel.init
    children = list(process.children)
    process.children.clear()
    for child in children:
        was_orphaned = child.group.orphaned
        child.parent = heir
        child.parent_task = None
        heir.children[child] = None
        child.exit_signal = child.exit_signal and SIGCHLD
        for task in list(child.threads):
            if task.parent_death_signal:
                send_signal(child, SigInfo(task.parent_death_signal, SI_KERNEL, pid=process.pid))
        if child.exit_status is not None:
            if announce_exit(child):
                reap(child)
        elif child.group is not process.group:
            signal_orphaned_group(child.group, was_orphaned)


def signal_orphaned_group(group: ProcessGroup, was_orphaned: bool, leaving: Process | None = None) -> None:
    """SIGHUP and SIGCONT for a group that has just become orphaned and has stopped members.  POSIX _exit()"""
    if leaving is not None:
        # The group can only become orphaned by this exit if the leaving member was its link to the session.
        parent = leaving.parent
        if parent is None or parent.group is group or parent.group.session is not group.session:
            return
    if was_orphaned or not group.orphaned or not group.has_stopped:
        return
    signal_group(group, SIGHUP)
    signal_group(group, SIGCONT)


def signal_group(group: ProcessGroup, signo: int) -> None:
    """Send a signal of the kernel to all members."""
    for member in list(group.members):
        if member.exit_status is None:
            send_signal(member, SigInfo(signo, SI_KERNEL))


def hang_up_session(process: Process) -> None:
    """When a session leader ends, its terminal is free again and the foreground job is told."""
    session = process.session
    if session.leader is not process:
        return
    session.leader = None
    terminal, session.terminal = session.terminal, None
    if terminal is not None:
        foreground = terminal.foreground
        if foreground is not None:
            signal_group(foreground, SIGHUP)
            signal_group(foreground, SIGCONT)
        terminal.hang_up()


def reap(process: Process) -> None:
    """Forget a zombie; its parent inherits what it consumed."""
    kernel = process.kernel
    parent = process.parent
    if kernel.processes.pop(process.pid, None) is None:
        return
    leave_group(process)
    if parent is not None:
        parent.children.pop(process, None)
        parent.child_usage.add(process.usage)
        parent.child_usage.add(process.child_usage)
    kernel.pids.release(process.pid)


def kill_everything(kernel: Kernel) -> None:
    """End all guests; nobody of them runs again."""
    kernel.current = None
    main = kernel.main
    for process in list(kernel.processes.values()):
        if process is not main and process.threads:
            exit_process(process, 9)
    if main is not None:
        exit_process(main, 9)
