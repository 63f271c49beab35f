"""How strace shows the arguments of epoll."""

from __future__ import annotations

from lbw.abi import poll
from lbw.syscalls.displays import LIMIT, Shown, argument
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

CREATE_FLAGS = named(poll, "EPOLL_CLOEXEC")
OPERATIONS = named(poll, "EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD")
EVENTS = named(
    poll,
    "EPOLLIN EPOLLPRI EPOLLOUT EPOLLRDNORM EPOLLRDBAND EPOLLWRNORM EPOLLWRBAND EPOLLMSG EPOLLERR EPOLLHUP EPOLLRDHUP"
    " EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET",
)


def show_event(data: bytes) -> str:
    """Return a struct epoll_event."""
    events, low, whole = (int.from_bytes(part, "little") for part in (data[:4], data[4:8], data[4:]))
    return f"{{events={show_bits(events, EVENTS)}, data={{u32={low}, u64={whole}}}}}"


class EpollEvent(Shown):
    """The struct epoll_event that epoll_ctl reads; EPOLL_CTL_DEL does not."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        if argument(task, 1) & 0xFFFFFFFF == poll.EPOLL_CTL_DEL:
            return hex(address)
        return show_event(task.memory.read(address, 12))


class EpollEvents(Shown):
    """The array of struct epoll_event that a wait fills in."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        shown = [show_event(task.memory.read(address + 12 * index, 12)) for index in range(min(result, LIMIT))]
        return "[" + ", ".join(shown) + (", ..." if result > LIMIT else "") + "]"
