"""System V semaphores: sets, and the operations on them.  man 2 semop, semctl

An operation is a list of changes that happen all or not at all, each tried on the values that the ones before it have
left. What cannot be done now is pending, in order of arrival. After every change of a value the pending ones are tried
again: first those that wait for zeros only, then the others, from the oldest on; each that gets through may let older
ones through, so the search starts again behind it. An operation that is stuck holds nobody up.

Whoever lets a pending operation through does it: the waiting task only learns its result. So nothing is lost to a
signal that comes at the same time, and the order is that of the queue, not of the scheduler.
"""

from __future__ import annotations

from array import array

from lbw.abi.errno import EAGAIN, EIDRM, EINVAL, ENOSPC, ERANGE, LinuxError
from lbw.abi.ipc import IPC_NOWAIT, SEM_UNDO, SEMAEM, SEMVMX
from lbw.ipc.budget import SEMAPHORE
from lbw.ipc.ids import IdTable, IpcObject
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.budget import MemoryBudget
    from lbw.ipc.namespace import Surroundings
    from lbw.ipc.undo import Adjustments
    from lbw.vfs.credentials import Credentials

    Operation = tuple[int, int, int]  # number, change, flags


class Pending:
    """An operation, under way or waiting."""

    __slots__ = ("alters", "blocking", "operations", "pid", "queue", "result", "undo")

    def __init__(self, operations: list[Operation], pid: int, undo: Adjustments | None) -> None:
        self.operations = operations
        self.pid = pid
        self.undo = undo
        self.alters = any(change for _, change, _ in operations)
        self.blocking: Operation | None = None  # the change that could not be made
        self.result: int | None = None  # 0, or an errno, once it is over
        self.queue = WaitQueue()

    def finish(self, result: int) -> None:
        """Tell the one who waits."""
        self.result = result
        self.queue.wake_all()


