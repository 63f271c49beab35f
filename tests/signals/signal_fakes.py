"""A scripted context, a dictionary for memory, and a kernel of real parts without a processor."""

from __future__ import annotations

from struct import Struct
from types import SimpleNamespace
from typing import Any

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import UNMODIFIED
from lbw.kernel.clock import Clock
from lbw.kernel.clock_changes import ClockChanges
from lbw.kernel.groups import ProcessGroup, Session
from lbw.kernel.limits import Limits
from lbw.kernel.process import Process
from lbw.kernel.scheduler import Scheduler
from lbw.kernel.task import Task
from lbw.kernel.timers import Timers
from lbw.signals.actions import SignalActions
from lbw.signals.pending import PendingSignals
from lbw.signals.task_signals import TaskSignals
from lbw.vfs.credentials import Credentials


class FakeContext:
    """Registers, flags and an FXSAVE image."""

    def __init__(self) -> None:
        self.registers = memoryview(bytearray(17 * 8)).cast("Q")
        self.modified = UNMODIFIED
        self.flags = 0x202
        self.fpu = bytes(512)
        self.mmu = SimpleNamespace(resident=0)
        self.bits = 64
        self.selectors = (0, 0x33, 0x2B, 0, 0, 0)

    def read_fpu(self) -> bytes:
        return self.fpu

    def write_fpu(self, image: bytes) -> None:
        self.fpu = image

    def read_state(self) -> tuple[bytes, int]:
        return self.fpu, self.flags

    def write_state(self, image: bytes, flags: int) -> None:
        self.fpu, self.flags = image, flags

    def state(self) -> tuple[list[int], int, bytes]:
        return list(self.registers), self.flags, self.fpu[:464]  # the rest is the software's


class FakeMemory:
    """Bytes by address; only the given ranges exist."""

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self.ranges = ranges
        self.bytes: dict[int, int] = {}
        self.faults = self.major_faults = 0
        self.mmu = SimpleNamespace(peak=0)

    def _check(self, address: int, length: int) -> None:
        if not any(start <= address and address + length <= end for start, end in self.ranges):
            raise LinuxError(EFAULT)

    def read(self, address: int, length: int) -> bytes:
        self._check(address, length)
        return bytes(self.bytes.get(address + i, 0) for i in range(length))

    def write(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        self.bytes.update(enumerate(data, address))

    def load(self, address: int, layout: Struct) -> tuple[Any, ...]:
        return layout.unpack(self.read(address, layout.size))

    def store(self, address: int, layout: Struct, *values: int) -> None:
        self.write(address, layout.pack(*values))


class FakeClock(Clock):
    """Time that the test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return self.now + 1_700_000_000_000_000_000

    def processor(self) -> int:
        return self.now


class FakeKernel:
    """What signals need of a kernel."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers = Timers()
        self.clock_changes = ClockChanges(self)  # type: ignore[arg-type]
        self.scheduler = Scheduler(self.clock)
        self.processes: dict[int, Process] = {}
        self.tasks: dict[int, Task] = {}
        self.signal_accounts: dict[int, Any] = {}
        self.signal_files: dict[Any, None] = {}
        self.current: Task | None = None
        self.faults = None
        self.observer = None
        self.repeatable = None
        self.session = Session(1)
        self.init = self.process(1, None, ProcessGroup(1, self.session))

    def process(self, pid: int, parent: Process | None, group: ProcessGroup) -> Process:
        process = Process(self, pid, parent, group, Limits(), SignalActions(), PendingSignals())  # type: ignore[arg-type]
        self.processes[pid] = process
        if parent is not None:
            parent.children[process] = None
        return process

    def spawn(self, pid: int, parent: Process | None = None, group: ProcessGroup | None = None, uid: int = 0) -> Task:
        """Make a process with one task; without a group it leads one of its own."""
        process = self.process(pid, parent or self.init, group or ProcessGroup(pid, self.session))
        return self.thread(process, pid, uid)

    def thread(self, process: Process, tid: int, uid: int = 0) -> Task:
        fs = SimpleNamespace(credentials=Credentials(uid))
        memory = FakeMemory((0x1000, 0x100000))
        task = Task(
            self,
            tid,
            process,
            X86_64,
            FakeContext(),
            memory,
            SimpleNamespace(),
            fs,
            TaskSignals(),
            b"test",  # type: ignore[arg-type]
        )
        process.threads.append(task)
        self.tasks[tid] = task
        return task

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.clock.now += nanoseconds
        self.timers.run_due(self.clock.now)


def run(task: Task, call: Any) -> Any:
    """Run a handler's coroutine up to its next wait; return ("wait", it) or ("done", result)."""
    if isinstance(call, int):
        return "done", call
    try:
        call.send(None)
    except StopIteration as stop:
        return "done", stop.value
    return "wait", call
