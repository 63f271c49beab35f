"""Robust futexes: locks whose owner dies are marked and handed on.  man 2 set_robust_list; Linux kernel/futex/core.c

A program links the locks that a thread holds into a list of its own, and tells the kernel once where the list begins
(struct robust_list_head: first entry, offset from an entry to its futex word, the entry that is being locked or
unlocked right now). Bit 0 of a pointer to an entry says that the lock has priority inheritance. When the thread ends or
executes a program, each word that still has its tid gets FUTEX_OWNER_DIED in its place, and a waiter wakes up to see
it. Locks with priority inheritance are only marked here; `release_locks` hands them over afterwards, whether they are
in a list or not.

The list is circular and ends at its head, but it is the guest's: every read may fail, it may have no end, words may be
misaligned. It is processed as far as it makes sense, never an error. Wake-ups are for the shared futex only: what is
robust is never waited for privately.

A 64-bit thread that makes 32-bit calls may have two lists, one of each kind; both are processed.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.futex import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS
from lbw.kernel.futexes.keys import shared_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: How many entries are looked at (ROBUST_LIST_LIMIT).
LIMIT = 2048


def release_robust_futexes(task: Task) -> None:
    """Let go of all locks that `task`, which is about to lose its memory, holds."""
    for word, head in tuple(task.robust_lists.items()):
        if head:
            try:
                walk(task, head, word)
            except LinuxError:
                pass  # as far as it could be read
    task.robust_lists = {}
    if task.kernel.futexes.locks:
        from lbw.kernel.futexes.priority import release_locks

        release_locks(task)


def walk(task: Task, head: int, word: int) -> None:
    """Mark the locks of the list at `head`, whose pointers have `word` bytes.  EFAULT: it ends here"""
    memory = task.memory
    mask = (1 << 8 * word) - 1

    def pointer(address: int) -> int:
        return int.from_bytes(memory.read(address & mask, word), "little")

    entry = pointer(head)
    offset = pointer(head + word)
    pending = pointer(head + 2 * word)
    for _ in range(LIMIT):
        if entry & ~1 == head:
            break
        try:
            following = pointer(entry & ~1)
        except LinuxError:
            following = None
        if entry & ~1 != pending & ~1:  # it comes last
            mark_owner_dead(task, (entry & ~1) + offset & mask, bool(entry & 1), False)
        if following is None:
            return
        entry = following
    if pending & ~1:
        mark_owner_dead(task, (pending & ~1) + offset & mask, bool(pending & 1), True)


def mark_owner_dead(task: Task, address: int, inherits: bool, pending: bool) -> None:
    """Set FUTEX_OWNER_DIED in the word at `address` if the dying task owns it.

    `inherits`: a lock with priority inheritance; `pending`: the task was about to lock or unlock it.  EFAULT, also for
    a misaligned word
    """
    memory = task.memory
    if address & 3:
        raise LinuxError(EFAULT)
    value = memory.read_u32(address)
    owner = value & FUTEX_TID_MASK
    if pending and not inherits and not owner:  # died between unlocking and waking, or woken before it could lock
        _wake(task, address)
    elif owner == task.tid:
        memory.write_u32(address, value & FUTEX_WAITERS | FUTEX_OWNER_DIED)
        if value & FUTEX_WAITERS and not inherits:
            _wake(task, address)


def _wake(task: Task, address: int) -> None:
    """Wake a waiter; that somebody waits there in a way that does not fit is not our trouble."""
    try:
        task.kernel.futexes.wake(shared_key(task.memory, address), 1)
    except LinuxError:
        pass
