"""Condition variables over locks with priority inheritance: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI.

A thread waits for one word and names the lock it will want then. Who signals requeues it to that lock in the kernel:
it wakes up as the owner, or waits on for the lock, without running in between; no herd comes to a taken lock, and the
order of waiters is kept. Both calls must name the same pair of words (EINVAL), and exactly one waiter may be woken.

Linux kernel/futex/requeue.c. A signal or the deadline before the requeue ends the wait as it would end any (the call is
made again after any handler); a signal behind it is EAGAIN: the word has changed by then.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.futexes.priority import LockWaiter, PriorityLock, acquire, check_circle
from lbw.kernel.futexes.table import check_word, sleep
from lbw.kernel.restart import RestartAlways
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.futexes.deadline import Deadline
    from lbw.kernel.task import Task


def wait_requeue(
    task: Task, address: int, other: int, private: int, expected: int, deadline: Deadline | None
) -> Awaitable[int]:
    """Wait for the word at `address` to be requeued to the lock at `other`, and for that lock.

    EAGAIN, EFAULT, EINVAL, ETIMEDOUT, and what taking a lock may give
    """
    if address == other:
        raise LinuxError(EINVAL)
    memory = task.memory
    target = futex_key(memory, other, private, write=True)
    key = futex_key(memory, address, private)
    check_word(memory, address, expected)
    if key == target:
        raise LinuxError(EINVAL)
    return _wait(task, LockWaiter(task, key, other, target), deadline)


async def _wait(task: Task, waiter: LockWaiter, deadline: Deadline | None) -> int:
    futexes = task.kernel.futexes
    futexes.add(waiter)
    try:
        await sleep(waiter, deadline)
    except Interrupted:
        if waiter.lock is not None:
            raise LinuxError(EAGAIN) from None
        raise RestartAlways from None
    finally:
        if not waiter.woken:
            waiter.finish(futexes)
    if waiter.error:
        raise LinuxError(waiter.error)
    return 0


def requeue_to_lock(task: Task, address: int, other: int, private: int, wake: int, move: int, expected: int) -> int:
    """Give the lock at `other` to the first waiter of `address`, or let that one and up to `move` more wait for it.

    Return how many waiters left the word.  EAGAIN: it is not `expected`; EINVAL: they do not wait for that lock, or
    `wake` is not 1; the errors of taking the lock for the first waiter
    """
    if wake < 0 or move < 0 or address == other or wake != 1:
        raise LinuxError(EINVAL)
    memory, futexes = task.memory, task.kernel.futexes
    source = futex_key(memory, address, private)
    target = futex_key(memory, other, private, write=True)
    if source == target:
        raise LinuxError(EINVAL)
    check_word(memory, address, expected)
    waiters = futexes.waiting(source)
    if not waiters:
        return 0
    first = _movable(waiters[0], target)
    done = 0
    wanted = acquire(task, first.task, other, target, mark=bool(move))
    if wanted is None:
        futexes.remove(first)
        first.woken = True
        first.task.wake()
        done = 1
        wanted = PriorityLock(target, first.task)
    for waiter in waiters[done:]:
        if done - wake >= move:
            break
        moved = _movable(waiter, target)
        check_circle(moved.task, wanted)
        futexes.remove(moved)
        moved.queue(futexes, wanted)
        done += 1
    return done


def _movable(waiter: object, target: object) -> LockWaiter:
    """Return `waiter` if it waits to be requeued to `target`.  EINVAL"""
    if not isinstance(waiter, LockWaiter) or waiter.lock is not None or waiter.target != target:
        raise LinuxError(EINVAL)
    return waiter
