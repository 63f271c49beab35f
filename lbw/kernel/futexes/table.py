"""The table of waiters, and the protocol of waiting and waking.

The table maps a key to those who wait for it: threads of real-time policies first, by priority, then in order of
arrival. A waiter is in the table from the moment it was found that its word still has the expected value until
somebody takes it out: a waker, who marks it `woken`, or its own task, when time or a signal ends the wait.

Why no wake-up is lost. A program changes the word and then wakes; a waiter compares and then sleeps. One of three
things happens. (1) The waker's change comes before the comparison: the comparison fails, EAGAIN. (2) The waker's
FUTEX_WAKE comes after the entry in the table: the waker finds the waiter. (3) The wake-up would have to come between
the comparison and the entry, or between the entry and the sleep. It cannot: there is one processor, tasks switch only
at an `await`, and on the way from the comparison (`check_word`) through `add` to the first `await` (`Task.wait`) there
is none. Linux needs its hash-bucket lock and a memory barrier for the same three lines.

Why none is wasted. `woken` is decided in the table, not by what ended the sleep. A task whose deadline has passed, or
that a signal has interrupted, stays in the table until it runs; a waker that comes before that takes it out and counts
it, and the wait then succeeds: the signal is delivered after the call, as Linux does. So each waiter that FUTEX_WAKE
counts returns 0, except one that is killed before it runs, which no user of futexes can tell from one that is killed
just after. A waiter is marked by whoever takes it out; a requeued one is moved with its mark unset.

A requeue moves waiters between keys; that also happens between two `await`s, so a waiter is always in exactly one queue
and `key` says in which.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, ETIMEDOUT, LinuxError
from lbw.abi.futex import FUTEX_BITSET_MATCH_ANY
from lbw.kernel.futexes.deadline import wait_until
from lbw.kernel.policies import ORDINARY
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.futexes.deadline import Deadline
    from lbw.kernel.futexes.keys import Key
    from lbw.kernel.futexes.priority import PriorityLock
    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace


class Waiter:
    """A task that waits for one futex."""

    __slots__ = ("bitset", "key", "task", "woken")

    #: Whether FUTEX_WAKE may wake it: not one that waits for a lock with priority inheritance.
    plain = True

    def __init__(self, task: Task, key: Key, bitset: int = FUTEX_BITSET_MATCH_ANY) -> None:
        self.task = task
        self.key = key
        self.bitset = bitset
        self.woken = False


class Futexes:
    """All futexes that somebody waits for."""

    __slots__ = ("_waiters", "blocked", "locks")

    def __init__(self) -> None:
        self._waiters: dict[Key, dict[Waiter, None]] = {}
        # For `lbw.kernel.futexes.priority`
        self.locks: dict[Key, PriorityLock] = {}  # for which somebody waits
        self.blocked: dict[Task, PriorityLock] = {}  # who waits for which

    def __len__(self) -> int:
        return sum(len(waiters) for waiters in self._waiters.values())

    # The table

    def add(self, waiter: Waiter) -> None:
        """Enter `waiter` for its key, behind those that go before it."""
        waiters = self._waiters.get(waiter.key)
        if waiters is None:
            self._waiters[waiter.key] = {waiter: None}
            return
        waiters[waiter] = None
        if waiter.task.scheduling is not ORDINARY and urgency(waiter.task):
            ordered = sorted(waiters, key=lambda one: -urgency(one.task))  # stable
            waiters.clear()
            waiters.update(dict.fromkeys(ordered))

    def remove(self, waiter: Waiter) -> None:
        """Take `waiter` out, unmarked."""
        waiters = self._waiters[waiter.key]
        del waiters[waiter]
        if not waiters:
            del self._waiters[waiter.key]

    def waiting(self, key: Key) -> list[Waiter]:
        """Return those who wait for `key`, in the order in which they are woken."""
        return list(self._waiters.get(key, ()))

    def first(self, key: Key) -> Waiter | None:
        """Return who would be woken first."""
        waiters = self._waiters.get(key)
        return next(iter(waiters)) if waiters else None

    # Waking

    def wake(self, key: Key, count: int, bitset: int = FUTEX_BITSET_MATCH_ANY) -> int:
        """Wake up to `count` waiters (at least one) that share a bit with `bitset`; return how many.

        EINVAL: it met one that waits for a lock; those before it are awake
        """
        waiters = self._waiters.get(key)
        if waiters is None:
            return 0
        chosen = []
        error = 0
        for waiter in waiters:
            if not waiter.plain:
                error = EINVAL
                break
            if waiter.bitset & bitset:
                chosen.append(waiter)
                if len(chosen) >= count:
                    break
        for waiter in chosen:
            del waiters[waiter]
            waiter.woken = True
            waiter.task.wake()
        if not waiters:
            del self._waiters[key]
        if error:
            raise LinuxError(error)
        return len(chosen)

    # Waiting

    async def wait(self, task: Task, key: Key, bitset: int, deadline: Deadline | None) -> int:
        """Wait until woken; the word was just found to have the expected value (`check_word`).

        ETIMEDOUT; Interrupted
        """
        waiter = Waiter(task, key, bitset)
        self.add(waiter)
        try:
            await sleep(waiter, deadline)
        finally:
            if not waiter.woken:
                self.remove(waiter)
        return 0


async def sleep(waiter: Waiter, deadline: Deadline | None) -> None:
    """Sleep until `waiter`, which is in the table and stays there otherwise, is woken.  ETIMEDOUT; Interrupted"""
    task = waiter.task
    try:
        while not waiter.woken:
            if deadline is None:
                await task.wait()
            elif not await wait_until(task, deadline) and not waiter.woken:
                raise LinuxError(ETIMEDOUT)
    except Interrupted:
        if not waiter.woken:  # else the wake-up came after the signal, and nobody else got it
            raise


def check_word(memory: AddressSpace, address: int, expected: int) -> None:
    """Compare the word at `address` with what a waiter expects there.  EAGAIN: it differs; EFAULT"""
    if memory.read_u32(address) != expected:
        raise LinuxError(EAGAIN)


def urgency(task: Task) -> int:
    """Return how far `task` goes before others: 0 for ordinary threads, more for more urgent ones."""
    from lbw.abi.sched import SCHED_DEADLINE

    scheduling = task.scheduling
    return 100 if scheduling.policy == SCHED_DEADLINE else scheduling.priority
