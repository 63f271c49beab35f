"""signalfd: signals that are read instead of delivered.  man 2 signalfd

The description holds nothing but a set of signals. What is read are pending signals of *the task that reads*, its own
first, then its process's, in the order in which they would be delivered; readiness, too, is that of the task that asks.
So a signalfd that is inherited, or sent to another process, shows each process its own signals.

`notice` is called for each signal that becomes pending, and wakes who waits for it. That is wider
than Linux, where an epoll hears only of the process that added the descriptor: whoever is woken looks at its own
signals, finds none, and sleeps again.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.abi.eventfd import SIGNALFD_SIGINFO
from lbw.abi.fcntl import O_RDWR
from lbw.abi.poll import POLLIN
from lbw.kernel.signal_delivery import dequeue
from lbw.kernel.signal_send import recalculate
from lbw.signals.siginfo import CHILD, FAULT, POLL, RT, SYS, TIMER, layout_of
from lbw.signals.sigset import FULL, UNBLOCKABLE
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.file import scatter
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.signals.siginfo import SigInfo

_INODE = SharedInode(b"anon_inode:[signalfd]")
_ARCH = 0xC000003E  # AUDIT_ARCH_X86_64


class SignalFile(AnonymousFile):
    """An open signalfd for the signals of `mask`."""

    __slots__ = ("_kernel", "mask", "queue")

    def __init__(self, kernel: Kernel, mask: int, flags: int) -> None:
        super().__init__(_INODE, O_RDWR | flags)
        self._kernel = kernel
        self.mask = mask & ~UNBLOCKABLE
        self.queue: WaitQueue = WaitQueue()
        kernel.signal_files[self] = None

    def close(self) -> None:
        del self._kernel.signal_files[self]

    def notice(self, flag: int) -> None:
        """A signal, the set of which is `flag`, has become pending somewhere."""
        if self.mask & flag:
            self.queue.wake_all(POLLIN)

    def set_mask(self, mask: int) -> None:
        """Read the signals of `mask` from now on."""
        self.mask = mask & ~UNBLOCKABLE
        self.queue.wake_all(POLLIN)

    def read(self, views: list[memoryview]) -> int:
        """Take pending signals of the running task, as many as fit.  EINVAL: none fits; EAGAIN: none is pending"""
        room = sum(map(len, views)) // SIGNALFD_SIGINFO.size
        if not room:
            raise LinuxError(EINVAL)
        task = self._kernel.current
        assert task is not None
        records: list[bytes] = []
        while len(records) < room:
            info = dequeue(task, FULL & ~self.mask)
            if info is None:
                break
            records.append(record_of(info))
        if not records:
            raise LinuxError(EAGAIN)
        recalculate(task)
        return scatter(b"".join(records), views)

    def poll(self) -> int:
        task = self._kernel.current
        if task is None:
            return 0
        return POLLIN if (task.signals.pending.mask | task.process.pending.mask) & self.mask else 0

    def fdinfo(self) -> bytes:
        return b"sigmask:\t%016x\n" % self.mask


def record_of(info: SigInfo) -> bytes:
    """Return the struct signalfd_siginfo of a signal; what its kind does not have is zero."""
    layout = layout_of(info.signo, info.code)
    pid = uid = fd = timer = band = overrun = status = value = utime = stime = address = call = place = arch = 0
    if layout == TIMER:
        timer, overrun, value = info.timer, info.overrun, info.value
    elif layout == POLL:
        band, fd = info.band, info.fd
    elif layout == FAULT:
        address = info.address
    elif layout == SYS:
        place, call, arch = info.address, info.status, _ARCH
    else:
        pid, uid = info.pid, info.uid
        if layout == CHILD:
            status, utime, stime = info.status, info.utime, info.stime
        elif layout == RT:
            value = info.value
    number = (value & 0xFFFFFFFF ^ 0x8000_0000) - 0x8000_0000
    return SIGNALFD_SIGINFO.pack(
        info.signo, info.errno, info.code, pid & 0xFFFFFFFF, uid, fd, timer & 0xFFFFFFFF, band & 0xFFFFFFFF, overrun, 0,
        status, number, value, utime, stime, address, 0, 0, call, place, arch,
    )  # fmt: skip
