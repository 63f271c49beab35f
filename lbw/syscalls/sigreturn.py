"""The way back from signal handlers.  man 2 sigreturn"""

from __future__ import annotations

from functools import partial

from lbw.abi.errno import LinuxError
from lbw.abi.i386 import I386
from lbw.abi.signal import SIGSEGV
from lbw.cpu.contracts import GP, RAX
from lbw.kernel.signal_send import force_signal, kernel_info, set_blocked
from lbw.kernel.tls import load_or_clear
from lbw.signals.frames import FRAMES
from lbw.signals.frames_i386 import FramesI386
from lbw.signals.frames_x86_64 import BadSegment
from lbw.syscalls.parameters import signed
from lbw.syscalls.table import own_call, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall("rt_sigreturn")
def rt_sigreturn(task: Task) -> int:
    """Leave a signal handler: everything is again as its frame says. A bad frame is a SIGSEGV.  man 2 sigreturn"""
    frames = FRAMES[task.abi.name]
    try:
        mask, words = frames.read(task.context, task.memory)
        set_blocked(task, mask)
        frames.restore(task.context, task.memory, task.signals, words, partial(load_or_clear, task))
    except LinuxError:
        force_signal(task, kernel_info(SIGSEGV))
    except BadSegment as bad:
        refuse_segment(task, bad.selector)
    return signed(task.context.registers[RAX], 8 * task.abi.word)


@own_call(I386, "sigreturn")
def sigreturn(task: Task) -> int:
    """Leave a handler that was installed without SA_SIGINFO.  man 2 sigreturn"""
    try:
        mask, words = FramesI386.read_old(task.context, task.memory)
        set_blocked(task, mask)
        FramesI386.restore(task.context, task.memory, task.signals, words, partial(load_or_clear, task))
    except LinuxError:
        force_signal(task, kernel_info(SIGSEGV))
    except BadSegment as bad:
        refuse_segment(task, bad.selector)
    return signed(task.context.registers[RAX], 8 * task.abi.word)


def refuse_segment(task: Task, selector: int) -> None:
    """Send the signal for the #GP of an IRET to `selector`."""
    task.signals.trap_number, task.signals.error_code = GP, selector & 0xFFFC
    force_signal(task, kernel_info(SIGSEGV))
