"""SEM_UNDO: what a process will take back of its semaphore operations when it ends.  man 2 semop, "SEM_UNDO"

A list belongs to a task, or to all tasks that CLONE_SYSVSEM made share it (the threads of a process); it is applied
when its last user ends. A child of fork begins with none, execve keeps it.
"""

from __future__ import annotations

from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.sem import SemaphoreSet


class Adjustments:
    """What one list has to add to the semaphores of one set."""

    __slots__ = ("_list", "changes", "target")

    def __init__(self, owner: UndoList, target: SemaphoreSet) -> None:
        self._list = owner
        self.target = target
        self.changes = array("h", bytes(2 * len(target.values)))
        target.undos.append(self)

    def drop(self) -> None:
        """Forget it: the set is gone."""
        self._list.sets.pop(self.target, None)


class UndoList:
    """The adjustments of some tasks."""

    __slots__ = ("sets", "users")

    def __init__(self) -> None:
        self.users = 1
        self.sets: dict[SemaphoreSet, Adjustments] = {}

    def share(self) -> UndoList:
        """Add a task."""
        self.users += 1
        return self

    def of(self, target: SemaphoreSet) -> Adjustments:
        """Return the adjustments of a set, all zero at first."""
        found = self.sets.get(target)
        if found is None:
            found = self.sets[target] = Adjustments(self, target)
        return found

    def leave(self, pid: int) -> None:
        """Drop a task, of process `pid`; the last one applies everything."""
        self.users -= 1
        if not self.users:
            for undo in list(self.sets.values()):
                undo.target.take_back(undo, pid)
            self.sets.clear()
