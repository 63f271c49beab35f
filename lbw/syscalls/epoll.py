"""epoll: making one, changing what it watches, waiting.  man 7 epoll

The mechanism is `lbw.vfs.epoll`. `struct epoll_event` is packed on x86-64, so both ABIs have the same 12 bytes.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EFAULT, EINVAL, EPERM, LinuxError
from lbw.abi.poll import (
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLERR,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLWAKEUP,
)
from lbw.abi.signal import SIGKILL
from lbw.kernel.task import Interrupted
from lbw.signals.sigset import bit
from lbw.syscalls.displays import SigSet, Timespec
from lbw.syscalls.epoll_displays import CREATE_FLAGS, OPERATIONS, EpollEvent, EpollEvents
from lbw.syscalls.parameters import Choice, Fd, Flags, Int, Size
from lbw.syscalls.readiness import MILLISECOND, masked, read_mask
from lbw.syscalls.start import only
from lbw.syscalls.table import NEVER, syscall
from lbw.syscalls.timespecs import duration_at
from lbw.vfs.epoll.epoll import Epoll
from lbw.vfs.epoll.nesting import check_nesting, check_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: struct epoll_event: events, data.
EPOLL_EVENT = Struct("<IQ")
#: How many events one call can return (EP_MAX_EVENTS).
MAX_EVENTS = 0x7FFF_FFFF // EPOLL_EVENT.size

KILLED = bit(SIGKILL)
_EXCLUSIVE_EVENTS = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE


@syscall("epoll_create", Int("size"))
def epoll_create(task: Task, size: int) -> int:
    """Make an epoll; the size only has to be positive.  EINVAL.  man 2 epoll_create"""
    if size <= 0:
        raise LinuxError(EINVAL)
    return epoll_create1(task, 0)


@syscall("epoll_create1", Flags("flags", CREATE_FLAGS))
def epoll_create1(task: Task, flags: int) -> int:
    """Make an epoll.  EINVAL, EMFILE.  man 2 epoll_create1"""
    only(flags, EPOLL_CLOEXEC)
    epoll = Epoll(task.fs.vfs.epoll_watches, task.credentials.euid)
    return task.files.install(epoll, bool(flags & EPOLL_CLOEXEC))


@syscall("epoll_ctl", Fd("epfd"), Choice("op", OPERATIONS), Fd("fd"), EpollEvent("event"))
def epoll_ctl(task: Task, epfd: int, operation: int, fd: int, event: int) -> int:
    """Add, change or remove a file.

    EPERM: a file that is always ready (a regular one); EINVAL: not an epoll, or itself, or events that do not go with
    EPOLLEXCLUSIVE, or too many ways up from a file; ELOOP: epolls in a circle or too deep; EEXIST, ENOENT, ENOSPC,
    EBADF, EFAULT.  man 2 epoll_ctl
    """
    events, data = EPOLL_EVENT.unpack(task.memory.read(event, 12)) if operation != EPOLL_CTL_DEL else (0, 0)
    files = task.files
    epoll, file = files.get(epfd), files.get(fd)
    if file.queue is None:
        raise LinuxError(EPERM)
    if file is epoll or not isinstance(epoll, Epoll):
        raise LinuxError(EINVAL)
    events &= ~EPOLLWAKEUP  # there is no power to save
    if events & EPOLLEXCLUSIVE and (
        operation == EPOLL_CTL_MOD or isinstance(file, Epoll) or events & ~_EXCLUSIVE_EVENTS
    ):
        raise LinuxError(EINVAL)
    if operation == EPOLL_CTL_ADD:
        if isinstance(file, Epoll):
            check_nesting(epoll, file)
        epoll.add(fd, file, events, data)
        if epoll.epolls or isinstance(file, Epoll):
            try:
                check_paths(epoll, file)
            except LinuxError:
                epoll.find(fd, file).remove()
                raise
    elif operation == EPOLL_CTL_MOD:
        epoll.modify(fd, file, events, data)
    elif operation == EPOLL_CTL_DEL:
        epoll.find(fd, file).remove()
    else:
        raise LinuxError(EINVAL)
    return 0


def fetch(task: Task, epoll: Epoll, address: int, limit: int) -> int:
    """Store up to `limit` ready events; return how many.  EFAULT: not even one could be stored"""
    taken = epoll.take(limit)
    if not taken:
        return 0
    pack, size, memory = EPOLL_EVENT.pack, EPOLL_EVENT.size, task.memory
    stored = 0
    try:
        memory.write(address, b"".join([pack(events, item.data) for item, events in taken]))
        stored = len(taken)
    except LinuxError:
        try:
            for item, events in taken:
                memory.write(address + stored * size, pack(events, item.data))
                stored += 1
        except LinuxError:
            if not stored:
                raise
    finally:
        epoll.settle(taken, stored)
    return stored


def begin_wait(task: Task, epfd: int, address: int, limit: int) -> Epoll:
    """Return the epoll to wait on.  EINVAL: not an epoll, or no room for an event; EFAULT; EBADF"""
    epoll = task.files.get(epfd)
    if not 0 < limit <= MAX_EVENTS:
        raise LinuxError(EINVAL)
    if address + limit * EPOLL_EVENT.size > task.abi.task_size:
        raise LinuxError(EFAULT)
    if not isinstance(epoll, Epoll):
        raise LinuxError(EINVAL)
    return epoll


async def wait_for_events(task: Task, epoll: Epoll, address: int, limit: int, deadline: int | None) -> int:
    """Wait until something is ready or `deadline` (monotonic ns) has passed, and store it."""
    epoll.acquire()
    try:
        while await task.wait(epoll.sleepers, deadline=deadline):
            if (task.signals.pending.mask | task.process.pending.mask) & KILLED:
                raise Interrupted  # who is about to die takes nothing from the others
            stored = fetch(task, epoll, address, limit)
            if stored:
                return stored
        return fetch(task, epoll, address, limit)
    finally:
        epoll.pass_on()  # a wake that was meant for us
        epoll.release()


def wait_or_fetch(
    task: Task, epfd: int, address: int, limit: int, nanoseconds: int | None, mask: int | None
) -> int | Awaitable[int]:
    """Do what all the waiting calls do; `nanoseconds`: how long at most, None for ever."""
    epoll = begin_wait(task, epfd, address, limit)
    stored = fetch(task, epoll, address, limit)
    if stored or nanoseconds == 0:
        return stored
    deadline = None if nanoseconds is None else task.kernel.clock.monotonic() + nanoseconds
    return masked(task, mask, wait_for_events(task, epoll, address, limit, deadline))


def milliseconds(timeout: int) -> int | None:
    """Return a timeout of poll's kind in ns."""
    return None if timeout < 0 else timeout * MILLISECOND


