"""How strace shows what is about time: clocks by number, struct sigevent, struct timex, the number of a new timer."""

from __future__ import annotations

from lbw.abi import clock as abi
from lbw.syscalls.displays import Shown
from lbw.syscalls.flag_names import named
from lbw.syscalls.parameters import Int, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

CLOCK_NAMES = named(
    abi,
    "CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC_RAW"
    " CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_REALTIME_ALARM CLOCK_BOOTTIME_ALARM CLOCK_TAI",
)
_COUNTS = ("CPUCLOCK_PROF", "CPUCLOCK_VIRT", "CPUCLOCK_SCHED")
_NOTIFY = {0: "SIGEV_SIGNAL", 1: "SIGEV_NONE", 2: "SIGEV_THREAD", 4: "SIGEV_THREAD_ID"}


class ClockId(Int):
    """A clockid_t; negative ones are clocks of processor time, of somebody, or of a descriptor."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        number = signed(raw, 32)
        if number >= 0:
            return CLOCK_NAMES.get(number) or f"{number:#x} /* CLOCK_??? */"
        if number & 7 == 3:
            return f"FD_TO_CLOCKID({~(number >> 3)})"
        which = number & 3
        kind = "THREAD" if number & 4 else "PROCESS"
        return f"MAKE_{kind}_CPUCLOCK({~(number >> 3)}, {_COUNTS[which] if which < 3 else which})"


class SigEvent(Shown):
    """A struct sigevent that the call reads."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        from lbw.signals.names import signal_name

        word = task.abi.word
        data = task.memory.read(address, word + 12)
        value = int.from_bytes(data[:word], "little")
        signo, notify, tid = (
            int.from_bytes(data[word + at : word + at + 4], "little", signed=True) for at in (0, 4, 8)
        )  # fmt: skip
        shown = f"{{sigev_value={{sival_int={signed(value, 32)}, sival_ptr={value:#x}}}"
        shown += f", sigev_signo={signal_name(signo)}, sigev_notify={_NOTIFY.get(notify) or hex(notify)}"
        return shown + (f", sigev_notify_thread_id={tid}}}" if notify == 4 else "}")


class OutTimex(Shown):
    """A struct timex, of which the parts that programs look at are shown."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        word = task.abi.word
        data = task.memory.read(address, 9 * word)
        modes = int.from_bytes(data[:4], "little")
        offset, frequency, _, _, status = (
            int.from_bytes(data[word * at : word * at + (4 if at == 5 else word)], "little", signed=True)
            for at in range(1, 6)
        )
        return f"{{modes={modes:#x}, offset={offset}, freq={frequency}, status={status:#x}, ...}}"
