"""Mapping memory on i386: six arguments in a block (`mmap`), or the offset in pages (`mmap2`).  man 2 mmap2"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.i386 import I386
from lbw.mm.vma import PAGE_MASK
from lbw.syscalls.displays import InStruct
from lbw.syscalls.memory import MAP_NAMES, PROT_NAMES, mmap
from lbw.syscalls.parameters import Fd, Flags, Pointer, Size, UInt
from lbw.syscalls.table import own_call, variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: struct mmap_arg_struct: addr, len, prot, flags, fd, offset.
ARGUMENTS = Struct("<IIIIiI")


class Pages(UInt):
    """An offset in pages of 4096 bytes."""

    __slots__ = ()
    conversion = narrow = "({} & 0xFFFFFFFF) << 12"

    def show(self, task: Task, raw: int, result: int) -> str:
        return hex((raw & 0xFFFFFFFF) << 12)


def show_arguments(task: Task, address: int) -> str:
    """Return the block of arguments of `mmap`."""
    start, length, prot, flags, fd, offset = task.memory.load(address, ARGUMENTS)
    shown = Flags("prot", PROT_NAMES).show(task, prot, 0), Flags("flags", MAP_NAMES).show(task, flags, 0)
    return f"{{addr={start:#x}, len={length}, prot={shown[0]}, flags={shown[1]}, fd={fd}, offset={offset:#x}}}"


@own_call(I386, "mmap", InStruct("arg", show_arguments))
def old_mmap(task: Task, arguments: int) -> int | Awaitable[int]:
    """Map anonymous memory or a file, as a block of arguments says.  EFAULT; EINVAL: a broken offset.  man 2 mmap"""
    address, length, prot, flags, fd, offset = task.memory.load(arguments, ARGUMENTS)
    if offset & PAGE_MASK:
        raise LinuxError(EINVAL)
    return mmap(task, address, length, prot, flags, fd, offset)


variant(
    I386, "mmap2", mmap, Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES), Flags("flags", MAP_NAMES),
    Fd("fd"), Pages("offset"),
)  # fmt: skip
