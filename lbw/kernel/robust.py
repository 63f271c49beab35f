"""Robust futexes: locks whose owner dies are marked and handed on.  man 2 set_robust_list

struct robust_list_head: address of the first entry, offset from an entry to its futex word, address of the entry that
is being locked or unlocked right now. The list is circular and ends at its head. It is the guest's: every read may
fail, and it may be endless.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.futex import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: How many entries are looked at (ROBUST_LIST_LIMIT).
LIMIT = 2048


def release_robust_futexes(task: Task) -> None:
    """Mark all locks that `task` holds as orphaned and wake a waiter of each."""
    head, task.robust_list = task.robust_list, 0
    if not head:
        return
    memory, word = task.memory, task.abi.word
    mask = (1 << 8 * word) - 1
    try:
        entry = memory.read_pointer(head)
        offset = memory.read_pointer(head + word)
        pending = memory.read_pointer(head + 2 * word)
        for _ in range(LIMIT):
            if entry & ~1 == head:
                break
            following = memory.read_pointer(entry & ~1)
            if entry != pending:
                mark_owner_dead(task, (entry & ~1) + offset & mask, False)
            entry = following
        if pending:
            mark_owner_dead(task, (pending & ~1) + offset & mask, True)
    except LinuxError:
        pass  # a broken list: as far as it could be read


def mark_owner_dead(task: Task, address: int, pending: bool) -> None:
    """Set FUTEX_OWNER_DIED in the word at `address` if the dying task owns it.  EFAULT"""
    memory, futexes = task.memory, task.kernel.futexes
    if address & 3:
        return
    value = memory.read_u32(address)
    if pending and value == 0:  # died between unlocking and waking
        futexes.wake(futexes.key(task, address, private=False), 1)
        futexes.wake(futexes.key(task, address, private=True), 1)
    elif value & FUTEX_TID_MASK == task.tid:
        memory.write_u32(address, value & FUTEX_WAITERS | FUTEX_OWNER_DIED)
        if value & FUTEX_WAITERS:
            futexes.wake(futexes.key(task, address, private=False), 1)
            futexes.wake(futexes.key(task, address, private=True), 1)
