"""Segments: thread areas and local descriptor tables.  man 2 set_thread_area, modify_ldt"""

from __future__ import annotations

from lbw.abi.errno import ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.kernel import tls
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.parameters import Int, Pointer, Size
from lbw.syscalls.table import own_call, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_INT = 0xFFFF_FFFF

#: Of the last word of struct user_desc: name, lowest bit, mask.
_BITS = (
    ("seg_32bit", 0, 1), ("contents", 1, 3), ("read_exec_only", 3, 1), ("limit_in_pages", 4, 1),
    ("seg_not_present", 5, 1), ("useable", 6, 1),
)  # fmt: skip


def show_description(task: Task, address: int) -> str:
    """Return a struct user_desc."""
    found = tls.read_description(task.memory, address)
    entry = -1 if found.entry == 0xFFFF_FFFF else found.entry
    bits = ", ".join(f"{name}={found.bits >> bit & width}" for name, bit, width in _BITS)
    return f"{{entry_number={entry}, base_addr={found.base:#x}, limit={found.limit:#08x}, {bits}}}"


@own_call(I386, "set_thread_area", InStruct("u_info", show_description))
def set_thread_area(task: Task, u_info: int) -> int:
    """Set one of the three TLS descriptors of the thread; entry number -1 takes a free one.

    EFAULT; EINVAL: no TLS entry, or no 32-bit data segment; ESRCH: none is free.  man 2 set_thread_area
    """
    tls.set_thread_area(task, u_info)
    return 0


@own_call(I386, "get_thread_area", OutStruct("u_info", show_description))
def get_thread_area(task: Task, u_info: int) -> int:
    """Tell what a TLS descriptor is.  EFAULT, EINVAL"""
    tls.get_thread_area(task, u_info)
    return 0


@syscall("modify_ldt", Int("func"), Pointer("ptr"), Size("bytecount"))
def modify_ldt(task: Task, func: int, ptr: int, bytecount: int) -> int:
    """Read the local descriptor table (0), write an entry of it (1, 0x11), or read the default one (2).

    Linux returns an `int` here: an error comes as a positive 64-bit number.  EINVAL, EFAULT, ENOSYS: another `func`
    """
    try:
        if func == 0:
            return tls.read_ldt(task, ptr, bytecount)
        if func == 2:
            return tls.read_default_ldt(task, ptr, bytecount)
        if func in (1, 0x11):
            return tls.write_ldt(task, ptr, bytecount, func == 1)
        raise LinuxError(ENOSYS)
    except LinuxError as error:
        return -error.errno & _INT
