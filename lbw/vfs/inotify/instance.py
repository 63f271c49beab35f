"""An inotify instance: a queue of events, and the watches that feed it.  man 7 inotify

An event is stored as (watch descriptor, mask, cookie, name). One that equals the last in the queue is dropped, whatever
its cookie; when the queue is full, a single IN_Q_OVERFLOW stands for all that is lost. Watch descriptors count up from
1 and are not used again, so that a late event of a removed watch is never taken for one of another.
"""

from __future__ import annotations

from collections import deque

from lbw.abi.errno import EAGAIN, EBADF, EINVAL, ESPIPE, LinuxError
from lbw.abi.fcntl import O_NONBLOCK, O_RDONLY
from lbw.abi.inotify import IN_ALL_EVENTS, IN_EXCL_UNLINK, IN_IGNORED, IN_ONESHOT, IN_Q_OVERFLOW, INOTIFY_EVENT
from lbw.abi.ioctl import FIONREAD
from lbw.abi.poll import POLLIN, POLLRDNORM
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.file import scatter
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode
    from lbw.vfs.inotify.notifier import Notifier

_INODE = SharedInode(b"anon_inode:inotify")
_READABLE = POLLIN | POLLRDNORM


class Watch:
    """What an instance wants to hear of an inode."""

    __slots__ = ("inode", "instance", "mask", "wd")

    def __init__(self, instance: Inotify, wd: int, inode: Inode, mask: int) -> None:
        self.instance = instance
        self.wd = wd
        self.inode = inode
        self.mask = mask  # IN_ALL_EVENTS, IN_ONESHOT and IN_EXCL_UNLINK

    def tell(self, mask: int, cookie: int = 0, name: bytes = b"", unlinked: bool = False) -> None:
        """Queue the event `mask` if it is wanted; `unlinked`: it happened through a name that is gone."""
        wanted = self.mask
        if not mask & wanted & IN_ALL_EVENTS or (unlinked and wanted & IN_EXCL_UNLINK):
            return
        self.instance.post(self.wd, mask, cookie, name)
        if wanted & IN_ONESHOT:
            self.instance.remove(self)


class Inotify(AnonymousFile):
    """An open inotify description of user `uid`."""

    __slots__ = ("_events", "_last_wd", "_most", "_notifier", "queue", "uid", "watches")

    def __init__(self, notifier: Notifier, uid: int, flags: int) -> None:
        super().__init__(_INODE, O_RDONLY | flags & O_NONBLOCK)
        self._notifier = notifier
        self.uid = uid
        self.queue: WaitQueue = WaitQueue()
        self.watches: dict[int, Watch] = {}
        self._events: deque[tuple[int, int, int, bytes]] = deque()
        self._last_wd = 0
        self._most = notifier.limits.queued_events

    def close(self) -> None:
        for watch in self.watches.values():
            self._notifier.drop(watch)
        self.watches.clear()
        self._notifier.instance_closed(self)

    # Watches

    def add(self, inode: Inode, mask: int) -> Watch:
        """Watch `inode`, which this instance does not watch yet.  ENOSPC"""
        watch = Watch(self, self._last_wd + 1, inode, mask)
        self._notifier.enter(watch)
        self._last_wd += 1
        self.watches[watch.wd] = watch
        return watch

    def remove(self, watch: Watch) -> None:
        """End a watch, whoever wants that, and say so (IN_IGNORED)."""
        if self.watches.pop(watch.wd, None) is not None:
            self._notifier.drop(watch)
            self.post(watch.wd, IN_IGNORED, 0, b"")

    # Events

    def post(self, wd: int, mask: int, cookie: int, name: bytes) -> None:
        """Queue an event."""
        events = self._events
        if len(events) >= self._most:
            if len(events) > self._most:
                return  # the last one says already that some are lost
            wd, mask, cookie, name = -1, IN_Q_OVERFLOW, 0, b""
        elif events:
            last = events[-1]
            if last[1] == mask and last[0] == wd and last[3] == name and mask != IN_IGNORED:
                return
        events.append((wd, mask, cookie, name))
        self.queue.wake_all(_READABLE)

    def read(self, views: list[memoryview]) -> int:
        """Take as many whole events as fit.  EAGAIN: there is none; EINVAL: the first does not fit"""
        events = self._events
        if not events:
            raise LinuxError(EAGAIN)
        room, records = sum(map(len, views)), []
        while events:
            record = record_of(events[0])
            room -= len(record)
            if room < 0:
                break
            records.append(record)
            events.popleft()
        if not records:
            raise LinuxError(EINVAL)
        return scatter(b"".join(records), views)

    def poll(self) -> int:
        return _READABLE if self._events else 0

    # The rest

    def write(self, views: list[memoryview]) -> int:
        """EBADF."""
        raise LinuxError(EBADF)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """ESPIPE."""
        raise LinuxError(ESPIPE)

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        if request == FIONREAD:
            memory.write(argument, sum([len(record_of(event)) for event in self._events]).to_bytes(4, "little"))
            return 0
        return super().ioctl(request, argument, memory)

    def fdinfo(self) -> bytes:
        lines = []
        for watch in reversed(self.watches.values()):
            found = watch.inode.recent()
            lines.append(
                b"inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0 \n" % (watch.wd, found.ino, found.dev, watch.mask)
            )
        return b"".join(lines)


def record_of(event: tuple[int, int, int, bytes]) -> bytes:
    """Return a struct inotify_event; a name ends with NULs up to a multiple of the structure's size."""
    wd, mask, cookie, name = event
    size = INOTIFY_EVENT.size
    length = (len(name) + size) // size * size if name else 0
    return INOTIFY_EVENT.pack(wd, mask, cookie, length) + name.ljust(length, b"\0")
