"""socketcall: many calls behind one number.

It names the call it means; that is made through its own row, so what lbw lacks is named by its own name.  man 2
socketcall
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.kernel.dispatch import report_unknown
from lbw.syscalls.displays import Shown
from lbw.syscalls.parameters import Choice
from lbw.syscalls.table import ROWS, own_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: The calls of socketcall from 1 on, with the number of their arguments.
SOCKET_CALLS = (
    ("socket", 3), ("bind", 3), ("connect", 3), ("listen", 2), ("accept", 3), ("getsockname", 3), ("getpeername", 3),
    ("socketpair", 4), ("send", 4), ("recv", 4), ("sendto", 6), ("recvfrom", 6), ("shutdown", 2), ("setsockopt", 5),
    ("getsockopt", 5), ("sendmsg", 3), ("recvmsg", 3), ("accept4", 4), ("recvmmsg", 5), ("sendmmsg", 4),
)  # fmt: skip
SOCKET_NAMES = {number: f"SYS_{name.upper()}" for number, (name, _) in enumerate(SOCKET_CALLS, 1)}


def make_call(task: Task, name: str, arguments: list[int]) -> int | Awaitable[int]:
    """Make the system call `name`.  ENOSYS: lbw does not have it"""
    row = ROWS.get(name)
    if row is None:
        report_unknown(task, name, arguments)
        raise LinuxError(ENOSYS)
    registers = [0] * 17
    for register, value in zip(task.abi.argument_registers, arguments, strict=False):
        registers[register] = value
    return row.entry(task.abi)(task, registers)


class SocketArguments(Shown):
    """The block of words that socketcall reads, six at most."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        call = task.context.registers[task.abi.argument_registers[0]] & 0xFFFFFFFF
        count = SOCKET_CALLS[call - 1][1] if call in SOCKET_NAMES else 0
        words = [task.memory.read_u32(address + 4 * index) for index in range(count)]
        return "[" + ", ".join(str(word) if word < 4096 else hex(word) for word in words) + "]"


@own_call(I386, "socketcall", Choice("call", SOCKET_NAMES), SocketArguments("args"))
def socketcall(task: Task, call: int, address: int) -> int | Awaitable[int]:
    """Make a call that concerns sockets.  EINVAL: no such call; EFAULT.  man 2 socketcall"""
    if call not in SOCKET_NAMES:
        raise LinuxError(EINVAL)
    name, count = SOCKET_CALLS[call - 1]
    arguments = [task.memory.read_u32(address + 4 * index) for index in range(count)]
    if name in ("send", "recv"):
        name, arguments = {"send": "sendto", "recv": "recvfrom"}[name], [*arguments, 0, 0]
    return make_call(task, name, arguments)