@syscall("epoll_wait", Fd("epfd"), EpollEvents("events"), Int("maxevents"), Int("timeout"), restart=NEVER)
def epoll_wait(task: Task, epfd: int, address: int, limit: int, timeout: int) -> int | Awaitable[int]:
    """Wait until a watched file is ready; `timeout` in ms, negative: no limit.  man 2 epoll_wait"""
    return wait_or_fetch(task, epfd, address, limit, milliseconds(timeout), None)


@syscall(
    "epoll_pwait", Fd("epfd"), EpollEvents("events"), Int("maxevents"), Int("timeout"), SigSet("sigmask"),
    Size("sigsetsize"), restart=NEVER,
)  # fmt: skip
def epoll_pwait(
    task: Task, epfd: int, address: int, limit: int, timeout: int, sigmask: int, size: int
) -> int | Awaitable[int]:
    """As epoll_wait, under a signal mask.  man 2 epoll_pwait"""
    mask = read_mask(task, sigmask, size)
    return wait_or_fetch(task, epfd, address, limit, milliseconds(timeout), mask)


@syscall(
    "epoll_pwait2", Fd("epfd"), EpollEvents("events"), Int("maxevents"), Timespec("timeout", wide=True),
    SigSet("sigmask"), Size("sigsetsize"), restart=NEVER,
)  # fmt: skip
def epoll_pwait2(
    task: Task, epfd: int, address: int, limit: int, timeout: int, sigmask: int, size: int
) -> int | Awaitable[int]:
    """As epoll_pwait; `timeout` is the address of a timespec with 64-bit seconds, 0: no limit.  man 2 epoll_pwait2"""
    nanoseconds = duration_at(task, timeout, task.abi.timespec64) if timeout else None
    mask = read_mask(task, sigmask, size)
    return wait_or_fetch(task, epfd, address, limit, nanoseconds, mask)
