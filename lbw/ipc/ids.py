"""Identifiers of System V IPC: tables of objects by id and key, and who may do what with an object.  man 7 sysvipc

An id is a place in a table and a sequence number, which grows whenever the search for a free place starts again from
the front; so the id of a removed object is not soon that of another one. Places are used in turn, as Linux does it
(ipc/util.c), because programs (`ipcs`) ask for objects by place.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_IPC_OWNER, CAP_SYS_ADMIN
from lbw.abi.errno import EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM, LinuxError
from lbw.abi.ipc import IPC_CREAT, IPC_EXCL, IPC_PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from lbw.vfs.credentials import Credentials

    T = TypeVar("T", bound="IpcObject")

#: Places of a table (IPCMNI); the sequence number lies above.
PLACES = 1 << 15
_MAX_SEQUENCE = 0x7FFF_FFFF >> 15
#: So many places are used in turn, even when only few objects exist.
_MIN_CYCLE = 64
_NO_ID = 0xFFFF_FFFF


class IpcObject:
    """What segments, sets and queues have in common: struct kern_ipc_perm. Times are in seconds since the epoch."""

    __slots__ = ("cgid", "changed", "cuid", "gid", "id", "key", "mode", "removed", "seq", "uid")

    def __init__(self, key: int, mode: int, owner: Credentials) -> None:
        self.key = key
        self.mode = mode & 0o777
        self.uid = self.cuid = owner.euid
        self.gid = self.cgid = owner.egid
        self.id = self.seq = 0
        self.removed = False
        self.changed = 0

    def require(self, who: Credentials, wanted: int) -> None:
        """EACCES unless `who` has all of the permissions in `wanted`, whichever of the three digits they stand in."""
        wanted = wanted >> 6 | wanted >> 3 | wanted
        granted = self.mode
        if who.euid in (self.cuid, self.uid):
            granted >>= 6
        elif who.in_group(self.cgid) or who.in_group(self.gid):
            granted >>= 3
        if wanted & ~granted & 7 and not who.capable(CAP_IPC_OWNER):
            raise LinuxError(EACCES)

    def require_owner(self, who: Credentials) -> None:
        """EPERM unless `who` owns or made it."""
        if who.euid not in (self.cuid, self.uid) and not who.capable(CAP_SYS_ADMIN):
            raise LinuxError(EPERM)

    def update(self, uid: int, gid: int, mode: int) -> None:
        """Change owner and permissions (IPC_SET).  EINVAL: no such id"""
        if _NO_ID in (uid, gid):
            raise LinuxError(EINVAL)
        self.uid, self.gid = uid, gid
        self.mode = self.mode & ~0o777 | mode & 0o777

    @property
    def permissions(self) -> tuple[int, int, int, int, int, int, int]:
        """What the structures begin with: key, uid, gid, cuid, cgid, mode, seq."""
        return self.key, self.uid, self.gid, self.cuid, self.cgid, self.mode, self.seq


class IdTable(dict[int, "T"]):
    """The objects of one kind, by place."""

    __slots__ = ("_last", "_next", "_sequence", "by_key")

    def __init__(self) -> None:
        super().__init__()
        self._next = self._sequence = 0
        self._last = -1
        self.by_key: dict[int, T] = {}

    # Finding

    def find(self, number: int) -> T:
        """Return the object with the id `number`.  EINVAL"""
        found = self.get(number & PLACES - 1) if number >= 0 else None
        if found is None or found.id != number:
            raise LinuxError(EINVAL)
        return found

    def at(self, place: int) -> T:
        """Return the object at a place (of which an id may be given).  EINVAL"""
        found = self.get(place & PLACES - 1) if place >= 0 else None
        if found is None:
            raise LinuxError(EINVAL)
        return found

    @property
    def highest(self) -> int:
        """The highest place in use, 0 when there is none."""
        return max(self, default=0)

    def obtain(
        self, key: int, flags: int, who: Credentials, make: Callable[[], T], check: Callable[[T], None]
    ) -> int:  # fmt: skip
        """Return the id of the object with `key`, made if need be (shmget, semget, msgget).

        ENOENT; EEXIST: IPC_CREAT | IPC_EXCL; EACCES; and what `make` and `check` raise
        """
        if key == IPC_PRIVATE:
            return make().id
        found = self.by_key.get(key)
        if found is None:
            if not flags & IPC_CREAT:
                raise LinuxError(ENOENT)
            return make().id
        if flags & IPC_CREAT and flags & IPC_EXCL:
            raise LinuxError(EEXIST)
        check(found)
        found.require(who, flags)
        return found.id

    # Changing

    def enter(self, item: T, limit: int) -> T:
        """Give `item` a place and an id.  ENOSPC: there are `limit` objects already"""
        count = len(self)
        if count >= min(limit, PLACES):
            raise LinuxError(ENOSPC)
        place = self._free_place(min(max(count * 3 // 2, _MIN_CYCLE), PLACES))
        if place <= self._last:
            self._sequence = (self._sequence + 1) % _MAX_SEQUENCE
        self._last = place
        self[place] = item
        item.seq = self._sequence
        item.id = self._sequence << 15 | place
        if item.key != IPC_PRIVATE:
            self.by_key[item.key] = item
        return item

    def _free_place(self, end: int) -> int:
        for start, stop in ((self._next, end), (0, end), (0, PLACES)):
            for place in range(start, stop):
                if place not in self:
                    self._next = place + 1
                    return place
        raise LinuxError(ENOSPC)

    def forget_key(self, item: T) -> None:
        """Make `item` one that no key finds."""
        if self.by_key.get(item.key) is item:
            del self.by_key[item.key]
        item.key = IPC_PRIVATE

    def leave(self, item: T) -> None:
        """Take `item` out of the table."""
        if self.by_key.get(item.key) is item:
            del self.by_key[item.key]
        del self[item.id & PLACES - 1]
        item.removed = True
