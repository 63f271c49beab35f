"""strace: every system call of every guest, one line each, from the rows of the table.

    12 openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
    12 read(3, "root:x:0:0:root:/root:/bin/bash\\n"..., 4096) = 1024
    12 unlink("nosuch") = -1 ENOENT (No such file or directory)

The dispatcher calls `enter` and `leave`, and `block` between them when the call has to wait. Arguments that the
kernel fills in are shown after the call. A call that waits stands as an open line; when another task has something
to say meanwhile, the line is closed with `<unfinished ...>` and taken up by `<... resumed>` later. Nothing here runs
while nobody traces.

A `show` that meets a bad address is replaced by the bare number: tracing never changes what the guest sees.
"""

from __future__ import annotations

import sys

from lbw.abi import signal as signal_abi
from lbw.abi.errno import NAMES, LinuxError
from lbw.errors import UsageError
from lbw.signals.names import signal_name
from lbw.signals.siginfo import CHILD, FAULT, KILL, RT, SigInfo, layout_of
from lbw.syscalls.table import Row as TableRow
from lbw.trace.errors import error_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from lbw.cpu.contracts import Registers
    from lbw.kernel.dispatch import Row
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.syscalls.parameters import Parameter

#: Calls whose result is an address.
ADDRESSES = frozenset(("mmap", "mmap2", "brk", "mremap", "shmat"))
#: Calls that do not return.
FINAL = frozenset(("exit", "exit_group"))
#: What an interrupted call shows as, by restart rule.
INTERRUPTED = (
    "? ERESTARTSYS (To be restarted if SA_RESTART is set)",
    "? ERESTARTNOHAND (To be restarted if no handler)",
    "-1 EINTR (Interrupted system call)",
)


class Call:
    """A call that has begun."""

    __slots__ = ("arguments", "open", "shown", "suspended", "task")

    def __init__(self, task: Task, arguments: list[int], shown: list[str | None]) -> None:
        self.task = task
        self.arguments = arguments  # raw
        self.shown = shown  # None: not known before the call returns
        self.open = False  # its line is on the screen, unfinished
        self.suspended = False  # and was closed with <unfinished ...>


