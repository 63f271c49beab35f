"""How many files each user may watch with epoll."""

from __future__ import annotations

from lbw.abi.errno import ENOSPC, LinuxError

#: /proc/sys/fs/epoll/max_user_watches: how many items one user may have.
MAX_USER_WATCHES = 1 << 19


class WatchAccount:
    """How many items each user has; one for a machine."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used: dict[int, int] = {}

    def charge(self, uid: int, count: int) -> None:
        """Add `count`, which may be negative.  ENOSPC: more than MAX_USER_WATCHES"""
        used = self.used.get(uid, 0) + count
        if count > 0 and used > MAX_USER_WATCHES:
            raise LinuxError(ENOSPC)
        self.used[uid] = used
