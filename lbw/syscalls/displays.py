"""Parameter types that strace shows as structures, arrays and sets.

The handlers get raw addresses (`Pointer`); only `show` knows the layout, and it runs only while tracing. An unreadable
address is shown as a number: `show` raises LinuxError then, and the tracer falls back.
"""

from __future__ import annotations

from lbw.syscalls.formats import show_sigset
from lbw.syscalls.parameters import Parameter, Pointer, signed
from lbw.syscalls.quoting import show_bytes, show_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task

#: Elements of an array that are shown.
LIMIT = 32


def argument(task: Task, index: int) -> int:
    """Return the raw argument in the argument register `index`."""
    abi = task.abi
    return task.context.registers[abi.argument_registers[index]] & (1 << 8 * abi.word) - 1


class Shown(Pointer):
    """A pointer whose target is shown by `target`; NULL is `NULL`, and out parameters of a failed call stay numbers."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        if not raw:
            return "NULL"
        if self.out and result < 0:
            return hex(raw)
        return self.target(task, raw, result)

    def target(self, task: Task, address: int, result: int) -> str:
        """Return what is at `address`.  LinuxError(EFAULT)"""
        raise NotImplementedError


class Timespec(Shown):
    """A struct timespec (or timeval) that the call reads; `count` of them form an array; `wide`: of a *_time64 call."""

    __slots__ = ("count", "micro", "wide")

    def __init__(self, name: str, count: int = 1, micro: bool = False, wide: bool = False) -> None:
        super().__init__(name)
        self.count = count
        self.micro = micro
        self.wide = wide

    def target(self, task: Task, address: int, result: int) -> str:
        abi = task.abi
        layout = abi.timeval if self.micro else abi.timespec64 if self.wide else abi.timespec
        fraction = "tv_usec" if self.micro else "tv_nsec"
        special = {} if self.micro else {(1 << 30) - 1: "UTIME_NOW", (1 << 30) - 2: "UTIME_OMIT"}
        shown = []
        for index in range(self.count):
            whole, part = task.memory.load(address + index * layout.size, layout)
            shown.append(special.get(part) or f"{{tv_sec={whole}, {fraction}={part}}}")
        return shown[0] if self.count == 1 else "[" + ", ".join(shown) + "]"


class OutTimespec(Timespec):
    """A struct timespec (or timeval) that the call fills in."""

    __slots__ = ()
    out = True


class OutInts(Shown):
    """An array of `count` C ints that the call fills in (pipe2), or one (accept)."""

    __slots__ = ("count",)
    out = True

    def __init__(self, name: str, count: int) -> None:
        super().__init__(name)
        self.count = count

    def target(self, task: Task, address: int, result: int) -> str:
        data = task.memory.read(address, 4 * self.count)
        return str([int.from_bytes(data[i : i + 4], "little", signed=True) for i in range(0, len(data), 4)])


class String(Shown):
    """A NUL-terminated string that the handler reads itself."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        return show_string(task, address, 4096)


class OutString(Shown):
    """A NUL-terminated string that the call fills in (getcwd)."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        return show_string(task, address, 4096)


class OutPath(Shown):
    """Bytes without a NUL, as many as the call returns (readlink)."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        return show_bytes(task, address, result, 4096)


class InBuffer(Pointer):
    """Bytes that the call reads; their number is the raw value of the argument at `length`."""

    __slots__ = ("length",)

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length  # argument index

    def show(self, task: Task, raw: int, result: int) -> str:
        return show_bytes(task, raw, argument(task, self.length)) if raw else "NULL"


class Areas(Shown):
    """An array of struct iovec about memory of another process; the argument at `length` is the number of elements."""

    __slots__ = ("length",)

    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length

    def target(self, task: Task, address: int, result: int) -> str:
        layout = task.abi.iovec
        count = argument(task, self.length)
        left = result if self.out else 1 << 62
        shown = []
        for index in range(min(count, LIMIT)):
            base, length = task.memory.load(address + index * layout.size, layout)
            shown.append(f"{{iov_base={self.area(task, base, min(length, left))}, iov_len={length}}}")
            left -= min(length, left)
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"

    def area(self, task: Task, base: int, length: int) -> str:
        """Return how an area is shown: its address."""
        return f"{base:#x}"


