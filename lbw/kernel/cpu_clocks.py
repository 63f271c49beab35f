"""Clocks of processor time: what tasks and processes have used, by the names that programs have for them.

Each task is charged when its turn ends (`lbw.kernel.run`); what runs now has used what its turn took so far as well.
Time in the kernel on a task's behalf counts as the task's, time in which nobody could run counts as nobody's.

A clock of another process or thread has a negative number: the complement of the pid or tid in the upper bits, then
one bit that tells which of the two, and two bits that say what counts: 0 user and system time, 1 user time, 2 both,
finely.
man 3 clock_getcpuclockid, pthread_getcpuclockid
"""

from __future__ import annotations

from lbw.abi.clock import CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID
from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

#: The two bits.
PROF, VIRTUAL, SCHEDULER = range(3)
_PER_THREAD = 4


def running_time(task: Task) -> int:
    """Return how long `task` runs already in the current time slice."""
    if task.kernel.current is not task:
        return 0
    return max(0, task.kernel.clock.processor() - task.slice_start)


def task_time(task: Task, which: int = SCHEDULER) -> int:
    """Return the processor time of one task, ns; `which`: PROF, VIRTUAL or SCHEDULER."""
    user = task.user_time + running_time(task)
    return user if which == VIRTUAL else user + task.system_time


def process_time(process: Process, which: int = SCHEDULER) -> int:
    """Return the processor time of all threads of a process, those that have ended too, ns."""
    usage = process.usage
    user, system = usage.user_time, usage.system_time
    for task in process.threads:
        user += task.user_time
        system += task.system_time
    current = process.kernel.current
    if current is not None and current.process is process:
        user += running_time(current)
    return user if which == VIRTUAL else user + system


class CpuClock:
    """A clock of processor time: of one task, or of a process."""

    __slots__ = ("process", "task", "which")

    def __init__(self, process: Process, task: Task | None, which: int) -> None:
        self.process = process
        self.task = task  # None: all threads
        self.which = which

    def read(self) -> int:
        """Return what it shows, ns."""
        if self.task is not None:
            return task_time(self.task, self.which)
        return process_time(self.process, self.which)


def is_cpu_clock(clock_id: int) -> bool:
    """Tell whether `clock_id` names a clock of processor time, of somebody who may not exist."""
    return clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID) or (
        clock_id < 0 and not is_descriptor_clock(clock_id)
    )


def is_descriptor_clock(clock_id: int) -> bool:
    """Tell whether `clock_id` means a clock that is open as a file; there are none."""
    return clock_id < 0 and clock_id & 7 == 3


def find_cpu_clock(task: Task, clock_id: int) -> CpuClock:
    """Return the clock of processor time that `task` means by `clock_id`.  EINVAL: no such thread or process

    A thread must be one of the caller's process; any process may be asked.
    """
    if clock_id == CLOCK_PROCESS_CPUTIME_ID:
        return CpuClock(task.process, None, SCHEDULER)
    if clock_id == CLOCK_THREAD_CPUTIME_ID:
        return CpuClock(task.process, task, SCHEDULER)
    which = clock_id & 3
    if clock_id >= 0 or which > SCHEDULER:
        raise LinuxError(EINVAL)
    number = ~(clock_id >> 3)
    kernel = task.kernel
    if clock_id & _PER_THREAD:
        thread = kernel.tasks.get(number) if number else task
        if thread is None or thread.process is not task.process:
            raise LinuxError(EINVAL)
        return CpuClock(thread.process, thread, which)
    process = task.process if number in (0, task.tid) else kernel.processes.get(number)
    if process is None:
        raise LinuxError(EINVAL)
    return CpuClock(process, None, which)


def read_clock(task: Task, clock_id: int) -> int:
    """Return the time of any clock, as `task` sees it, ns.  EINVAL: no such clock"""
    if is_cpu_clock(clock_id):
        return find_cpu_clock(task, clock_id).read()
    return task.kernel.clock.read(clock_id)
