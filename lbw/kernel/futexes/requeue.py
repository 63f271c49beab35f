"""FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wake some waiters, and let others wait for another word without waking them.

Linux kernel/futex/requeue.c: the result counts both; waiters of locks in the way are EINVAL, after what was done before
them; waiters that are "moved" to where they are already are counted and keep their places.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.futexes.table import check_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


def requeue(task: Task, address: int, other: int, private: int, wake: int, move: int, expected: int | None) -> int:
    """Wake `wake` waiters of the word at `address` and move `move` more to `other`; return how many that were.

    `expected`: what the word must be (EAGAIN), None: anything.  EINVAL, EFAULT
    """
    if wake < 0 or move < 0:
        raise LinuxError(EINVAL)
    futexes, memory = task.kernel.futexes, task.memory
    source, target = futex_key(memory, address, private), futex_key(memory, other, private)
    if expected is not None:
        check_word(memory, address, expected)
    done = 0
    for waiter in futexes.waiting(source):
        if done - wake >= move:
            break
        if not waiter.plain:
            raise LinuxError(EINVAL)
        done += 1
        if done <= wake:
            futexes.remove(waiter)
            waiter.woken = True
            waiter.task.wake()
        elif source != target:
            futexes.remove(waiter)
            waiter.key = target
            futexes.add(waiter)
    return done
