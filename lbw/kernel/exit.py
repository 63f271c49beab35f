"""The end of tasks and processes.  man 2 exit_group, _exit

There is one processor, so a task that is not running can be ended on the spot, by whoever decides it: its coroutine
is closed, and it is gone. Only the task whose handler is executing right now is left to the run loop, which finds it
DEAD.

Order at the end of a process: memory, files and the waiting parent of a vfork first, then the children are given
away, then the process becomes a zombie, and last its parent is told; so a parent that wakes up finds everything done.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.signal import SI_USER, SIGCHLD, SIGCONT, SIGHUP, SIGKILL
from lbw.kernel.default_actions import notify_parent
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.groups import ProcessGroup, leave_group
from lbw.kernel.jobs import leave_terminal
from lbw.kernel.robust import release_robust_futexes
from lbw.kernel.signal_send import kernel_info, retarget, send_signal, send_to_group
from lbw.kernel.task import DEAD, EXIT
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import FULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task


def exit_group(task: Task, status: int) -> None:
    """End the process of `task`; `status` is a wait(2) status."""
    exit_process(task.process, status)


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
    leave_memory(task)
    if task.undo_list is not None:
        task.undo_list.leave(process.pid)
    task.state = DEAD
    task.attention = EXIT
    task.files.release()
    task.fs.leave()
    process.threads.remove(task)
    del kernel.tasks[task.tid]
    process.usage.add_task(task)
    if task.tid != process.pid:
        kernel.pids.release(task.tid)
    else:
        process.ended_leader = task
    task.signals.pending.clear()
    if process.children:
        hand_over_children(task)
    if process.threads:
        retarget(task, FULL)
    else:
        process.uid = task.credentials.ruid
        if process.executable is not None:
            task.fs.vfs.allow_write(process.executable.inode)
            process.executable = None
        end_process(process, process.exiting if process.exiting is not None else status)


def leave_memory(task: Task) -> None:
    """Leave the address space, at exit and execve: robust futexes, CLEARTID, vfork, the space itself."""
    kernel, memory = task.kernel, task.memory
    usage = task.process.usage
    usage.max_resident = max(usage.max_resident, task.context.mmu.peak)
    release_robust_futexes(task)
    address, task.clear_child_tid = task.clear_child_tid, 0
    if address and memory.users > 1:
        try:
            memory.write_u32(address, 0)
            kernel.futexes.wake(futex_key(memory, address, 0), 1)
        except LinuxError:
            pass  # the guest unmapped its own thread descriptor
    release_vfork_parent(task)
    if memory.users == 1:
        usage.minor_faults += memory.faults - memory.major_faults
        usage.major_faults += memory.major_faults
    memory.release()


def hand_over_children(task: Task) -> None:
    """Tell the children that asked for it that the thread which made them has ended; another one stands for it."""
    process = task.process
    heir = process.threads[0] if process.threads else None
    for child in process.children:
        if child.parent_task is task:
            child.parent_task = heir
            for thread in list(child.threads):
                if thread.parent_death_signal:
                    info = SigInfo(thread.parent_death_signal, SI_USER, pid=process.pid, uid=task.credentials.ruid)
                    send_signal(child, info)


def release_vfork_parent(task: Task) -> None:
    """Let the parent of a vfork go on."""
    queue, task.vfork_queue = task.vfork_queue, None
    if queue is not None:
        queue.wake_all()


def end_process(process: Process, status: int) -> None:
    """Make a process without threads a zombie and tell the world."""
    kernel = process.kernel
    process.pending.clear()
    process.actions.sharers -= 1
    for timer in process.timers.values():
        timer.cancel()
    kernel.ipc_left_by(process)
    leave_terminal(process)
    disown_children(process)
    was_orphaned = process.group.orphaned
    process.exit_status = status
    if kernel.observer is not None:
        kernel.observer.exited(process)
    if not was_orphaned:
        signal_orphaned_group(process.group)
    if process.ended is not None:
        process.ended.wake_all()
    if notify_parent(process, status):
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
    linked = [child.group for child in children if not child.group.orphaned]
    for child in children:
        child.parent = heir
        child.parent_task = heir.threads[0] if heir.threads else None
        heir.children[child] = None
        child.exit_signal = SIGCHLD
        if child.exit_status is not None and notify_parent(child, child.exit_status):
            reap(child)
    for group in dict.fromkeys(linked):
        signal_orphaned_group(group)


def signal_orphaned_group(group: ProcessGroup) -> None:
    """Send SIGHUP and SIGCONT to a group that has just lost its last link to the session and has stopped members.

    POSIX _exit(), "Consequences of Process Termination"
    """
    if group.members and group.orphaned and group.has_stopped:
        send_to_group(group, kernel_info(SIGHUP))
        send_to_group(group, kernel_info(SIGCONT))


def reap(process: Process, waited: bool = False) -> None:
    """Forget a zombie. A parent that `waited` for it inherits what it consumed."""
    kernel = process.kernel
    parent = process.parent
    if kernel.processes.pop(process.pid, None) is None:
        return
    leave_group(process)
    process.ended_leader = None
    if parent is not None:
        parent.children.pop(process, None)
        if waited:
            parent.child_usage.add(process.usage)
            parent.child_usage.add(process.child_usage)
    kernel.pids.release(process.pid)


def kill_everything(kernel: Kernel) -> None:
    """End all guests; nobody of them runs again."""
    kernel.current = None
    main = kernel.main
    for process in list(kernel.processes.values()):
        if process is not main and process.threads:
            exit_process(process, SIGKILL)
    if main is not None:
        exit_process(main, SIGKILL)
