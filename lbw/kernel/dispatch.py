"""Dispatch: from a system call's number to its result.

`SyscallTable.entries` is what the run loop indexes: one function (task, registers) for each number, missing calls
included, so that the loop has no case to distinguish. An observer (strace) is chosen once: its table holds wrapped
entries, and a table without one costs nothing for it.

Results. `LinuxError` becomes `-errno` here and in the run loop, nowhere else. Any other exception in a handler is a
bug of lbw: it is reported in one line (with its traceback when LBW_DEBUG is set) and the guest gets EIO; lbw goes on.
"""

from __future__ import annotations

from types import CoroutineType

from lbw.abi.errno import EIO, ENOMEM, ENOSYS, LinuxError
from lbw.cpu.contracts import RAX, RIP, RSP
from lbw.errors import LbwError
from lbw.kernel.task import READY, SIGNAL, Interrupted, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Protocol

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Registers
    from lbw.kernel.process import Process
    from lbw.signals.siginfo import SigInfo

    Entry = Callable[[Task, Registers], int | Awaitable[int]]

    class Row(Protocol):
        """What the kernel needs of a row of `lbw.syscalls.table`."""

        name: str
        restart: int

        def entry(self, abi: Abi) -> Entry:
            """Return the function that converts the arguments and calls the handler."""

    class Observer(Protocol):
        """Sees every system call, every signal that is delivered and every end of a process (strace)."""

        def enter(self, task: Task, row: Row, registers: Registers) -> object:
            """A call begins; the returned object is handed back to the other methods."""

        def block(self, task: Task, row: Row, token: object) -> None:
            """The call waits: other tasks may run before it returns."""

        def leave(self, task: Task, row: Row, token: object, result: int | None) -> None:
            """The call returns `result` (negative: -errno); None: a signal interrupted it, it may restart."""

        def signal(self, task: Task, info: SigInfo) -> None:
            """A signal was taken from its queue, to be acted upon."""

        def exited(self, process: Process) -> None:
            """A process has ended; its `exit_status` is set."""


class StrictStop(LbwError):
    """`strict` was asked for, and the guest used what lbw does not have."""


class SyscallTable:
    """The system calls of an ABI: rows, entries and call counts, by number."""

    __slots__ = ("abi", "calls", "entries", "names", "reported", "rows")

    def __init__(self, abi: Abi, rows: Sequence[Row | None], observer: Observer | None = None) -> None:
        self.abi = abi
        self.rows = rows
        self.calls = [0] * len(rows)
        self.reported: set[str] = set()  # unknown calls that were named already
        self.entries: list[Entry] = [unknown_call] * len(rows)
        for number, row in enumerate(rows):
            if row is not None:
                self.entries[number] = self.first_call(number, row, observer)

    def first_call(self, number: int, row: Row, observer: Observer | None) -> Entry:
        """Return an entry that makes the real one when it is called: most calls are never used in a run."""

        def make(task: Task, registers: Registers) -> int | Awaitable[int]:
            entry = row.entry(self.abi)
            if observer is not None:
                entry = observed(row, entry, observer)
            self.entries[number] = entry
            return entry(task, registers)

        return make

    def name(self, number: int) -> str:
        """Return the name of a call, also of one that lbw lacks."""
        for name, value in self.abi.numbers.items():
            if value == number:
                return name
        return f"syscall_{number:#x}"


def unknown_call(task: Task, registers: Registers) -> int:
    """Name an unknown call once and answer ENOSYS; with `strict`, stop everything.  StrictStop"""
    number = registers[RAX]
    name = task.kernel.tables[task.abi].name(number)
    arguments = [registers[register] for register in task.abi.argument_registers]
    report_unknown(task, f"{number} {name}", arguments)
    return -ENOSYS


def report_unknown(task: Task, name: str, arguments: Sequence[int]) -> None:
    """Name an unknown call, once for each `name`; with `strict`, stop everything.  StrictStop"""
    kernel = task.kernel
    table = kernel.tables[task.abi]
    if kernel.strict or name not in table.reported:
        table.reported.add(name)
        shown = ", ".join(map(hex, arguments))
        program = task.comm.decode(errors="replace")
        text = f"{program}[{task.process.pid}]: unknown system call {name}({shown})"
        if kernel.strict:
            raise StrictStop(f"{text}\n{register_dump(task)}")
        kernel.report(text)


_NAMES = tuple("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip".split())  # noqa: SIM905 (readable)


def register_dump(task: Task) -> str:
    """Return the integer registers, four in a line."""
    registers = task.context.registers
    cells = [f"{name:>3} {registers[number]:016x}" for number, name in enumerate(_NAMES)]
    return "\n".join("  ".join(cells[i : i + 4]) for i in range(0, len(cells), 4))


def begin_call(task: Task, number: int, result: int | Awaitable[int]) -> int | None:
    """Start a call whose handler returned an awaitable; return its result, or None when it waits or was interrupted."""
    if isinstance(result, int):  # a bool or an IntEnum
        return int(result)
    if not isinstance(result, CoroutineType):
        return handler_failed(task, number, TypeError(f"the handler returned {type(result).__name__}"))
    task.coroutine = result
    task.call = number
    return continue_call(task)


def continue_call(task: Task) -> int | None:
    """Run the waiting call of `task` until its end or its next wait; return as `begin_call` does."""
    coroutine = task.coroutine
    assert coroutine is not None
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: int = stop.value
    except Interrupted as interruption:
        row = task.kernel.tables[task.abi].rows[task.call]
        task.coroutine = None
        rule = interruption.rule
        task.interrupted = rule if rule is not None else row.restart if row is not None else 0
        task.attention |= SIGNAL
        return None
    except LinuxError as error:
        result = -error.errno
    except StrictStop:
        raise
    except Exception as error:
        result = handler_failed(task, task.call, error)
    else:
        if task.state == READY:  # it gave the processor away without waiting for anything
            task.kernel.scheduler.give_way(task)
            task.kernel.tick()
        return None
    task.coroutine = None
    task.restart_call = None
    return result


def handler_failed(task: Task, number: int, error: Exception) -> int:
    """Report an exception that is no LinuxError; return the guest's result."""
    if isinstance(error, MemoryError):
        return -ENOMEM
    if isinstance(error, LbwError):
        raise error
    kernel = task.kernel
    name = kernel.tables[task.abi].name(number)
    where = _innermost(error)
    kernel.report(f"bug in {name} for {task.comm.decode(errors='replace')}[{task.process.pid}]: {error!r}{where}")
    from os import environ

    if environ.get("LBW_DEBUG"):
        from traceback import format_exception

        kernel.report("".join(format_exception(error)))
    return -EIO


def _innermost(error: Exception) -> str:
    """Return where `error` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""


def observed(row: Row, entry: Entry, observer: Observer) -> Entry:
    """Return `entry` with `observer` around it."""

    async def rest(task: Task, token: object, waiting: Awaitable[int]) -> int:
        observer.block(task, row, token)
        try:
            result = await waiting
        except LinuxError as error:
            observer.leave(task, row, token, -error.errno)
            raise
        except Interrupted:
            observer.leave(task, row, token, None)
            raise
        observer.leave(task, row, token, result)
        return result

    def call(task: Task, registers: Registers) -> int | Awaitable[int]:
        token = observer.enter(task, row, registers)
        try:
            result = entry(task, registers)
        except LinuxError as error:
            observer.leave(task, row, token, -error.errno)
            raise
        if isinstance(result, int):
            observer.leave(task, row, token, result)
            return result
        return rest(task, token, result)

    return call


assert RSP == 4 and RIP == 16  # the order of _NAMES