class SemaphoreSet(IpcObject):
    """A set of semaphores."""

    __slots__ = ("_around", "operated", "pending", "pids", "undos", "values")

    def __init__(self, around: Surroundings, key: int, count: int, flags: int, owner: Credentials) -> None:
        super().__init__(key, flags, owner)
        self._around = around
        self.values = array("H", bytes(2 * count))
        self.pids = array("i", bytes(4 * count))  # who changed each last
        self.pending: list[Pending] = []
        self.undos: list[Adjustments] = []  # what processes will take back when they end
        self.operated = 0  # time of the last operation
        self.changed = around.now()

    # Operations

    def operate(self, pending: Pending) -> bool:
        """Try an operation; False: it is pending now.  ERANGE; EAGAIN: it would wait, and must not"""
        result = self._try(pending)
        if result:
            raise LinuxError(result)
        if result is None:
            self.pending.append(pending)
            return False
        self.operated = self._around.now()
        if pending.alters:
            self._let_through()
        return True

    def _try(self, pending: Pending) -> int | None:
        """Do all changes, or none; return 0, an errno, or None: it has to wait."""
        values, undo = self.values, pending.undo
        old_values = values[:]
        old_undo = undo.changes[:] if undo is not None else None
        result: int | None = 0
        for operation in pending.operations:
            number, change, flags = operation
            value = values[number] + change
            if value < 0 or (not change and value):
                pending.blocking = operation
                result = EAGAIN if flags & IPC_NOWAIT else None
                break
            if value > SEMVMX:
                result = ERANGE
                break
            if flags & SEM_UNDO and undo is not None:
                back = undo.changes[number] - change
                if not -SEMAEM - 1 <= back <= SEMAEM:
                    result = ERANGE
                    break
                undo.changes[number] = back
            values[number] = value
        if result == 0:
            for number, _, _ in pending.operations:
                self.pids[number] = pending.pid
        else:
            values[:] = old_values
            if undo is not None and old_undo is not None:
                undo.changes[:] = old_undo
        return result

    def _let_through(self) -> bool:
        """Try what is pending until nothing moves any more; return whether anything was done."""
        done = False
        while self._let_one_through():
            done = True
        return done

    def _let_one_through(self) -> bool:
        if not self.pending:
            return False
        readers = [each for each in self.pending if not each.alters]
        writers = [each for each in self.pending if each.alters]
        moved = False
        for pending in (*readers, *writers):
            result = self._try(pending)
            if result is None:
                continue
            self.pending.remove(pending)
            pending.finish(result)
            if not result:
                self.operated = self._around.now()
                moved = True
                if pending.alters:
                    break  # others that are older may go on now
        return moved

    def forget(self, pending: Pending) -> None:
        """Give a pending operation up."""
        if pending in self.pending:
            self.pending.remove(pending)

    # Looking and setting

    def number(self, number: int) -> int:
        """Return the number of a semaphore.  EINVAL: there is no such one"""
        if not 0 <= number < len(self.values):
            raise LinuxError(EINVAL)
        return number

    def waiting(self, number: int, for_zero: bool) -> int:
        """Return how many wait for a semaphore: for zero, or for more (GETZCNT, GETNCNT)."""
        return sum(
            pending.blocking is not None
            and pending.blocking[0] == number
            and (not pending.blocking[1] if for_zero else pending.blocking[1] < 0)
            for pending in self.pending
        )

    def set_values(self, first: int, values: list[int], pid: int) -> None:
        """Set the semaphores from `first` on; what processes would undo of them is forgotten (SETVAL, SETALL)."""
        for number, value in enumerate(values, first):
            self.values[number] = value
            self.pids[number] = pid
            for undo in self.undos:
                undo.changes[number] = 0
        self.changed = self._around.now()
        self._let_through()

    def take_back(self, undo: Adjustments, pid: int) -> None:
        """Apply what a process that ends has left to be undone."""
        for number, change in enumerate(undo.changes):
            if change:
                self.values[number] = min(max(self.values[number] + change, 0), SEMVMX)
                self.pids[number] = pid
        self.undos.remove(undo)
        self.operated = self._around.now()
        self._let_through()


class SemaphoreSets(IdTable[SemaphoreSet]):
    """All sets, and their limits: /proc/sys/kernel/sem."""

    __slots__ = (
        "all_semaphores", "around", "budget", "count_limit", "operations_limit", "semaphores_limit", "size_limit",
    )  # fmt: skip

    def __init__(self, around: Surroundings, budget: MemoryBudget) -> None:
        super().__init__()
        self.around = around
        self.budget = budget
        self.all_semaphores = 0
        self.size_limit = 32000  # semmsl: of one set
        self.semaphores_limit = 1024000000  # semmns
        self.operations_limit = 500  # semopm: of one call
        self.count_limit = 32000  # semmni

    def make(self, key: int, count: int, flags: int, owner: Credentials) -> SemaphoreSet:
        """Make a set.  EINVAL: of no semaphores; ENOSPC, ENOMEM"""
        if not count:
            raise LinuxError(EINVAL)
        if self.all_semaphores + count > self.semaphores_limit:
            raise LinuxError(ENOSPC)
        self.budget.charge(count * SEMAPHORE)
        try:
            made = self.enter(SemaphoreSet(self.around, key, count, flags, owner), self.count_limit)
        except LinuxError:
            self.budget.release(count * SEMAPHORE)
            raise
        self.all_semaphores += count
        return made

    def remove(self, gone: SemaphoreSet) -> None:
        """Remove a set: whoever waits gets EIDRM."""
        self.leave(gone)
        self.all_semaphores -= len(gone.values)
        self.budget.release(len(gone.values) * SEMAPHORE)
        for undo in gone.undos:
            undo.drop()
        gone.undos.clear()
        pending, gone.pending = gone.pending, []
        for each in pending:
            each.finish(EIDRM)
