"""How many files each user may watch with epoll."""

from __future__ import annotations

from lbw.abi.errno import ENOSPC, LinuxError


class WatchAccount:
    """How many items each user has; one for a machine."""

    __slots__ = ("limit", "used")

    def __init__(self) -> None:
        self.limit = 1 << 19  # for each user: /proc/sys/fs/epoll/max_user_watches
        self.used: dict[int, int] = {}

    def charge(self, uid: int, count: int) -> None:
        """Add `count`, which may be negative.  ENOSPC: more than `limit`"""
        used = self.used.get(uid, 0) + count
        if count > 0 and used > self.limit:
            raise LinuxError(ENOSPC)
        self.used[uid] = used
