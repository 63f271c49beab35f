"""Locks with priority inheritance: FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI.  man 2 futex, "Priority-inheritance"

The word holds the owner's tid, and FUTEX_WAITERS when somebody waits in the kernel; then the owner cannot unlock alone,
and the kernel hands the lock to the most urgent waiter: it writes that one's tid into the word before it wakes it, so
nobody can come in between. When an owner dies, the next one gets the word with FUTEX_OWNER_DIED set.

A `PriorityLock` exists while somebody waits. It remembers the owner, which must be the one that the word names: if
a program has changed the word meanwhile, the call is EINVAL and nothing is changed. Waiters are in the table of
futexes, so plain waits and wake-ups of the same word are seen, and refused as by Linux.

What is not here: lending the owner the priority of its waiters. The scheduler has shares, not priorities that could
starve an owner, so inversion cannot last; the order of waiters is that of Linux.

Two ways to sleep for ever are refused as EDEADLK: locking what one owns, and closing a circle of owners that wait.
Linux kernel/futex/pi.c, kernel/locking/rtmutex.c. There a lock changes hands in steps, which can be seen half done (a
state without an owner, a lock stolen by a more urgent thread before its new owner runs); here it is one step.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EDEADLK, EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.futex import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.futexes.table import Waiter, sleep, urgency
from lbw.kernel.restart import RestartAlways
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.futexes.deadline import Deadline
    from lbw.kernel.futexes.keys import Key
    from lbw.kernel.futexes.table import Futexes
    from lbw.kernel.task import Task

#: Owners that wait for owners that wait ...: EDEADLK beyond (/proc/sys/kernel/max_lock_depth).
MAX_LOCK_DEPTH = 1024
#: Process 1 is no program's.
INIT = 1


class PriorityLock:
    """A lock for which somebody waits."""

    __slots__ = ("key", "owner")

    def __init__(self, key: Key, owner: Task) -> None:
        self.key = key
        self.owner = owner


class LockWaiter(Waiter):
    """A task that waits for a lock, or for a word from which it will be moved to a lock."""

    __slots__ = ("address", "error", "lock", "target")

    plain = False

    def __init__(self, task: Task, key: Key, address: int, target: Key | None = None) -> None:
        super().__init__(task, key)
        self.address = address  # of the lock's word, in the memory of the task
        self.target = target  # the lock that FUTEX_CMP_REQUEUE_PI must name
        self.lock: PriorityLock | None = None  # what it waits for now
        self.error = 0  # of the wait, when `woken`

    def queue(self, futexes: Futexes, lock: PriorityLock) -> None:
        """Let it wait for `lock`."""
        self.lock = lock
        self.key = lock.key
        futexes.add(self)
        futexes.locks[lock.key] = lock
        futexes.blocked[self.task] = lock

    def finish(self, futexes: Futexes) -> None:
        """End the wait for whatever it waits for."""
        futexes.remove(self)
        if self.lock is not None:
            del futexes.blocked[self.task]
            if not lock_waiters(futexes, self.lock):
                del futexes.locks[self.lock.key]


def lock(
    task: Task, address: int, private: int, deadline: Deadline | None, only_try: bool = False
) -> int | Awaitable[int]:
    """Take the lock at `address`, waiting until `deadline`.

    EDEADLK; ESRCH: no such owner; EINVAL: the word is not what the kernel knows; EAGAIN: taken, and `only_try`;
    ETIMEDOUT; EFAULT; EPERM: the owner is no thread of a program. A signal never ends it: the call is made again.
    """
    key = futex_key(task.memory, address, private, write=True)
    found = acquire(task, task, address, key)
    if found is None:
        return 0
    if only_try:
        raise LinuxError(EAGAIN)
    check_circle(task, found)
    return wait_for_lock(task, LockWaiter(task, key, address), found, deadline)


def acquire(caller: Task, task: Task, address: int, key: Key, mark: bool = False) -> PriorityLock | None:
    """Give the lock at `address` in the memory of `caller` to `task`, None; or return it, when it is somebody else's.

    The word then has FUTEX_WAITERS; a lock that was free gets it only if `mark`. The errors of `lock`.
    """
    memory, futexes = caller.memory, caller.kernel.futexes
    word = memory.read_u32(address)
    owner = word & FUTEX_TID_MASK
    if owner == task.tid:
        raise LinuxError(EDEADLK)
    first = futexes.first(key)
    if first is not None:
        found = first.lock if isinstance(first, LockWaiter) else None
        if found is None or owner != found.owner.tid:
            raise LinuxError(EINVAL)
        return found
    if not owner:
        memory.write_u32(address, word & FUTEX_OWNER_DIED | task.tid | (FUTEX_WAITERS if mark else 0))
        return None
    memory.write_u32(address, word | FUTEX_WAITERS)
    holder = caller.kernel.tasks.get(owner)
    if holder is None:
        raise LinuxError(EPERM if owner == INIT else ESRCH)
    return PriorityLock(key, holder)


def check_circle(task: Task, wanted: PriorityLock) -> None:
    """Make sure that no owner in the chain behind `wanted` waits for `task`.  EDEADLK"""
    blocked = task.kernel.futexes.blocked
    following: PriorityLock | None = wanted
    for _ in range(MAX_LOCK_DEPTH):
        if following is None:
            return
        if following.owner is task:
            break
        following = blocked.get(following.owner)
    raise LinuxError(EDEADLK)


async def wait_for_lock(task: Task, waiter: LockWaiter, wanted: PriorityLock, deadline: Deadline | None) -> int:
    """Wait until `wanted` is handed over; a signal restarts the call."""
    futexes = task.kernel.futexes
    waiter.queue(futexes, wanted)
    try:
        await sleep(waiter, deadline)
    except Interrupted:
        raise RestartAlways from None
    finally:
        if not waiter.woken:
            waiter.finish(futexes)
    if waiter.error:
        raise LinuxError(waiter.error)
    return 0


def unlock(task: Task, address: int, private: int) -> int:
    """Release the lock at `address`; who waits gets it.

    EPERM: it is not ours; EINVAL: the word is not what the kernel knows; EFAULT
    """
    memory, futexes = task.memory, task.kernel.futexes
    word = memory.read_u32(address)
    if word & FUTEX_TID_MASK != task.tid:
        raise LinuxError(EPERM)
    key = futex_key(memory, address, private, write=True)
    first = futexes.first(key)
    if first is None:
        memory.write_u32(address, 0)
        return 0
    held = first.lock if isinstance(first, LockWaiter) else None
    if held is None or held.owner is not task:
        raise LinuxError(EINVAL)
    heir = choose(futexes, held)
    memory.write_u32(address, heir.task.tid | FUTEX_WAITERS)
    hand_over(futexes, held, heir)
    return 0


def lock_waiters(futexes: Futexes, held: PriorityLock) -> list[LockWaiter]:
    """Return those who wait for `held`, in order of arrival."""
    return [
        waiter for waiter in futexes.waiting(held.key) if isinstance(waiter, LockWaiter) and waiter.lock is held
    ]  # fmt: skip


def choose(futexes: Futexes, held: PriorityLock) -> LockWaiter:
    """Return who gets `held` next: the most urgent, and of those the one that waits longest."""
    return max(lock_waiters(futexes, held), key=lambda waiter: urgency(waiter.task))


def hand_over(futexes: Futexes, held: PriorityLock, heir: LockWaiter) -> None:
    """Make `heir` the owner, and wake it."""
    held.owner = heir.task
    heir.finish(futexes)
    heir.woken = True
    heir.task.wake()


def release_locks(task: Task) -> None:
    """Hand on all locks for which somebody waits and that `task`, which dies or becomes another program, owns."""
    futexes = task.kernel.futexes
    for held in [held for held in futexes.locks.values() if held.owner is task]:
        heir = choose(futexes, held)
        memory = heir.task.memory
        try:
            memory.write_u32(heir.address, FUTEX_OWNER_DIED | FUTEX_WAITERS | heir.task.tid)
        except LinuxError as error:
            heir.error = error.errno
        hand_over(futexes, held, heir)
