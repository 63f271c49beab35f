"""How strace shows the structures of POSIX message queues."""

from __future__ import annotations

from lbw.abi.fcntl import O_NONBLOCK
from lbw.syscalls.displays import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_NOTIFY = ("SIGEV_SIGNAL", "SIGEV_NONE", "SIGEV_THREAD")


class InAttributes(Shown):
    """A struct mq_attr that the call reads."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        from lbw.syscalls.mq import ATTRIBUTES

        flags, limit, largest, count = task.memory.load(address, ATTRIBUTES[task.abi.word])
        shown = "O_NONBLOCK" if flags == O_NONBLOCK else hex(flags) if flags else "0"
        return f"{{mq_flags={shown}, mq_maxmsg={limit}, mq_msgsize={largest}, mq_curmsgs={count}}}"


class OutAttributes(InAttributes):
    """A struct mq_attr that the call fills in."""

    __slots__ = ()
    out = True


class Sigevent(Shown):
    """A struct sigevent."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        from lbw.signals.names import signal_name
        from lbw.syscalls.mq import SIGEVENT

        value, signo, kind = task.memory.load(address, SIGEVENT[task.abi.word])
        shown = _NOTIFY[kind] if 0 <= kind < len(_NOTIFY) else str(kind)
        name = signal_name(signo) if kind == 0 else str(signo)
        return f"{{sigev_value={value:#x}, sigev_signo={name}, sigev_notify={shown}}}"
