"""The way back from signal handlers.  man 2 sigreturn"""

from __future__ import annotations

from functools import partial

from lbw.abi.errno import LinuxError
from lbw.abi.i386 import I386
from lbw.abi.signal import SIGSEGV
from lbw.cpu.contracts import RAX
from lbw.kernel.signal_send import force_signal, kernel_info, set_blocked
from lbw.kernel.tls import load_or_clear
from lbw.signals.frames import FRAMES
from lbw.signals.frames_i386 import FramesI386
from lbw.syscalls.parameters import signed
from lbw.syscalls.table import own_call, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall("rt_sigreturn")
def rt_sigreturn(task: Task) -> int:
    """Leave a signal handler: everything is again as its frame says. A bad frame is a SIGSEGV.  man 2 sigreturn"""
    load = partial(load_or_clear, task)
    try:
        mask = FRAMES[task.abi.name].restore(task.context, task.memory, task.signals, load)
    except LinuxError:
        force_signal(task, kernel_info(SIGSEGV))
        return 0
    set_blocked(task, mask)
    return signed(task.context.registers[RAX], 8 * task.abi.word)


@own_call(I386, "sigreturn")
def sigreturn(task: Task) -> int:
    """Leave a handler that was installed without SA_SIGINFO.  man 2 sigreturn"""
    try:
        mask = FramesI386.restore_old(task.context, task.memory, partial(load_or_clear, task))
    except LinuxError:
        force_signal(task, kernel_info(SIGSEGV))
        return 0
    set_blocked(task, mask)
    return signed(task.context.registers[RAX], 8 * task.abi.word)
