"""File locks: flock(2), POSIX record locks and open file description locks (man 2 fcntl, "Advisory record locking").

Three kinds, two owners. A flock and an OFD lock belong to an open file description and go when it closes. A POSIX
lock belongs to a process, here: to its descriptor table, and goes when the process closes any descriptor of that
file. flock never conflicts with the other two; POSIX and OFD locks conflict with each other, as different owners.

Nothing here waits: a lock that cannot be had raises EAGAIN, and F_SETLKW waits and tries again. While it waits it
is entered as a `Waiting`, which is how cycles among POSIX owners are found (EDEADLK).
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EDEADLK, EINVAL, LinuxError
from lbw.abi.fcntl import F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN
from lbw.vfs.record_lock import OFFSET_MAX, RecordLock, lock_range, replace_range
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File

    Key = tuple[int, int]  # device and inode number

__all__ = ["OFFSET_MAX", "LockManager", "RecordLock", "Waiting", "lock_range"]


class _InodeLocks:
    """The locks of one inode."""

    __slots__ = ("flocks", "queue", "records")

    def __init__(self) -> None:
        self.flocks: dict[File, int] = {}  # LOCK_SH or LOCK_EX
        self.records: dict[object, list[RecordLock]] = {}  # by owner, each list sorted and disjoint
        self.queue = WaitQueue()

    def conflict(self, request: RecordLock) -> RecordLock | None:
        """Return the first lock in the way of `request`."""
        for owner, locks in self.records.items():
            if owner is not request.owner:
                for lock in locks:
                    if lock.conflicts(request):
                        return lock
        return None


class Waiting:
    """A blocked F_SETLKW, as a context: `with manager.waiting(...) as queue: await task.wait(queue)`."""

    __slots__ = ("_manager", "blocker", "owner", "queue")

    def __init__(self, manager: LockManager, owner: object, blocker: object, queue: WaitQueue) -> None:
        self._manager = manager
        self.owner = owner
        self.blocker = blocker
        self.queue = queue

    def __enter__(self) -> WaitQueue:
        self._manager.blocked.append(self)
        return self.queue

    def __exit__(self, *_: object) -> None:
        self._manager.blocked.remove(self)


class LockManager:
    """All locks of all files."""

    __slots__ = ("_inodes", "_keys", "blocked", "posix_owners")

    def __init__(self) -> None:
        self._inodes: dict[Key, _InodeLocks] = {}
        self._keys: dict[File, Key] = {}  # of descriptions that hold a flock or OFD lock
        #: Owners of POSIX locks (descriptor tables), and of which files they hold some.
        self.posix_owners: dict[object, set[Key]] = {}
        self.blocked: list[Waiting] = []

    def _of(self, key: Key) -> _InodeLocks:
        locks = self._inodes.get(key)
        if locks is None:
            locks = self._inodes[key] = _InodeLocks()
        return locks

    def _changed(self, key: Key, locks: _InodeLocks) -> None:
        locks.queue.wake_all()
        if not locks.flocks and not locks.records:
            self._inodes.pop(key, None)

    # flock(2)

    def flock(self, file: File, operation: int) -> None:
        """Set, convert or drop the lock of `file`; LOCK_NB in `operation` makes no difference here.

        EAGAIN: somebody holds a conflicting lock (a lock that was to be converted is lost then, as on Linux); EINVAL
        """
        operation &= ~LOCK_NB
        if operation not in (LOCK_SH, LOCK_EX, LOCK_UN):
            raise LinuxError(EINVAL)
        key = _key(file)
        locks = self._inodes.get(key)
        held = locks.flocks.get(file) if locks is not None else None
        if held == operation:
            return
        if held is not None and locks is not None:
            del locks.flocks[file]
            self._changed(key, locks)
        if operation == LOCK_UN:
            return
        locks = self._of(key)
        if locks.flocks and (operation == LOCK_EX or LOCK_EX in locks.flocks.values()):
            raise LinuxError(EAGAIN)
        locks.flocks[file] = operation
        self._adopt(file, key)

    def flock_queue(self, file: File) -> WaitQueue:
        """Return where to wait after EAGAIN from `flock`."""
        return self._of(_key(file)).queue

    def _adopt(self, file: File, key: Key) -> None:
        self._keys[file] = key
        file.locks = self  # so that the last release calls description_closed

    # Record locks

    def lock(self, file: File, request: RecordLock) -> None:
        """Set (F_RDLCK, F_WRLCK) or drop (F_UNLCK) a range; ranges of one owner replace each other.

        EBADF: `file` is not open for what the lock protects; EAGAIN: somebody holds a conflicting lock; EINVAL
        """
        if request.kind == F_RDLCK:
            file.require(read=True)
        elif request.kind == F_WRLCK:
            file.require(write=True)
        elif request.kind != F_UNLCK:
            raise LinuxError(EINVAL)
        key = _key(file)
        locks = self._inodes.get(key)
        if request.kind == F_UNLCK:
            if locks is None or request.owner not in locks.records:
                return
        else:
            locks = locks or self._of(key)
            if locks.conflict(request) is not None:
                raise LinuxError(EAGAIN)
        owner = request.owner
        remaining = list(replace_range(locks.records.get(owner, []), request))
        if remaining:
            locks.records[owner] = remaining
            if owner is file:
                self._adopt(file, key)
            else:
                self.posix_owners.setdefault(owner, set()).add(key)
            self._changed(key, locks)
        else:
            self._drop(key, locks, owner)

    def test(self, file: File, request: RecordLock) -> RecordLock | None:
        """Return a lock that is in the way of `request`, or None (F_GETLK).

        An OFD request of F_UNLCK asks for a lock that the description itself has there.  EINVAL
        """
        locks = self._inodes.get(_key(file))
        if request.kind == F_UNLCK and request.owner is file:
            own = locks.records.get(file, []) if locks is not None else []
            return next((lock for lock in own if lock.first <= request.last and request.first <= lock.last), None)
        if request.kind not in (F_RDLCK, F_WRLCK):
            raise LinuxError(EINVAL)
        return locks.conflict(request) if locks is not None else None

    def waiting(self, file: File, request: RecordLock) -> Waiting:
        """Return a context to wait in, after EAGAIN from `lock`.  EDEADLK: the holder waits for us"""
        locks = self._of(_key(file))
        conflict = locks.conflict(request)
        blocker = conflict.owner if conflict is not None else None
        if request.pid != -1 and blocker is not None and self._waits_for(blocker, request.owner, set()):
            raise LinuxError(EDEADLK)
        return Waiting(self, request.owner, blocker, locks.queue)

    def _waits_for(self, owner: object, goal: object, seen: set[int]) -> bool:
        if owner is goal:
            return True
        if id(owner) in seen:
            return False
        seen.add(id(owner))
        return any(
            self._waits_for(waiting.blocker, goal, seen)
            for waiting in self.blocked
            if waiting.owner is owner and waiting.blocker is not None
        )

    def _drop(self, key: Key, locks: _InodeLocks, owner: object) -> None:
        locks.records.pop(owner, None)
        held = self.posix_owners.get(owner)
        if held is not None:
            held.discard(key)
            if not held:
                del self.posix_owners[owner]
        self._changed(key, locks)

    # The end of owners

    def descriptor_closed(self, file: File, owner: object) -> None:
        """Drop the POSIX locks of `owner` on the file whose descriptor it closes."""
        if owner in self.posix_owners:
            key = _key(file)
            locks = self._inodes.get(key)
            if locks is not None and owner in locks.records:
                self._drop(key, locks, owner)

    def description_closed(self, file: File) -> None:
        """Drop the flock and the OFD locks of a description that is gone."""
        key = self._keys.pop(file, None)
        locks = self._inodes.get(key) if key is not None else None
        if key is not None and locks is not None:
            locks.flocks.pop(file, None)
            self._drop(key, locks, file)


def _key(file: File) -> Key:
    stat = file.inode.stat()
    return stat.dev, stat.ino
