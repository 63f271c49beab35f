"""How strace shows the structures of signals: sigaction, siginfo, stack_t, interval timers."""

from __future__ import annotations

from lbw.abi import signal
from lbw.abi.signal import SIG_DFL, SIG_IGN
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits, show_sigset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

ACTION_FLAGS = named(
    signal,
    "SA_RESTORER SA_NOCLDSTOP SA_NOCLDWAIT SA_SIGINFO SA_ONSTACK SA_RESTART SA_NODEFER SA_RESETHAND SA_EXPOSE_TAGBITS",
)
STACK_FLAGS = {1: "SS_ONSTACK", 2: "SS_DISABLE", 0x8000_0000: "SS_AUTODISARM"}

_HANDLERS = {SIG_DFL: "SIG_DFL", SIG_IGN: "SIG_IGN"}


def show_sigaction(task: Task, address: int) -> str:
    """Return a struct sigaction as the kernel has it."""
    handler, flags, restorer, mask = task.memory.load(address, task.abi.sigaction)
    return show_action(handler, flags, restorer, mask)


def show_action(handler: int, flags: int, restorer: int, mask: int) -> str:
    """Return the parts of a struct sigaction."""
    shown = f"{{sa_handler={_HANDLERS.get(handler) or hex(handler)}, sa_mask={show_sigset(mask)}"
    shown += f", sa_flags={show_bits(flags & 0xFFFF_FFFF, ACTION_FLAGS)}"
    if flags & signal.SA_RESTORER:
        shown += f", sa_restorer={restorer:#x}"
    return shown + "}"


def show_siginfo(task: Task, address: int) -> str:
    """Return the common part of a siginfo_t."""
    from lbw.signals.names import signal_name

    data = task.memory.read(address, 12)
    signo = int.from_bytes(data[:4], "little", signed=True)
    code = int.from_bytes(data[8:], "little", signed=True)
    return f"{{si_signo={signal_name(signo)}, si_code={code}, ...}}"


def show_stack(task: Task, address: int) -> str:
    """Return a stack_t."""
    base, flags, size = task.memory.load(address, task.abi.stack_t)
    where = hex(base) if base else "NULL"
    return f"{{ss_sp={where}, ss_flags={show_bits(flags & 0xFFFF_FFFF, STACK_FLAGS)}, ss_size={size}}}"


def show_itimerval(task: Task, address: int) -> str:
    """Return a struct itimerval."""
    seconds, microseconds, left, left_microseconds = task.memory.load(address, task.abi.itimerval)
    return (
        f"{{it_interval={{tv_sec={seconds}, tv_usec={microseconds}}}"
        f", it_value={{tv_sec={left}, tv_usec={left_microseconds}}}}}"
    )


def show_itimerspec(task: Task, address: int, wide: bool = False) -> str:
    """Return a struct itimerspec; `wide`: of a *_time64 call."""
    layout = task.abi.timespec64 if wide else task.abi.timespec
    seconds, nanoseconds = task.memory.load(address, layout)
    left, left_nanoseconds = task.memory.load(address + layout.size, layout)
    return (
        f"{{it_interval={{tv_sec={seconds}, tv_nsec={nanoseconds}}}"
        f", it_value={{tv_sec={left}, tv_nsec={left_nanoseconds}}}}}"
    )
