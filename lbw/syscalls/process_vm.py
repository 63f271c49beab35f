"""Memory of other processes: process_vm_readv and writev, process_madvise, process_mrelease.  man 2 of these

Bytes go from pages to pages without a buffer between. The caller's side follows the rules of any user copy, the other
side those of `lbw.mm.remote`, without force. A transfer that meets a bad page on either side ends there and tells how
much it has moved; it fails only when that is nothing.
"""

from __future__ import annotations

from lbw.abi import mman
from lbw.abi.capability import CAP_SYS_NICE
from lbw.abi.errno import EACCES, EFAULT, EINVAL, EPERM, ESRCH, LinuxError
from lbw.kernel.pidfd import pidfd_process
from lbw.kernel.ptrace_access import may_attach, may_read
from lbw.kernel.threads import find_thread
from lbw.mm.advice import madvise
from lbw.mm.remote import views
from lbw.syscalls.displays import Areas, Iovec, OutIovec
from lbw.syscalls.parameters import Choice, Fd, Pid, Size, UInt
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import load_iovec, total_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace
    from lbw.syscalls.transfer import Iov

ADVICE = {value: name for name, value in vars(mman).items() if name.startswith("MADV_")}
#: What one may advise about the memory of others.
HARMLESS = (mman.MADV_COLD, mman.MADV_PAGEOUT, mman.MADV_WILLNEED)
#: So much is moved in one step, bytes.
STEP = 1 << 16
#: So much is moved before others get a turn, bytes.
TURN = 16 << 20


@syscall("process_vm_readv", Pid("pid"), OutIovec("local_iov", 2), Size("liovcnt"), Areas("remote_iov", 4),
         Size("riovcnt"), Size("flags"))  # fmt: skip
def process_vm_readv(
    task: Task, pid: int, local: int, local_count: int, remote: int, remote_count: int, flags: int
) -> int | Awaitable[int]:
    """Copy memory of `pid` to the caller; return the bytes.

    EINVAL: flags, vectors; EFAULT; EPERM; ESRCH.  man 2 process_vm_readv
    """
    return transfer(task, pid, (local, local_count), (remote, remote_count), flags, False)


@syscall("process_vm_writev", Pid("pid"), Iovec("local_iov", 2), Size("liovcnt"), Areas("remote_iov", 4),
         Size("riovcnt"), Size("flags"))  # fmt: skip
def process_vm_writev(
    task: Task, pid: int, local: int, local_count: int, remote: int, remote_count: int, flags: int
) -> int | Awaitable[int]:
    """Copy memory of the caller to `pid`; return the bytes.

    EINVAL: flags, vectors; EFAULT; EPERM; ESRCH.  man 2 process_vm_writev
    """
    return transfer(task, pid, (local, local_count), (remote, remote_count), flags, True)


def transfer(
    task: Task, pid: int, local: tuple[int, int], remote: tuple[int, int], flags: int, write: bool
) -> int | Awaitable[int]:
    """Move bytes between areas of the caller and of `pid`, `write`: to the latter.  EINVAL, EFAULT, EPERM, ESRCH"""
    if flags:
        raise LinuxError(EINVAL)
    ours = load_iovec(task, *local)
    if not total_of(ours):
        return 0
    theirs = [(base, length) for base, length in load_iovec(task, *remote) if length]
    if not theirs:
        return 0
    space = space_of(task, pid)
    if min(total_of(ours), total_of(theirs)) <= TURN:
        return move(task, space, Cursor(ours), Cursor(theirs), TURN, write)
    return move_in_turns(task, space, Cursor(ours), Cursor(theirs), write)


def space_of(task: Task, pid: int) -> AddressSpace:
    """Return the memory of the thread `pid`, which the caller may take over.  ESRCH, EPERM"""
    target = find_thread(task.kernel, pid)
    if target is None or not pid > 0:
        raise LinuxError(ESRCH)
    if target is not target.process.ended_leader and target.memory is task.memory:
        return task.memory
    if not may_attach(task, target):
        raise LinuxError(EPERM)
    if target is target.process.ended_leader:
        raise LinuxError(ESRCH)  # it has none any more
    return target.memory


