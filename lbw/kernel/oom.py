"""Out of memory: pages of files go, and when that does not help a guest dies so that the others, and lbw, live.

`pressed` is told when memory gets scarce. It only leaves a note: for the task whose turn it is (MEMORY in `attention`)
and for the kernel (`scarce`), which looks at it before each time slice. Between two traps, where nobody holds a view of
guest memory, `relieve` acts. So every system call begins with `Frames.minimum` frames free, and a page fault of a guest
that got no page is repeated.

As Linux does, the process with the largest resident set and page tables is chosen, with what its oom_score_adj adds,
and all that share its memory die with it. What it had comes back at once, because there is one processor: it is ended
on the spot, whatever it was doing.  Linux mm/oom_kill.c; man 5 proc, oom_score
"""

from __future__ import annotations

from lbw.abi.signal import SIGKILL
from lbw.kernel.exit import exit_process
from lbw.kernel.task import MEMORY
from lbw.mm.reclaim import between_traps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

#: The oom_score_adj of those that are never killed.
NEVER = -1000


def pressed(kernel: Kernel) -> None:
    """Note that memory is scarce."""
    kernel.scarce = True
    if kernel.current is not None:
        kernel.current.attention |= MEMORY


def relieve(kernel: Kernel) -> None:
    """Make memory free, at the latest by a kill.  Between traps only"""
    kernel.scarce = False
    frames = kernel.frames
    between_traps(frames, kernel.page_cache)
    if frames.short:
        kill_largest(kernel)
        frames.gather()
        frames.relieved()


def out_of_memory(task: Task) -> None:
    """`task` has got no page: make memory free; it then repeats its access, or is the one that died.

    What it asked for may have been more than one page, and the next attempt asks for less; only who fails twice in the
    same state gets nowhere.
    """
    kernel = task.kernel
    frames, settings = kernel.frames, kernel.oom
    before = frames.used
    relieve(kernel)
    if frames.used >= before:
        if settings.failed_at == frames.used:
            kill_largest(kernel)
            frames.relieved()
        settings.failed_at = frames.used


def kill_largest(kernel: Kernel) -> None:
    """End the process that speaks most for it, and those that share its memory."""
    settings = kernel.oom
    victim = None if settings.panic_on_oom else choose(kernel)
    if victim is None:
        panic(kernel, "panic_on_oom is set" if settings.panic_on_oom else "no process may be killed")
        return
    kernel.report(f"out of memory: killed {describe(victim)}")
    memory = victim.threads[0].memory
    for process in list(kernel.processes.values()):
        if process.threads and process.threads[0].memory is memory:
            exit_process(process, SIGKILL)
            kernel.oom.kills += 1


def panic(kernel: Kernel, why: str) -> None:
    """End the run."""
    kernel.report(f"kernel panic: out of memory, and {why}")
    kernel.shutdown(SIGKILL)
    for process in list(kernel.processes.values()):
        if process.threads:
            exit_process(process, SIGKILL)


def choose(kernel: Kernel) -> Process | None:
    """Return who is to die: the largest, or who asks for memory (vm.oom_kill_allocating_task); None: nobody may."""
    current = kernel.current
    if kernel.oom.kill_allocating_task and current is not None:
        process = current.process
        if process.threads and process.oom_adjustment != NEVER:
            return process
    chosen, most = None, 0
    for process in kernel.processes.values():
        if process.threads and process.oom_adjustment != NEVER:
            points = badness(process)
            if chosen is None or points >= most:
                chosen, most = process, points
    return chosen


def badness(process: Process) -> int:
    """Return what speaks for killing a living process: pages, and oom_score_adj thousandths of all."""
    return resident(process) + process.oom_adjustment * (process.kernel.frames.limit // 1000)


def resident(process: Process) -> int:
    """Return the resident pages of a living process, page tables included."""
    leader = process.leader
    if leader is None:
        return 0
    mmu = leader.context.mmu
    return mmu.resident + mmu.tables


def describe(victim: Process) -> str:
    """Return name, pid and sizes, for the user of lbw."""
    anonymous, file, shared, tables = victim.threads[0].memory.mmu.usage()
    name = victim.comm.decode(errors="replace")
    return (
        f"{name}[{victim.pid}], which held {resident(victim) * 4} kB: {anonymous * 4} kB of its own, {file * 4} kB of"
        f" files, {shared * 4} kB shared, {tables * 4} kB page tables; oom_score_adj {victim.oom_adjustment}"
    )


class OomSettings:
    """vm.panic_on_oom and vm.oom_kill_allocating_task, and how many were killed."""

    __slots__ = ("failed_at", "kill_allocating_task", "kills", "panic_on_oom")

    def __init__(self) -> None:
        self.panic_on_oom = 0
        self.kill_allocating_task = 0
        self.kills = 0
        self.failed_at = -1  # frames in use when a page fault last got nothing
