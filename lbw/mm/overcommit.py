"""Overcommit: how much memory may be promised.  Linux mm/util.c __vm_enough_memory; man 5 proc, overcommit_memory

What programs may write to and have for themselves is *charged* when it is mapped, before any page exists: private
writable mappings (VM_ACCOUNT, `vma.accounted`), the heap, stacks as they grow, private mappings that become writable,
what a fork doubles; and whole objects of shared memory, by who makes them. MAP_NORESERVE is not, except in mode 2.

Mode 0 refuses only what could never be had: more in one call than the machine has. Mode 1 refuses nothing. In mode 2
the sum of all charges stays below `limit`, with something left for root, and something for the user's next shell.

The order of calls: `charge` first, since it alone can fail; then the mapping; `Commitment.release` when it goes. A
mapping that is read-only again stays charged when it was written to.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import MAP_NORESERVE, MAP_SHARED, PROT_WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames

#: Values of vm.overcommit_memory.
GUESS, ALWAYS, NEVER = range(3)
CAP_SYS_ADMIN = 21


class Commitment:
    """What is promised on one machine, in pages of 4 kB."""

    __slots__ = ("_frames", "admin_reserve", "capable", "kbytes", "mode", "pages", "ratio", "user_reserve")

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.pages = 0  # Committed_AS
        self.mode = GUESS  # vm.overcommit_memory
        self.ratio = 50  # vm.overcommit_ratio, percent
        self.kbytes = 0  # vm.overcommit_kbytes: instead of the ratio, if not 0
        free = frames.limit * 4 // 32  # kB
        self.admin_reserve = min(free, 1 << 13)  # vm.admin_reserve_kbytes
        self.user_reserve = min(free, 1 << 17)  # vm.user_reserve_kbytes
        #: Whether the caller of the current system call has a capability, by its number.
        self.capable: Callable[[int], bool] = lambda capability: True

    @property
    def limit(self) -> int:
        """CommitLimit, pages."""
        return self.kbytes // 4 if self.kbytes else self._frames.limit * self.ratio // 100

    def charge(self, pages: int, total: int = 0) -> None:
        """Promise `pages` more to somebody who has `total` bytes mapped.  LinuxError(ENOMEM)"""
        committed = self.pages + pages
        if self.mode == GUESS:
            if pages > self._frames.limit:
                raise LinuxError(ENOMEM)
        elif self.mode == NEVER and committed >= self._allowed(total):
            raise LinuxError(ENOMEM)
        self.pages = committed

    def release(self, pages: int) -> None:
        """Take a promise back."""
        self.pages -= pages

    def kept(self, flags: int) -> int:
        """Return the MAP_* flags of a new mapping: in mode 2 nothing goes without reserve."""
        return flags & ~MAP_NORESERVE if self.mode == NEVER else flags

    def _allowed(self, total: int) -> int:
        allowed = self.limit
        if not self.capable(CAP_SYS_ADMIN):
            allowed -= self.admin_reserve // 4
        return allowed - min((total >> 12) // 32, self.user_reserve // 4)


def accountable(prot: int, flags: int) -> bool:
    """Tell whether a mapping is charged: private and writable, and not MAP_NORESERVE."""
    return prot & PROT_WRITE != 0 and not flags & (MAP_SHARED | MAP_NORESERVE)


def charge(space: AddressSpace, length: int) -> None:
    """Promise `length` bytes, whole pages, to an address space.  LinuxError(ENOMEM)"""
    space.frames.commitment.charge(length >> 12, space.total)
