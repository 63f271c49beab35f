"""RLIMIT_CPU: how many seconds of processor time a process may use.  man 2 setrlimit

At the soft limit and each second after it the process gets SIGXCPU, at the hard limit SIGKILL.
"""

from __future__ import annotations

from lbw.abi.resource import RLIM_INFINITY, RLIMIT_CPU
from lbw.abi.signal import SIGKILL, SIGXCPU
from lbw.kernel.cpu_alarm import CpuAlarm
from lbw.kernel.cpu_clocks import PROF, CpuClock
from lbw.kernel.signal_send import kernel_info, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process

SECOND = 1_000_000_000


class CpuLimit:
    """Watches the processor time of a process."""

    __slots__ = ("_alarm", "_clock", "_next", "process")

    def __init__(self, process: Process) -> None:
        self.process = process
        self._next = 0  # when SIGXCPU is due, in processor time
        self._clock = CpuClock(process, None, PROF)
        self._alarm = CpuAlarm(self._clock, self._expire)

    def set(self, soft: int) -> None:
        """Begin with a soft limit of `soft` seconds."""
        self._next = soft * SECOND
        self._arm()

    def cancel(self) -> None:
        """Stop watching."""
        self._alarm.cancel()

    def _arm(self) -> None:
        self._alarm.set(min(self._next, self.process.limits.hard(RLIMIT_CPU) * SECOND))

    def _expire(self) -> None:
        process = self.process
        if not process.threads or process.exiting is not None:
            return
        used = self._clock.read()
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
