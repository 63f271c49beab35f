"""Segments: thread areas and local descriptor tables.  man 2 set_thread_area, modify_ldt"""

from __future__ import annotations

from lbw.abi.errno import ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.kernel import tls
from lbw.syscalls.parameters import Int, Pointer, Size
from lbw.syscalls.table import own_call, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_INT = 0xFFFF_FFFF


@own_call(I386, "set_thread_area", Pointer("u_info"))
def set_thread_area(task: Task, u_info: int) -> int:
    """Set one of the three TLS descriptors of the thread; entry number -1 takes a free one.

    EFAULT; EINVAL: no TLS entry, or no 32-bit data segment; ESRCH: none is free.  man 2 set_thread_area
    """
    tls.set_thread_area(task, u_info)
    return 0


@own_call(I386, "get_thread_area", Pointer("u_info"))
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
