"""RLIMIT_CPU: how many seconds of processor time a process may use.  man 2 setrlimit

At the soft limit and each second after it the process gets SIGXCPU, at the hard limit SIGKILL. As with the other timers
of processor time, a timer of the kernel stands for it, which costs nothing when there is no limit.
"""

from __future__ import annotations

from lbw.abi.resource import RLIM_INFINITY, RLIMIT_CPU
from lbw.abi.signal import SIGKILL, SIGXCPU
from lbw.kernel.cpu_clocks import running_time
from lbw.kernel.signal_send import kernel_info, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.timers import Timer

SECOND = 1_000_000_000
#: How soon the timer looks again, at the earliest, ns.
_PATIENCE = 5_000_000


class CpuLimit:
    """Watches the processor time of a process."""

    __slots__ = ("_next", "_timer", "process")

    def __init__(self, process: Process) -> None:
        self.process = process
        self._next = 0  # when SIGXCPU is due, in processor time
        self._timer: Timer | None = None

    def set(self, soft: int) -> None:
        """Begin with a soft limit of `soft` seconds."""
        self.cancel()
        self._next = soft * SECOND
        self._arm()

    def cancel(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._timer = None

    def _used(self) -> int:
        usage = self.process.total_usage()
        return usage.user_time + usage.system_time + sum(running_time(task) for task in self.process.threads)

    def _arm(self) -> None:
        kernel = self.process.kernel
        due = min(self._next, self.process.limits.hard(RLIMIT_CPU) * SECOND)
        self._timer = kernel.timers.add(kernel.clock.monotonic() + max(due - self._used(), _PATIENCE), self._expire)

    def _expire(self) -> None:
        self._timer = None
        process = self.process
        if not process.threads or process.exiting is not None:
            return
        used = self._used()
        if used >= process.limits.hard(RLIMIT_CPU) * SECOND:
            send_signal(process, kernel_info(SIGKILL))
            return
        if used >= self._next:
            self._next = used + SECOND
            send_signal(process, kernel_info(SIGXCPU))
        self._arm()


def watch_cpu_limit(process: Process) -> None:
    """Enforce the RLIMIT_CPU of `process`, which was set or inherited."""
    soft, hard = process.limits.get(RLIMIT_CPU)
    watch = process.timers.get("cpu")
    if soft == hard == RLIM_INFINITY:
        if isinstance(watch, CpuLimit):
            watch.cancel()
        return
    if not isinstance(watch, CpuLimit):
        watch = process.timers["cpu"] = CpuLimit(process)
    watch.set(soft)
