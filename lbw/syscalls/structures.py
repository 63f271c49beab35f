"""Structures that grow with each version of Linux: their size comes with them.  man 2 clone3, openat2, sched_setattr

The caller's may be shorter than ours, then the rest is zero; or longer, then the rest must be zero, for nobody here
knows what it means.  Linux copy_struct_from_user
"""

from __future__ import annotations

from lbw.abi.errno import E2BIG, EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

PAGE = 4096


def read_extensible(task: Task, address: int, size: int, least: int, ours: int) -> bytes:
    """Return the structure of `size` bytes at `address` as one of `ours` bytes.

    EINVAL: shorter than `least`; E2BIG: longer than a page, or longer than ours and not zero there; EFAULT
    """
    if size > PAGE:
        raise LinuxError(E2BIG)
    if size < least:
        raise LinuxError(EINVAL)
    if size <= ours:
        return task.memory.read(address, size).ljust(ours, b"\0")
    data = task.memory.read(address, size)
    if any(data[ours:]):
        raise LinuxError(E2BIG)
    return data[:ours]
