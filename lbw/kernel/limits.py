"""Resource limits of a process.  man 2 getrlimit"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.resource import (
    RLIM_INFINITY,
    RLIMIT_AS,
    RLIMIT_CORE,
    RLIMIT_CPU,
    RLIMIT_DATA,
    RLIMIT_FSIZE,
    RLIMIT_LOCKS,
    RLIMIT_MEMLOCK,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_NPROC,
    RLIMIT_RSS,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
    RLIMIT_SIGPENDING,
    RLIMIT_STACK,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace

RLIM_NLIMITS = 16
#: The most that RLIMIT_NOFILE may be set to (fs.nr_open).
NR_OPEN = 1048576
#: The default of RLIMIT_NPROC and RLIMIT_SIGPENDING.
MAX_PROCESSES = 4096


class Limits:
    """Soft and hard limits, by RLIMIT_*; the soft one is enforced. Sizes in bytes, times in s."""

    __slots__ = ("_hard", "_soft")

    def __init__(self, processes: int = MAX_PROCESSES) -> None:
        """The limits that a Debian login has, with at most `processes` processes."""
        self._soft = [RLIM_INFINITY] * RLIM_NLIMITS
        self._hard = [RLIM_INFINITY] * RLIM_NLIMITS
        for resource, soft, hard in (
            (RLIMIT_STACK, 8 << 20, RLIM_INFINITY),
            (RLIMIT_CORE, 0, RLIM_INFINITY),
            (RLIMIT_NPROC, processes, processes),
            (RLIMIT_NOFILE, 1024, NR_OPEN),
            (RLIMIT_MEMLOCK, 8 << 20, 8 << 20),
            (RLIMIT_SIGPENDING, processes, processes),
            (RLIMIT_MSGQUEUE, 819200, 819200),
            (RLIMIT_NICE, 0, 0),
            (RLIMIT_RTPRIO, 0, 0),
        ):
            self._soft[resource] = soft
            self._hard[resource] = hard

    def fork(self) -> Limits:
        """Return an independent copy."""
        new = Limits.__new__(Limits)
        new._soft = self._soft[:]
        new._hard = self._hard[:]
        return new

    def soft(self, resource: int) -> int:
        """Return what is enforced now."""
        return self._soft[resource]

    def hard(self, resource: int) -> int:
        """Return how far the soft limit may be raised."""
        return self._hard[resource]

    def get(self, resource: int) -> tuple[int, int]:
        """Return (soft, hard).  EINVAL: no such resource"""
        if not 0 <= resource < RLIM_NLIMITS:
            raise LinuxError(EINVAL)
        return self._soft[resource], self._hard[resource]

    def set(self, resource: int, soft: int, hard: int, privileged: bool) -> None:
        """Change one limit; `privileged`: the caller has CAP_SYS_RESOURCE.

        EINVAL: no such resource, or soft above hard; EPERM: raises the hard limit, or more files than there can be
        """
        if not 0 <= resource < RLIM_NLIMITS or soft > hard:
            raise LinuxError(EINVAL)
        if resource == RLIMIT_NOFILE and hard > NR_OPEN:
            raise LinuxError(EPERM)
        if hard > self._hard[resource] and not privileged:
            raise LinuxError(EPERM)
        self._soft[resource] = soft
        self._hard[resource] = hard

    def restrict(self, memory: AddressSpace) -> None:
        """Tell an address space its limits."""
        memory.stack_limit = self._soft[RLIMIT_STACK]
        memory.data_limit = self._soft[RLIMIT_DATA]
        memory.data_ceiling = self._hard[RLIMIT_DATA]
        memory.size_limit = self._soft[RLIMIT_AS]
        memory.lock_limit = self._soft[RLIMIT_MEMLOCK]


#: The rows of /proc/PID/limits: name, resource, unit.
DISPLAY: tuple[tuple[str, int, str], ...] = (
    ("Max cpu time", RLIMIT_CPU, "seconds"),
    ("Max file size", RLIMIT_FSIZE, "bytes"),
    ("Max data size", RLIMIT_DATA, "bytes"),
    ("Max stack size", RLIMIT_STACK, "bytes"),
    ("Max core file size", RLIMIT_CORE, "bytes"),
    ("Max resident set", RLIMIT_RSS, "bytes"),
    ("Max processes", RLIMIT_NPROC, "processes"),
    ("Max open files", RLIMIT_NOFILE, "files"),
    ("Max locked memory", RLIMIT_MEMLOCK, "bytes"),
    ("Max address space", RLIMIT_AS, "bytes"),
    ("Max file locks", RLIMIT_LOCKS, "locks"),
    ("Max pending signals", RLIMIT_SIGPENDING, "signals"),
    ("Max msgqueue size", RLIMIT_MSGQUEUE, "bytes"),
    ("Max nice priority", RLIMIT_NICE, ""),
    ("Max realtime priority", RLIMIT_RTPRIO, ""),
    ("Max realtime timeout", RLIMIT_RTTIME, "us"),
)
