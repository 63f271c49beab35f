"""futex_waitv: waiting for any of several words.

All words are compared before the task sleeps, without a switch in between; one that differs is EAGAIN, and nothing is
left in the table. Each word has a waiter of its own, so a wake-up counts one for each of them. The result is the index
of a word whose waiter was woken, the last one if there are several, as in Linux kernel/futex/waitwake.c.
"""

from __future__ import annotations

from lbw.abi.errno import ETIMEDOUT, LinuxError
from lbw.kernel.futexes.deadline import wait_until
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.futexes.table import Waiter, check_word
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.futexes.deadline import Deadline
    from lbw.kernel.task import Task


def wait_any(task: Task, words: list[tuple[int, int, int]], deadline: Deadline | None) -> Awaitable[int]:
    """Wait until a waiter of one of `words`, (address, expected, private) each, is woken; return its index.

    EAGAIN, EFAULT, EINVAL, ETIMEDOUT
    """
    memory = task.memory
    waiters = [Waiter(task, futex_key(memory, address, private)) for address, _, private in words]
    for address, expected, _ in words:
        check_word(memory, address, expected)
    return _wait(task, waiters, deadline)


async def _wait(task: Task, waiters: list[Waiter], deadline: Deadline | None) -> int:
    futexes = task.kernel.futexes
    for waiter in waiters:
        futexes.add(waiter)
    try:
        while (index := _woken(waiters)) < 0:
            if deadline is None:
                await task.wait()
            elif not await wait_until(task, deadline) and _woken(waiters) < 0:
                raise LinuxError(ETIMEDOUT)
    except Interrupted:
        index = _woken(waiters)
        if index < 0:
            raise
    finally:
        for waiter in waiters:
            if not waiter.woken:
                futexes.remove(waiter)
    return index


def _woken(waiters: list[Waiter]) -> int:
    """Return the index of the last waiter that was woken, -1: none."""
    return max((index for index, waiter in enumerate(waiters) if waiter.woken), default=-1)


