"""How strace shows arrays and sets: of poll and select, and the records of directories."""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.syscalls.displays import LIMIT, Shown, argument
from lbw.syscalls.formats import show_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


class PollFds(Shown):
    """An array of struct pollfd; the next argument is its length. `revents` is shown once it is known."""

    __slots__ = ()
    again = True

    def target(self, task: Task, address: int, result: int) -> str:
        from lbw.syscalls.flag_names import POLL_EVENTS

        layout = task.abi.pollfd
        count = argument(task, 1) & 0xFFFFFFFF
        shown = []
        for index in range(min(count, LIMIT)):
            fd, events, revents = task.memory.load(address + index * layout.size, layout)
            happened = f", revents={show_bits(revents & 0xFFFF, POLL_EVENTS)}" if result > 0 and revents else ""
            shown.append(f"{{fd={fd}, events={show_bits(events & 0xFFFF, POLL_EVENTS)}{happened}}}")
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"


class FdSet(Shown):
    """A set of descriptors of select; its size is the first argument."""

    __slots__ = ()
    again = True

    def target(self, task: Task, address: int, result: int) -> str:
        count = argument(task, 0) & 0x7FFFFFFF
        bits = int.from_bytes(task.memory.read(address, (min(count, 1024) + 7) // 8), "little")
        return "[" + " ".join(str(fd) for fd in range(min(count, 1024)) if bits >> fd & 1) + "]"


class Dirents(Shown):
    """The records of getdents (`old`: ino and off are words) or getdents64, counted."""

    __slots__ = ("old",)
    out = True

    def __init__(self, name: str, old: bool = False) -> None:
        super().__init__(name)
        self.old = old

    def target(self, task: Task, address: int, result: int) -> str:
        data = task.memory.read(address, result)
        head = 2 * task.abi.word if self.old else 16
        count = position = 0
        while position + head + 2 <= len(data):
            position += int.from_bytes(data[position + head : position + head + 2], "little") or len(data)
            count += 1
        return f"{address:#x} /* {count} entries */"


class OutBits(Shown):
    """Bytes of which the lowest bit counts, one for each page of what the argument at `length` says (mincore)."""

    __slots__ = ("length",)
    out = True

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length

    def target(self, task: Task, address: int, result: int) -> str:
        count = argument(task, self.length) + PAGE - 1 >> 12
        data = task.memory.read(address, min(count, LIMIT))
        return "[" + ", ".join(str(byte & 1) for byte in data) + (", ..." if count > LIMIT else "") + "]"
