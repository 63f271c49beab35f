"""What the pipes of a machine may hold together.  man 7 pipe, /proc/sys/fs/pipe-user-pages-soft

Content of pipes lies in the host's memory, outside of what `--memory` bounds. As on Linux the account is of capacities,
not of contents, so what was promised is always there: once the limit is reached, new pipes get a single page (Linux
since 5.14: two), and no pipe grows; at twice the limit there are no new pipes (pipe-user-pages-hard). Linux keeps an
account for each user and exempts root; here a machine has one, and nobody is exempt.
"""

from __future__ import annotations

from lbw.abi.errno import ENFILE, EPERM, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE_SIZE = 4096
#: /proc/sys/fs/pipe-max-size at first, as in Linux.
MAX_CAPACITY = 1 << 20
#: Linux' own default, 64 MB.
DEFAULT_LIMIT = 16384 * PAGE_SIZE


class PipeBudget:
    """The account of all pipes that have ends."""

    __slots__ = ("largest", "limit", "used")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        """Start an account of `limit` bytes."""
        self.limit = limit
        self.largest = MAX_CAPACITY  # what one pipe may have without CAP_SYS_RESOURCE
        self.used = 0

    def grant(self, capacity: int) -> int:
        """Charge a new pipe; return its capacity: `capacity` bytes, or one page where that is too much.

        ENFILE: there are so many pipes that not even a page is left
        """
        if self.used + PAGE_SIZE > 2 * self.limit:
            raise LinuxError(ENFILE)
        if self.used + capacity > self.limit:
            capacity = PAGE_SIZE
        self.used += capacity
        return capacity

    def set_largest(self, numbers: Sequence[int]) -> None:
        """Change what one pipe may have, to a power of two of pages."""
        self.largest = max(PAGE_SIZE, 1 << (numbers[0] - 1).bit_length())

    def resize(self, old: int, new: int) -> None:
        """Charge a pipe anew.  EPERM: it would grow beyond the limit"""
        used = self.used + new - old
        if new > old and used > self.limit:
            raise LinuxError(EPERM)
        self.used = used

    def release(self, capacity: int) -> None:
        """Take a pipe off the account."""
        self.used -= capacity
