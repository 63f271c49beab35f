"""Finding a thread by its number: living ones, and leaders that have ended but are still there as zombies."""

from __future__ import annotations

from lbw.abi.errno import ESRCH, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.task import Task


def find_thread(kernel: Kernel, tid: int) -> Task | None:
    """Return the thread `tid`, None: there is none. It is DEAD if it is a zombie."""
    task = kernel.tasks.get(tid)
    if task is None:
        process = kernel.processes.get(tid)
        return process.ended_leader if process is not None else None
    return task


def thread_or_self(task: Task, tid: int) -> Task:
    """Return the thread `tid`, 0 for the caller.  ESRCH"""
    found = find_thread(task.kernel, tid) if tid else task
    if found is None:
        raise LinuxError(ESRCH)
    return found


def all_threads(kernel: Kernel) -> list[Task]:
    """Return all threads, zombie leaders included."""
    ended = [process.ended_leader for process in kernel.processes.values()]
    return [*kernel.tasks.values(), *(task for task in ended if task is not None)]
