"""The alternate signal stack of a task.  man 2 sigaltstack"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOMEM, EPERM, LinuxError
from lbw.abi.signal import MINSIGSTKSZ

SS_ONSTACK = 1
SS_DISABLE = 2
SS_AUTODISARM = 0x8000_0000


class AltStack:
    """Where handlers with SA_ONSTACK run: base address, size in bytes, flags as they were given."""

    __slots__ = ("base", "flags", "size")

    def __init__(self, base: int = 0, size: int = 0, flags: int = 0) -> None:
        self.base = base
        self.size = size
        self.flags = flags

    def covers(self, stack: int) -> bool:
        """Tell whether the stack pointer `stack` lies in it. It grows down: its end counts, its base does not."""
        return self.base < stack <= self.base + self.size

    def active(self, stack: int) -> bool:
        """Tell whether a task with stack pointer `stack` runs on it; never while SS_AUTODISARM is set."""
        return not self.flags & SS_AUTODISARM and self.covers(stack)

    def state(self, stack: int) -> int:
        """Return `ss_flags` as sigaltstack reports them."""
        if not self.size:
            mode = SS_DISABLE
        else:
            mode = SS_ONSTACK if self.active(stack) else 0
        return mode | self.flags & SS_AUTODISARM

    def reset(self) -> None:
        """Have no alternate stack (clone of a thread, SS_AUTODISARM)."""
        self.base, self.size, self.flags = 0, 0, SS_DISABLE

    def replace(self, base: int, size: int, flags: int, stack: int) -> None:
        """Install another one for a task whose stack pointer is `stack`.

        EPERM: the task runs on the present one. EINVAL: flags. ENOMEM: smaller than MINSIGSTKSZ.
        """
        if self.active(stack):
            raise LinuxError(EPERM)
        mode = flags & ~SS_AUTODISARM
        if mode not in (0, SS_ONSTACK, SS_DISABLE):
            raise LinuxError(EINVAL)
        if mode == SS_DISABLE:
            base = size = 0
        elif size < MINSIGSTKSZ:
            raise LinuxError(ENOMEM)
        self.base, self.size, self.flags = base, size, flags

    def copy(self) -> AltStack:
        """Return a copy (fork)."""
        return AltStack(self.base, self.size, self.flags)
