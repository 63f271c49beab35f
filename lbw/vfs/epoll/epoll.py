"""epoll: a set of files, and the list of those that may be ready.  man 7 epoll

Each file has an item (`lbw.vfs.epoll.item`) that hears of every wake of the file's queue and puts itself on the ready
list. Fetching takes items from the front, asks each whether it is ready, and drops those that are not; so it costs what
is on the list, however many files there are. Level, edge and one-shot differ only in what follows a report:

- level: the item goes to the end of the list again, and is asked again at the next fetch. Because it is the end, a file
  that is always ready does not starve others when a caller takes few events at a time;
- edge: it comes back with the next wake of the file;
- one-shot: it is disarmed until EPOLL_CTL_MOD.

Fetching has two steps, `take` and `settle`, because storing the events in guest memory may fail in between: what was
not stored stays first on the list, unchanged.

One wake of a file wakes one of those who sleep in epoll_wait here (`sleepers`). Whoever leaves the list with something
on it wakes the next, and so does a sleeper who goes without having looked (a signal). An epoll is a file itself, and
readable while something on its list is ready; those who poll it, other epolls among them, wait on its `queue`.

The guards of Linux against endless wakes stand in `lbw.vfs.epoll.nesting`.
"""

from __future__ import annotations

from collections import deque

from lbw.abi.errno import EEXIST, EINVAL, ENOENT, LinuxError
from lbw.abi.fcntl import O_RDWR
from lbw.abi.poll import EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, POLLIN, POLLRDNORM
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.epoll.item import ALWAYS, EpollItem
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.epoll.account import WatchAccount
    from lbw.vfs.file import File, GuestMemory

_INODE = SharedInode(b"anon_inode:[eventpoll]")
_READABLE = POLLIN | POLLRDNORM


class Epoll(AnonymousFile):
    """An open epoll description; its items are charged to its maker, `uid`."""

    __slots__ = ("_account", "_ready", "_uid", "items", "queue", "sleepers")

    def __init__(self, account: WatchAccount, uid: int) -> None:
        super().__init__(_INODE, O_RDWR)
        self._account = account
        self._uid = uid
        self._ready: deque[EpollItem] = deque()
        self.items: dict[tuple[int, File], EpollItem] = {}
        self.queue: WaitQueue = WaitQueue()  # those who poll this epoll
        self.sleepers = WaitQueue()  # those who are in epoll_wait

    # What is watched

    def add(self, fd: int, file: File, events: int, data: int) -> None:
        """Watch `file` as `fd`.  EEXIST; ENOSPC: the user has too many watches; the file is one that has a queue"""
        if (fd, file) in self.items:
            raise LinuxError(EEXIST)
        assert file.queue is not None
        self._account.charge(self._uid, 1)
        item = self.items[fd, file] = EpollItem(self, file, fd, file.queue, events | ALWAYS, data)
        if item.ready():
            self.announce(item)

    def modify(self, fd: int, file: File, events: int, data: int) -> None:
        """Watch for other events, and rearm a one-shot.  ENOENT; EINVAL: an exclusive item is never changed"""
        item = self.find(fd, file)
        if item.events & EPOLLEXCLUSIVE:
            raise LinuxError(EINVAL)
        item.events = events | ALWAYS
        item.data = data
        if item.ready():
            self.announce(item)

    def find(self, fd: int, file: File) -> EpollItem:
        """Return the item of a description under a number.  ENOENT"""
        item = self.items.get((fd, file))
        if item is None:
            raise LinuxError(ENOENT)
        return item

    def forget(self, item: EpollItem) -> None:
        """Drop `item`, which listens no more."""
        if self.items.pop((item.fd, item.file), None) is not None:
            self._account.charge(self._uid, -1)
        if item.queued:
            item.queued = False
            self._ready.remove(item)

    def close(self) -> None:
        for item in list(self.items.values()):
            item.remove()

    # What is ready

    def announce(self, item: EpollItem) -> bool:
        """Put `item` on the ready list; return whether that woke somebody in epoll_wait."""
        if not item.queued:
            item.queued = True
            self._ready.append(item)
        woken = self.sleepers.wake(1) > 0
        self.queue.wake_all(_READABLE)
        return woken

    def take(self, limit: int) -> list[tuple[EpollItem, int]]:
        """Take up to `limit` ready items from the list, with their events; `settle` must follow at once."""
        ready = self._ready
        taken: list[tuple[EpollItem, int]] = []
        for _ in range(len(ready)):
            item = ready.popleft()
            item.queued = False
            events = item.ready()
            if events:
                taken.append((item, events))
                if len(taken) == limit:
                    break
        return taken

    def settle(self, taken: list[tuple[EpollItem, int]], reported: int) -> None:
        """Note that the first `reported` of `taken` were told to the guest; the others stay first on the list."""
        ready = self._ready
        for item, _ in taken[:reported]:
            events = item.events
            if events & EPOLLONESHOT:
                item.disarm()
            elif not events & EPOLLET and not item.queued:
                item.queued = True
                ready.append(item)
        for item, _ in reversed(taken[reported:]):
            if not item.queued:
                item.queued = True
                ready.appendleft(item)
        self.pass_on()

    def pass_on(self) -> None:
        """Let the next sleeper look at what is on the list."""
        if self._ready:
            self.sleepers.wake(1)

    def poll(self) -> int:
        ready = self._ready
        while ready:
            item = ready[0]
            if item.ready():
                return _READABLE
            if ready and ready[0] is item:  # looking at it may have put others on the list, but only behind
                ready.popleft()
                item.queued = False
        return 0

    # The rest

    def fdinfo(self) -> bytes:
        return b"".join(
            [
                b"tfd: %8d events: %8x data: %16x  pos:%d ino:%x sdev:%x\n"
                % (fd, item.events, item.data, file.offset, file.inode.stat().ino, file.inode.fs.dev)
                for (fd, file), item in sorted(self.items.items(), key=lambda entry: entry[0][0])
            ]
        )

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        """EINVAL: no parameters of busy polling."""
        raise LinuxError(EINVAL)
