"""The system call table: a row is a call's number, handler, argument types, strace format and documentation.

A handler is declared once, for all ABIs:

    @syscall("pipe2", Out("fds", INT_PAIR), Flags("flags", PIPE_FLAGS))
    def pipe2(task: Task, fds: int, flags: int) -> int: ...

An ABI whose call of that name takes other arguments or layouts, or that has calls of its own, has a row of its own for
it (`variant`), mostly with the same handler:

    variant(I386, "fstat64", fstat, Fd("fd"), OutStruct("statbuf", show_stat64), fixed=(store_stat64,))

The parameters convert the raw registers before the handler runs (sign extension, paths read from guest memory) and
format them for strace. A handler returns an integer, or, when it has to wait, an awaitable of one: so a call that
can block costs nothing extra while it does not (`return wait_for_input(task, file)` where `wait_for_input` is an
`async def`). It raises `LinuxError`, which the dispatcher turns into `-errno`.

`restart` says what happens when a signal interrupts the wait (man 7 signal, "Interruption of system calls"):
RESTART    restarted if the handler has SA_RESTART, else EINTR (read, wait4, ...)
NO_HANDLER restarted only when no handler runs, else EINTR (pause, poll, select, ...)
NEVER      always EINTR
"""

from __future__ import annotations

from lbw.kernel.restart import NEVER as NEVER
from lbw.kernel.restart import NO_HANDLER as NO_HANDLER
from lbw.kernel.restart import RESTART as RESTART
from lbw.syscalls.parameters import CONVERSIONS, Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import TypeVar

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Registers
    from lbw.kernel.task import Task

    Handler = Callable[..., "int | Awaitable[int]"]
    Entry = Callable[["Task", Registers], "int | Awaitable[int]"]
    H = TypeVar("H", bound="Handler")

#: Support levels, for docs/coverage.md.
FULL, PARTIAL = "full", "partial"

#: The rows of all calls that lbw has, by name.
ROWS: dict[str, Row] = {}

#: The rows that an ABI has beside those, or in their place: by the name of the ABI, then by name.
VARIANTS: dict[str, dict[str, Row]] = {}


class Row:
    """One system call."""

    __slots__ = ("entries", "fixed", "handler", "name", "note", "parameters", "restart", "support")

    def __init__(
        self, name: str, parameters: tuple[Parameter, ...], handler: Handler, restart: int, support: str, note: str,
        fixed: tuple[object, ...] = (),
    ) -> None:  # fmt: skip
        self.name = name
        self.parameters = parameters
        self.fixed = fixed  # what the handler gets behind the arguments
        self.handler = handler
        self.restart = restart
        self.support = support
        self.note = note
        self.entries: dict[Abi, Entry] = {}

    def entry(self, abi: Abi) -> Entry:
        """Return a function (task, registers) that converts the arguments of `abi` and calls the handler."""
        entry = self.entries.get(abi)
        if entry is None:
            arguments = [
                parameter.expression(abi, registers) for parameter, registers in self._registers(abi)
            ]  # fmt: skip
            fixed = {f"fixed{index}": value for index, value in enumerate(self.fixed)}
            source = f"lambda task, r: handler(task, {', '.join([*arguments, *fixed])})"
            entry = self.entries[abi] = eval(source, {"handler": self.handler, **CONVERSIONS, **fixed})
        return entry

    def arguments(self, abi: Abi, task: Task, registers: Registers) -> list[int]:
        """Return the raw arguments, for strace and diagnostics."""
        mask = (1 << 8 * abi.word) - 1
        return [
            parameter.join([registers[number] & mask for number in numbers], 8 * abi.word)
            for parameter, numbers in self._registers(abi)
        ]

    def _registers(self, abi: Abi) -> Iterator[tuple[Parameter, tuple[int, ...]]]:
        """Yield each parameter with the numbers of the registers that hold it."""
        position = 0
        for parameter in self.parameters:
            end = position + parameter.words(abi)
            yield parameter, abi.argument_registers[position:end]
            position = end


def syscall(
    name: str, *parameters: Parameter, restart: int = RESTART, support: str = FULL, note: str = ""
) -> Callable[[H], H]:
    """Enter the decorated function into the table as `name`."""

    def register(handler: H) -> H:
        assert name not in ROWS, f"{name} has two rows"
        ROWS[name] = Row(name, parameters, handler, restart, support, note)
        return handler

    return register


def variant(
    abi: Abi, name: str, handler: Handler, *parameters: Parameter, fixed: tuple[object, ...] = (), of: str | None = None
) -> None:
    """Enter `name` into the table of `abi` alone, with a handler that has a row already; `of`: which, if several.

    `fixed` are values that the handler gets behind its arguments. Without parameters those of the other row count.
    """
    rows = VARIANTS.setdefault(abi.name, {})
    assert name not in rows, f"{name} has two rows"
    known = ROWS[of] if of is not None else next(row for row in ROWS.values() if row.handler is handler)
    rows[name] = Row(
        name, parameters or known.parameters, handler, known.restart, known.support, known.note, fixed
    )  # fmt: skip


def own_call(
    abi: Abi, name: str, *parameters: Parameter, restart: int = RESTART, support: str = FULL, note: str = ""
) -> Callable[[H], H]:
    """Enter the decorated function as `name` into the table of `abi` alone."""

    def register(handler: H) -> H:
        rows = VARIANTS.setdefault(abi.name, {})
        assert name not in rows, f"{name} has two rows"
        rows[name] = Row(name, parameters, handler, restart, support, note)
        return handler

    return register


def rows_of(abi: Abi) -> dict[str, Row]:
    """Return the rows of the calls that `abi` has, by name, of the modules that are loaded."""
    return {
        name: row for name, row in {**ROWS, **VARIANTS.get(abi.name, {})}.items() if name in abi.numbers
    }  # fmt: skip
