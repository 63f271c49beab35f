"""Restartable sequences: critical sections that begin again when their thread was interrupted.  rseq(2)

A thread registers a `struct rseq`; a section is under way while its `rseq_cs` field points to a description of it and
the program counter is between its ends. When the thread was preempted, or gets a signal, and is in a section, it goes
on at the section's abort address instead, in front of which the registered signature must stand, or it is SIGSEGV.

Who looks, and when: the run loop sets RSEQ in `task.attention` when it takes the processor from a thread that has
registered; on the way back `restart` is called. Delivery calls `before_handler` ahead of building a frame, so the
frame has the abort address. A thread that waits in a system call needs nothing: calls are not allowed in sections. A
program counter in a fragment of the fault path was brought back to the program before (`leave_fragment`).

There is one processor, so the numbers of processors are written once, when the structure is registered.
Linux kernel/rseq.c
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.rseq import CRITICAL_SECTION, RSEQ_CPU_ID_UNINITIALIZED, RSEQ_CS, RSEQ_FLAGS
from lbw.abi.signal import SIGSEGV
from lbw.cpu.contracts import ALL, RIP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_WORD = (1 << 64) - 1


def register(task: Task, area: int, signature: int) -> None:
    """Make `area` the structure of `task`, in no section.  EFAULT"""
    task.memory.write(area, bytes(16))  # both numbers of the processor, and the section
    task.rseq, task.rseq_signature = area, signature


def unregister(task: Task) -> None:
    """Forget the structure of `task`.  EFAULT: it cannot be written; then it stays"""
    task.memory.write(task.rseq, bytes(4) + RSEQ_CPU_ID_UNINITIALIZED.to_bytes(4, "little"))
    forget(task)


def forget(task: Task) -> None:
    """Forget the structure of `task`, which may not be there any more (execve)."""
    task.rseq = task.rseq_signature = 0


def restart(task: Task) -> None:
    """Lead `task`, which was interrupted, out of the critical section it may be in; SIGSEGV: it cannot be read."""
    if task.rseq:
        try:
            _fix(task)
        except LinuxError:
            _fail(task, 0)


def before_handler(task: Task, signo: int) -> None:
    """Do the same before a handler of `signo` runs."""
    try:
        _fix(task)
    except LinuxError:
        _fail(task, signo)


def _fix(task: Task) -> None:
    """EFAULT, EINVAL: what the program said about its section cannot be."""
    memory, limit = task.memory, task.program_abi.task_size
    section = memory.read_u64(task.rseq + RSEQ_CS)
    if not section:
        return
    if section >= limit:
        raise LinuxError(EINVAL)
    version, flags, start, length, abort = memory.load(section, CRITICAL_SECTION)
    if (
        start >= limit or start + length >= limit or abort >= limit or version
        or abort - start & _WORD < length or memory.read_u32(abort - 4 & _WORD) != task.rseq_signature
    ):  # fmt: skip
        raise LinuxError(EINVAL)
    registers = task.context.registers
    if registers[RIP] - start & _WORD < length:
        if flags or memory.read_u32(task.rseq + RSEQ_FLAGS):
            raise LinuxError(EINVAL)  # sections that are not restarted were given up in Linux 6.1
        registers[RIP] = abort
        task.context.modified = ALL
    _leave(task)


def _leave(task: Task) -> None:
    task.memory.write_u64(task.rseq + RSEQ_CS, 0)


def _fail(task: Task, signo: int) -> None:
    """Send SIGSEGV; one that met the delivery of SIGSEGV ends the process."""
    from lbw.kernel.signal_send import force_default, force_signal, kernel_info

    if signo == SIGSEGV:
        force_default(task, SIGSEGV)
    else:
        force_signal(task, kernel_info(SIGSEGV))
