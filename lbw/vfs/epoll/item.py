"""One file that an epoll watches: struct epitem.

The item listens at the file's queue. A wake only puts it on the ready list; whether the file really is ready, `poll`
says when the list is fetched. It is known by the open description *and* the descriptor number: a copy of the descriptor
(dup, fork) keeps it alive, another number can be added beside it, and it goes when the last descriptor of the
description is closed, not when this one is.  man 7 epoll, "Questions and answers"
"""

from __future__ import annotations

from lbw.abi.poll import (
    EPOLLERR,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLOUT,
    EPOLLWAKEUP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.epoll.epoll import Epoll
    from lbw.vfs.file import File
    from lbw.waiting import WaitQueue

#: Flags that say how to watch, not what for.
HOW = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE
#: What nobody has to ask for.
ALWAYS = EPOLLERR | EPOLLHUP


class EpollItem:
    """A description that `epoll` watches as `fd`, for `events`; `data` is the guest's."""

    __slots__ = ("data", "epoll", "events", "fd", "file", "queue", "queued")

    def __init__(self, epoll: Epoll, file: File, fd: int, queue: WaitQueue, events: int, data: int) -> None:
        self.epoll = epoll
        self.file = file
        self.fd = fd
        self.queue = queue
        self.events = events  # with ALWAYS; after a one-shot report only HOW
        self.data = data
        self.queued = False  # on the ready list
        queue.listen(self, bool(events & EPOLLEXCLUSIVE))
        if file.epolls is None:
            file.epolls = set()
        file.epolls.add(self)

    def ready(self) -> int:
        """Return which of the wanted events hold now."""
        return self.file.poll() & self.events & ~HOW

    def notify(self, events: int) -> bool:
        """Go to the ready list; return whether that woke somebody who is the right one for it."""
        wanted = self.events
        if not wanted & ~HOW or (events and not events & wanted):
            return False
        woken = self.epoll.announce(self)
        if not wanted & EPOLLEXCLUSIVE:
            return True
        direction = events & (EPOLLIN | EPOLLOUT)
        return woken and (not direction or (direction != EPOLLIN | EPOLLOUT and bool(direction & wanted)))

    def disarm(self) -> None:
        """Report nothing more until EPOLL_CTL_MOD: the one shot is over."""
        self.events &= HOW

    def remove(self) -> None:
        """Watch no more."""
        self.queue.unlisten(self)
        if self.file.epolls is not None:
            self.file.epolls.discard(self)
        self.epoll.forget(self)