class Strace:
    """Prints system calls, signals and ends of processes to a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.line: Call | None = None  # whose line is open

    def close(self) -> None:
        """Finish the last line; close the stream unless it is standard error."""
        line, self.line = self.line, None
        if line is not None:
            self.stream.write(" <unfinished ...>\n")
        if self.stream is sys.stderr:
            self.stream.flush()
        else:
            self.stream.close()

    # The observer of the dispatcher

    def enter(self, task: Task, row: Row, registers: Registers) -> Call:
        """Take down the arguments before the kernel changes anything."""
        assert isinstance(row, TableRow)
        arguments = row.arguments(task.abi, task, registers)
        shown = [
            None if parameter.out else self.argument(task, parameter, raw, 0)
            for parameter, raw in zip(row.parameters, arguments, strict=True)
        ]
        call = Call(task, arguments, shown)
        if row.name in FINAL:
            self.write(f"{task.process.pid} {row.name}({', '.join(filter(None, shown))}) = ?\n")
        return call

    def block(self, task: Task, row: Row, token: object) -> None:
        """Show the beginning of a call that waits."""
        assert isinstance(token, Call)
        self.write(f"{task.tid} {row.name}({', '.join(filter(None, self.known(token)))}")
        self.stream.flush()
        token.open = True
        self.line = token

    def leave(self, task: Task, row: Row, token: object, result: int | None) -> None:
        """Show a call with its result; None: a signal interrupted it."""
        assert isinstance(token, Call) and isinstance(row, TableRow)
        if row.name in FINAL:
            return
        known = len(self.known(token)) if token.open else 0
        parameters = row.parameters
        after = []
        for index, (parameter, raw) in enumerate(zip(parameters, token.arguments, strict=False)):
            text = token.shown[index]
            after.append(self.argument(task, parameter, raw, result or 0) if text is None else text)
        rest = ", ".join(filter(None, after[known:]))
        if not token.open:
            start = f"{task.tid} {row.name}("
        elif token.suspended:
            start = f"{task.tid} <... {row.name} resumed>" + (", " if known and rest else "")
        else:
            start = ", " if known and rest else ""
            self.line = None
        text = f"{start}{rest}) = {self.result(row, task, result)}"
        if result is not None and result > 0:
            again = [
                self.argument(task, parameter, raw, result)
                for parameter, raw in zip(parameters, token.arguments, strict=False)
                if parameter.again and raw
            ]
            if again:
                text += f" ({', '.join(again)})"
        self.write(text + "\n")

    def signal(self, task: Task, info: SigInfo) -> None:
        """Show a signal that is delivered."""
        self.write(f"{task.tid} --- {signal_name(info.signo)} {{{', '.join(siginfo_fields(info))}}} ---\n")

    def exited(self, process: Process) -> None:
        """Show the end of a process."""
        status = process.exit_status or 0
        if status & 0x7F:
            dumped = " (core dumped)" if status & 0x80 else ""
            self.write(f"{process.pid} +++ killed by {signal_name(status & 0x7F)}{dumped} +++\n")
        else:
            self.write(f"{process.pid} +++ exited with {status >> 8 & 0xFF} +++\n")

    # Parts

    @staticmethod
    def known(call: Call) -> list[str]:
        """Return the arguments in front of the first one that is not known yet."""
        shown: list[str] = []
        for text in call.shown:
            if text is None:
                break
            shown.append(text)
        return shown

    @staticmethod
    def argument(task: Task, parameter: Parameter, raw: int, result: int) -> str:
        """Return an argument as text, whatever it is."""
        try:
            return parameter.show(task, raw, result)
        except LinuxError:
            return hex(raw)

    @staticmethod
    def result(row: Row, task: Task, result: int | None) -> str:
        """Return a result as text."""
        if result is None:
            if task.restart_call is not None:
                return "? ERESTART_RESTARTBLOCK (Interrupted by signal)"
            return INTERRUPTED[row.restart]
        if -4096 < result < 0:
            return f"-1 {NAMES.get(-result, -result)} ({error_text(-result)})"
        return hex(result) if row.name in ADDRESSES else str(result)

    def write(self, text: str) -> None:
        """Print, closing the open line of another call first."""
        line = self.line
        if line is not None:
            self.line = None
            line.suspended = True
            self.stream.write(" <unfinished ...>\n")
        self.stream.write(text)


def open_trace(path: str) -> TextIO:
    """Return the stream for a trace: the host file `path`, or "-": standard error.  UsageError"""
    if path == "-":
        return sys.stderr
    try:
        return open(path, "w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write the trace to {path}: {error.strerror}") from None


def siginfo_fields(info: SigInfo) -> list[str]:
    """Return the fields of a siginfo that its signal and code give a meaning."""
    fields = [f"si_signo={signal_name(info.signo)}", f"si_code={code_name(info.signo, info.code)}"]
    layout = layout_of(info.signo, info.code)
    if layout in (KILL, RT, CHILD) and info.code != signal_abi.SI_KERNEL:
        fields += [f"si_pid={info.pid}", f"si_uid={info.uid}"]
    if layout == CHILD:
        status = str(info.status) if info.code == signal_abi.CLD_EXITED else signal_name(info.status)
        fields += [f"si_status={status}", f"si_utime={info.utime}", f"si_stime={info.stime}"]
    elif layout == FAULT:
        fields.append(f"si_addr={info.address:#x}" if info.address else "si_addr=NULL")
    elif layout == RT:
        fields.append(f"si_value={info.value:#x}")
    return fields


_PREFIXES = {
    signal_abi.SIGILL: "ILL_",
    signal_abi.SIGFPE: "FPE_",
    signal_abi.SIGSEGV: "SEGV_",
    signal_abi.SIGBUS: "BUS_",
    signal_abi.SIGTRAP: "TRAP_",
    signal_abi.SIGCHLD: "CLD_",
    signal_abi.SIGPOLL: "POLL_",
}


def code_name(signo: int, code: int) -> str:
    """Return the name of an si_code: SI_USER, SEGV_MAPERR, ..."""
    prefix = "SI_" if code <= 0 or code == signal_abi.SI_KERNEL else _PREFIXES.get(signo, "SI_")
    for name, value in vars(signal_abi).items():
        if value == code and name.startswith(prefix):
            return name
    return str(code)
