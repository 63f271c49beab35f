"""Signal sets: 64-bit masks in which signal n is bit n-1, and the sets that the kernel itself distinguishes.

man 7 signal, "Standard signals"; man 3 sigsetops
"""

from __future__ import annotations

from lbw.abi.signal import (
    SIGABRT,
    SIGBUS,
    SIGCHLD,
    SIGCONT,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGQUIT,
    SIGSEGV,
    SIGSTOP,
    SIGSYS,
    SIGTRAP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGWINCH,
    SIGXCPU,
    SIGXFSZ,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EMPTY = 0
FULL = 2**64 - 1


def bit(signo: int) -> int:
    """Return the set of `signo` alone."""
    return 1 << (signo - 1)


def sigset(signals: Iterable[int]) -> int:
    """Return the set of `signals`."""
    mask = 0
    for signo in signals:
        mask |= 1 << (signo - 1)
    return mask


def members(mask: int) -> Iterator[int]:
    """Yield the signals of `mask` in ascending order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length()
        mask ^= lowest


#: Never blocked, caught or ignored.
UNBLOCKABLE = sigset((SIGKILL, SIGSTOP))

#: Their default action is to do nothing.
IGNORED_BY_DEFAULT = sigset((SIGCONT, SIGCHLD, SIGWINCH, SIGURG))

#: Their default action is to stop the process.
STOPPING = sigset((SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU))

#: Their default action is to end the process with a core dump.
DUMPING = sigset((SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ))

#: Caused by the instruction that runs; delivered before all others.
SYNCHRONOUS = sigset((SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS))
