"""Out of memory: a guest dies so that the others, and lbw, live.

As Linux does, the process with the largest resident set and page tables is chosen, with what its oom_score_adj adds,
and the task that could not get a page tries again after it is gone.
"""

from __future__ import annotations

from lbw.abi.signal import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task


def out_of_memory(task: Task) -> None:
    """Kill the largest process of the guest; `task` then repeats its access, or is the one that died."""
    from lbw.kernel.exit import exit_process

    kernel = task.kernel
    victim, worst = task.process, badness(task.process)
    for process in kernel.processes.values():
        if process.threads and badness(process) > worst:
            victim, worst = process, badness(process)
    name = victim.comm.decode(errors="replace")
    kernel.report(f"out of memory: killed {name}[{victim.pid}], which held {resident(victim) * 4} kB")
    exit_process(victim, SIGKILL)


def badness(process: Process) -> int:
    """Return what speaks for killing a living process: pages, and oom_score_adj thousandths of all; -1: spare it."""
    if process.oom_adjustment == -1000:
        return -1
    return max(resident(process) + process.oom_adjustment * (process.kernel.frames.limit // 1000), 0)


def resident(process: Process) -> int:
    """Return the resident pages of a living process, page tables included."""
    leader = process.leader
    if leader is None:
        return 0
    mmu = leader.context.mmu
    return mmu.resident + mmu.tables