class Iovec(Areas):
    """An array of struct iovec; the next argument, at `length`, is the number of its elements."""

    __slots__ = ()

    def area(self, task: Task, base: int, length: int) -> str:
        """Return how an area is shown: the bytes in it."""
        return show_bytes(task, base, length)


class OutIovec(Iovec):
    """An array of struct iovec whose buffers the call fills in."""

    __slots__ = ()
    out = True


class Strings(Shown):
    """A NULL-terminated array of strings (argv); `summary` shows only their number (envp)."""

    __slots__ = ("summary",)

    def __init__(self, name: str, summary: bool = False) -> None:
        super().__init__(name)
        self.summary = summary

    def target(self, task: Task, address: int, result: int) -> str:
        word = task.abi.word
        pointers: list[int] = []
        while pointer := task.abi.pointer.unpack(task.memory.read(address + len(pointers) * word, word))[0]:
            pointers.append(pointer)
            if len(pointers) == 0x10000:
                break
        if self.summary:
            return f"{address:#x} /* {len(pointers)} vars */"
        shown = [show_string(task, pointer, 4096) for pointer in pointers[:LIMIT]]
        return "[" + ", ".join(shown) + (", ..." if len(pointers) > LIMIT else "") + "]"


class SigSet(Shown):
    """A signal set (64 bits)."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        return show_sigset(int.from_bytes(task.memory.read(address, 8), "little"))


class OutSigSet(SigSet):
    """A signal set that the call fills in."""

    __slots__ = ()
    out = True


class WaitStatus(Shown):
    """The status that wait4 stores, when it returns a child."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        from lbw.signals.names import signal_name

        if not result:
            return hex(address)
        status = task.memory.read_u32(address)
        if status == 0xFFFF:
            return "[{WIFCONTINUED(s)}]"
        if status & 0xFF == 0x7F:
            return f"[{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal_name(status >> 8 & 0xFF)}}}]"
        if status & 0x7F:
            dumped = " && WCOREDUMP(s)" if status & 0x80 else ""
            return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(status & 0x7F)}{dumped}}}]"
        return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}]"


class OutStruct(Shown):
    """A structure that the call fills in, formatted by `formatter(task, address)`."""

    __slots__ = ("formatter",)
    out = True

    def __init__(self, name: str, formatter: Callable[[Task, int], str]) -> None:
        super().__init__(name)
        self.formatter = formatter

    def target(self, task: Task, address: int, result: int) -> str:
        return self.formatter(task, address)


class InStruct(OutStruct):
    """A structure that the call reads, formatted by `formatter(task, address)`."""

    __slots__ = ()
    out = False


class Command(Parameter):
    """An ioctl request, by its name."""

    __slots__ = ()
    conversion = "{} & 0xFFFFFFFF"

    def show(self, task: Task, raw: int, result: int) -> str:
        from lbw.syscalls.flag_names import ioctl_names

        return ioctl_names().get(raw & 0xFFFFFFFF, hex(raw & 0xFFFFFFFF))


class DeviceNumber(Parameter):
    """A device number (dev_t), as makedev(3)."""

    __slots__ = ()
    conversion = "{} & 0xFFFFFFFF"

    def show(self, task: Task, raw: int, result: int) -> str:
        raw &= 0xFFFFFFFF
        return f"makedev({raw >> 8 & 0xFFF:#x}, {(raw & 0xFF) | (raw >> 12 & 0xFFF00):#x})" if raw else "0"


class Id(Parameter):
    """A user or group number; -1 means "leave it"."""

    __slots__ = ()
    conversion = "{} & 0xFFFFFFFF"

    def show(self, task: Task, raw: int, result: int) -> str:
        return str(signed(raw, 32))
