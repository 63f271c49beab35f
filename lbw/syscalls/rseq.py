"""Restartable sequences and barriers across the threads of a process.  rseq(2), man 2 membarrier"""

from __future__ import annotations

from lbw.abi import membarrier as names
from lbw.abi.errno import EBUSY, EFAULT, EINVAL, EPERM, LinuxError
from lbw.abi.membarrier import (
    MEMBARRIER_CMD_FLAG_CPU,
    MEMBARRIER_CMD_GLOBAL,
    MEMBARRIER_CMD_GLOBAL_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
    MEMBARRIER_CMD_QUERY,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
)
from lbw.abi.rseq import RSEQ_FLAG_UNREGISTER, RSEQ_SIZE
from lbw.abi.x86_64 import X86_64
from lbw.kernel.rseq import register, unregister
from lbw.syscalls.parameters import Choice, Flags, Hex, Int, Pointer, UInt
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

COMMANDS = {
    value: name for name, value in vars(names).items() if name.startswith("MEMBARRIER_CMD_") and "FLAG" not in name
}  # fmt: skip
PRIVATE = (
    MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
)  # fmt: skip
#: The command that registers is the next bit.
REGISTRATIONS = (MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, *(command << 1 for command in PRIVATE))


@syscall("rseq", Pointer("rseq"), UInt("rseq_len"), Flags("flags", {RSEQ_FLAG_UNREGISTER: "RSEQ_FLAG_UNREGISTER"}),
         Hex("sig"))  # fmt: skip
def rseq(task: Task, area: int, length: int, flags: int, signature: int) -> int:
    """Register the thread's structure for restartable sequences, or forget it (RSEQ_FLAG_UNREGISTER).

    EBUSY: it is registered already; EINVAL: another one is, or a bad size or alignment; EPERM: with another signature;
    EFAULT
    """
    signature &= 0xFFFF_FFFF
    if flags & ~RSEQ_FLAG_UNREGISTER:
        raise LinuxError(EINVAL)
    if flags or task.rseq:
        if area != task.rseq or not task.rseq or length != RSEQ_SIZE:
            raise LinuxError(EINVAL)
        if signature != task.rseq_signature:
            raise LinuxError(EPERM)
        if not flags:
            raise LinuxError(EBUSY)
        unregister(task)
        return 0
    if area % RSEQ_SIZE or length != RSEQ_SIZE:
        raise LinuxError(EINVAL)
    if area > X86_64.task_size - RSEQ_SIZE:
        raise LinuxError(EFAULT)
    if area:  # Linux takes NULL for what is not registered
        register(task, area, signature)
    return 0


@syscall("membarrier", Choice("cmd", COMMANDS), Flags("flags", {MEMBARRIER_CMD_FLAG_CPU: "MEMBARRIER_CMD_FLAG_CPU"}),
         Int("cpu_id"))  # fmt: skip
def membarrier(task: Task, command: int, flags: int, cpu: int) -> int:
    """Order the memory accesses of other threads.

    There is one processor, and a thread does not run on without having been interrupted, which orders everything, ends
    restartable sequences, and makes changed code seen; so a barrier is nothing but its rules: a process registers what
    it uses.  EINVAL; EPERM: not registered.  man 2 membarrier
    """
    if flags and (command != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ or flags != MEMBARRIER_CMD_FLAG_CPU):
        raise LinuxError(EINVAL)
    memory = task.memory
    if command == MEMBARRIER_CMD_QUERY:
        return sum(COMMANDS)
    if command in (MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED):
        return 0
    if command in REGISTRATIONS:
        memory.barriers |= command
    elif command not in PRIVATE:
        raise LinuxError(EINVAL)
    elif not memory.barriers & command << 1:
        raise LinuxError(EPERM)
    return 0
