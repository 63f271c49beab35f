"""The system call table: a row is a call's number, handler, argument types, strace format and documentation.

A handler is declared once, for all ABIs:

    @syscall("pipe2", Out("fds", INT_PAIR), Flags("flags", PIPE_FLAGS))
    def pipe2(task: Task, fds: int, flags: int) -> int: ...

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
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

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


class Row:
    """One system call."""

    __slots__ = ("entries", "handler", "name", "note", "parameters", "restart", "support")

    def __init__(
        self, name: str, parameters: tuple[Parameter, ...], handler: Handler, restart: int, support: str, note: str
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.handler = handler
        self.restart = restart
        self.support = support
        self.note = note
        self.entries: dict[Abi, Entry] = {}

    def entry(self, abi: Abi) -> Entry:
        """Return a function (task, registers) that converts the arguments of `abi` and calls the handler."""
        entry = self.entries.get(abi)
        if entry is None:
            arguments = ", ".join(
                parameter.conversion.format(f"r[{register}]")
                for parameter, register in zip(self.parameters, abi.argument_registers, strict=False)
            )
            source = f"lambda task, r: handler(task, {arguments})"
            entry = self.entries[abi] = eval(source, {"handler": self.handler, **CONVERSIONS})
        return entry

    def arguments(self, abi: Abi, task: Task, registers: Registers) -> list[Any]:
        """Return the raw argument registers, for strace and diagnostics."""
        return [registers[number] for number in abi.argument_registers[: len(self.parameters)]]


def syscall(
    name: str, *parameters: Parameter, restart: int = RESTART, support: str = FULL, note: str = ""
) -> Callable[[H], H]:
    """Enter the decorated function into the table as `name`."""

    def register(handler: H) -> H:
        assert name not in ROWS, f"{name} has two rows"
        ROWS[name] = Row(name, parameters, handler, restart, support, note)
        return handler

    return register