class Cursor:
    """A place in a list of areas."""

    __slots__ = ("_areas", "_index", "address", "left")

    def __init__(self, areas: Iov) -> None:
        self._areas = areas
        self._index = -1
        self.address = self.left = 0  # of the area under way
        self.advance(0)

    def advance(self, count: int) -> None:
        """Go on by `count` bytes, to where there are more; `left` is 0 at the end."""
        self.address += count
        self.left -= count
        while not self.left and self._index + 1 < len(self._areas):
            self._index += 1
            self.address, self.left = self._areas[self._index]


def move(task: Task, space: AddressSpace, ours: Cursor, theirs: Cursor, limit: int, write: bool) -> int:
    """Move up to `limit` bytes, a few pages at a time; return how many.  EFAULT: not even one"""
    memory, done = task.memory, 0
    while ours.left and theirs.left and done < limit:
        count = min(ours.left, theirs.left, STEP)
        try:  # the side that is written to first: its pages may be copied, and are perhaps those of the other side
            if write:
                into = views(space, theirs.address, count, True)
                count = copy(memory.views(ours.address, count, False), into)
            else:
                into = memory.views(ours.address, count, True)
                count = copy(views(space, theirs.address, count, False), into)
        except LinuxError:
            if done:
                return done
            raise LinuxError(EFAULT) from None
        ours.advance(count)
        theirs.advance(count)
        done += count
    return done


def copy(source: list[memoryview], target: list[memoryview]) -> int:
    """Copy bytes from views to views; return how many: as many as there are on both sides."""
    done = 0
    pieces = iter(source)
    piece = next(pieces)
    for view in target:
        while True:
            count = min(len(view), len(piece))
            view[:count] = piece[:count]
            done += count
            if count < len(piece):
                piece = piece[count:]
                break
            following = next(pieces, None)
            if following is None:
                return done
            piece = following
            if count == len(view):
                break
            view = view[count:]
    return done


async def move_in_turns(task: Task, space: AddressSpace, ours: Cursor, theirs: Cursor, write: bool) -> int:
    """Move all, letting others run in between; return how many bytes.  EFAULT: not even one"""
    done = 0
    while ours.left and theirs.left:
        try:
            count = move(task, space, ours, theirs, TURN, write)
        except LinuxError:
            if done:
                break
            raise
        done += count
        if count < TURN:
            break
        await task.give_way(interruptible=False)
    return done


@syscall("process_madvise", Fd("pidfd"), Areas("iovec", 2), Size("vlen"), Choice("advice", ADVICE), UInt("flags"))
def process_madvise(task: Task, pidfd: int, vector: int, count: int, advice: int, flags: int) -> int:
    """Advise about memory of the process of a pidfd; return the bytes that were seen to.

    Of others: MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED. EINVAL: flags, advice; EBADF; EACCES: it is private; EPERM;
    ESRCH; ENOMEM.  man 2 process_madvise
    """
    if flags:
        raise LinuxError(EINVAL)
    areas = load_iovec(task, vector, count)
    target = pidfd_process(task, pidfd).leader
    if target is None:
        raise LinuxError(ESRCH)
    if target.memory is not task.memory:
        if not may_read(task, target):
            raise LinuxError(EACCES)
        if not task.credentials.capable(CAP_SYS_NICE):
            raise LinuxError(EPERM)
        if advice not in HARMLESS:
            raise LinuxError(EINVAL)
    done = 0
    for base, length in areas:
        try:
            madvise(target.memory, base, length, advice)
        except LinuxError:
            if done:
                break
            raise
        done += length
    return done


@syscall("process_mrelease", Fd("pidfd"), UInt("flags"))
def process_mrelease(task: Task, pidfd: int, flags: int) -> int:
    """Take the memory of a process that was killed: it has none any more, because processes end at once.

    EINVAL: flags, or it lives; EBADF; ESRCH: it has ended.  man 2 process_mrelease
    """
    if flags:
        raise LinuxError(EINVAL)
    process = pidfd_process(task, pidfd)
    if process.leader is None:
        raise LinuxError(ESRCH)
    if process.exiting is None:
        raise LinuxError(EINVAL)
    return 0
