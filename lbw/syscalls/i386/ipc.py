"""System V IPC on i386: the separate calls, with their structures, and `ipc`, the old call that all are behind.

The separate calls always have the structures with 32-bit ids; a command of `ipc` asks for these with IPC_64, else it
gets the oldest ones. `ipc` also is the only way to semop, and some calls take their arguments from other places there:
semctl finds its fourth in memory, shmat stores its result.
man 2 ipc; Linux ipc/syscall.c, ipc/compat.c
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.abi.ipc import IPC_64, NARROW, OLD
from lbw.syscalls.i386.time import widened
from lbw.syscalls.msg import msgctl, msgget, msgrcv, msgsnd
from lbw.syscalls.parameters import Choice, Hex, Int, Pointer, UInt, signed
from lbw.syscalls.sem import semctl, semget, semop, semtimedop
from lbw.syscalls.shm import shmat, shmctl, shmdt, shmget
from lbw.syscalls.table import NO_HANDLER, ROWS, own_call, variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.abi.ipc import IpcLayouts
    from lbw.kernel.task import Task

#: The calls behind `ipc`; the upper half of its first argument is a version.
SEMOP, SEMGET, SEMCTL, SEMTIMEDOP = range(1, 5)
MSGSND, MSGRCV, MSGGET, MSGCTL = range(11, 15)
SHMAT, SHMDT, SHMGET, SHMCTL = range(21, 25)
NAMES = {
    1: "SEMOP", 2: "SEMGET", 3: "SEMCTL", 4: "SEMTIMEDOP", 11: "MSGSND", 12: "MSGRCV", 13: "MSGGET", 14: "MSGCTL",
    21: "SHMAT", 22: "SHMDT", 23: "SHMGET", 24: "SHMCTL",
}  # fmt: skip
#: struct ipc_kludge: where old programs put address and type of msgrcv.
KLUDGE = Struct("<Ii")

for _name, _handler in (("shmctl", shmctl), ("semctl", semctl), ("msgctl", msgctl)):
    variant(I386, _name, _handler, fixed=(NARROW,))
variant(
    I386, "semtimedop_time64", semtimedop, *map(widened, ROWS["semtimedop"].parameters), fixed=(I386.timespec64,)
)  # fmt: skip


def layouts_of(command: int) -> tuple[int, IpcLayouts]:
    """Return the command without its mark, and the structures that it asks for."""
    return command & ~IPC_64, NARROW if command & IPC_64 else OLD


@own_call(
    I386, "ipc", Choice("call", NAMES), Int("first"), UInt("second"), UInt("third"), Pointer("ptr"), Hex("fifth"),
    restart=NO_HANDLER,
)  # fmt: skip
def ipc(task: Task, call: int, first: int, second: int, third: int, ptr: int, fifth: int) -> int | Awaitable[int]:
    """Make a call that concerns System V messages, semaphores or shared memory.  ENOSYS: no such call.  man 2 ipc"""
    version, call = call >> 16 & 0xFFFF, call & 0xFFFF
    if call >= SHMAT:
        return shared_memory(task, call, version, first, second, third, ptr)
    if call >= MSGSND:
        return messages(task, call, version, first, second, third, ptr, fifth)
    return semaphores(task, call, first, second, third, ptr, fifth)


def semaphores(
    task: Task, call: int, first: int, second: int, third: int, ptr: int, fifth: int
) -> int | Awaitable[int]:  # fmt: skip
    """Make a call that concerns semaphores."""
    if call == SEMOP:
        return semop(task, first, ptr, second)
    if call == SEMTIMEDOP:
        return semtimedop(task, first, ptr, second, fifth)
    if call == SEMGET:
        return semget(task, first, signed(second, 32), signed(third, 32))
    if call == SEMCTL:
        if not ptr:
            raise LinuxError(EINVAL)
        argument = task.memory.read_u32(ptr)
        command, layouts = layouts_of(third)
        return semctl(task, first, signed(second, 32), signed(command, 32), argument, layouts)
    raise LinuxError(ENOSYS)


def messages(
    task: Task, call: int, version: int, first: int, second: int, third: int, ptr: int, fifth: int
) -> int | Awaitable[int]:  # fmt: skip
    """Make a call that concerns messages."""
    if call == MSGSND:
        return msgsnd(task, first, ptr, second, signed(third, 32))
    if call == MSGRCV:
        kind = signed(fifth, 32)
        if not version:
            if not ptr:
                raise LinuxError(EINVAL)
            ptr, kind = task.memory.load(ptr, KLUDGE)
        return msgrcv(task, first, ptr, second, kind, signed(third, 32))
    if call == MSGGET:
        return msgget(task, first, signed(second, 32))
    if call == MSGCTL:
        command, layouts = layouts_of(second)
        return msgctl(task, first, signed(command, 32), ptr, layouts)
    raise LinuxError(ENOSYS)


def shared_memory(task: Task, call: int, version: int, first: int, second: int, third: int, ptr: int) -> int:
    """Make a call that concerns shared memory."""
    if call == SHMAT:
        if version == 1:
            raise LinuxError(EINVAL)
        address = shmat(task, first, ptr, signed(second, 32))
        task.memory.write_u32(third, address)
        return 0
    if call == SHMDT:
        return shmdt(task, ptr)
    if call == SHMGET:
        return shmget(task, first, second, signed(third, 32))
    if call == SHMCTL:
        command, layouts = layouts_of(second)
        return shmctl(task, first, signed(command, 32), ptr, layouts)
    raise LinuxError(ENOSYS)
