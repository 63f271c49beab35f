"""A task at its desk: memory of bytes, a process, a kernel without a processor; and how to make a system call."""

from __future__ import annotations

from os import urandom
from types import SimpleNamespace
from typing import Any

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.x86_64 import X86_64
from lbw.kernel.clock import Clock
from lbw.kernel.core_settings import CoreSettings
from lbw.kernel.groups import ProcessGroup, Session
from lbw.kernel.limits import Limits
from lbw.kernel.process import Process
from lbw.kernel.task import Task
from lbw.syscalls.table import ROWS
from lbw.vfs.context import FsContext
from lbw.vfs.credentials import Credentials

#: Where the memory of a desk begins; nothing else is mapped.
PAPER = 0x10000
SIZE = 0x10000


class Memory:
    """A range of bytes."""

    def __init__(self) -> None:
        self.paper = bytearray(SIZE)
        self.stack_limit = self.data_limit = self.size_limit = self.barriers = 0
        self.faults, self.major_faults = 5, 2
        self.mmu = SimpleNamespace(resident=3, peak=4)

    def views(self, address: int, length: int, write: bool) -> list[memoryview]:
        start = address - PAPER
        if not 0 <= start < SIZE:
            raise LinuxError(EFAULT)
        return [memoryview(self.paper)[start : start + length]]

    def read(self, address: int, length: int) -> bytes:
        (view,) = self.views(address, length, False)
        if len(view) < length:
            raise LinuxError(EFAULT)
        return bytes(view)

    def write(self, address: int, data: bytes) -> None:
        (view,) = self.views(address, len(data), True)
        if len(view) < len(data):
            raise LinuxError(EFAULT)
        view[:] = data

    def load(self, address: int, layout: Any) -> tuple[Any, ...]:
        return layout.unpack(self.read(address, layout.size))

    def store(self, address: int, layout: Any, *values: Any) -> None:
        self.write(address, layout.pack(*values))

    def read_cstring(self, address: int, limit: int) -> bytes:
        return self.views(address, limit, False)[0].tobytes().partition(b"\0")[0]

    def read_u32(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def read_pointer(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def write_u32(self, address: int, value: int) -> None:
        self.write(address, value.to_bytes(4, "little"))

    def write_u64(self, address: int, value: int) -> None:
        self.write(address, value.to_bytes(8, "little"))

    def write_pointer(self, address: int, value: int) -> None:
        self.write(address, value.to_bytes(8, "little"))


class StillClock(Clock):
    """Time that stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.boot = 5_000_000_000
        self.now = 12_345_678_901

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return 1_700_000_000_123_456_789

    def processor(self) -> int:
        return self.now


class Desk:
    """A kernel with tasks; `call` makes a system call of the first one."""

    def __init__(self) -> None:
        self.kernel = SimpleNamespace(
            clock=StillClock(), processes={}, tasks={}, current=None, hostname=b"desk", domainname=b"(none)",
            frames=SimpleNamespace(limit=1000, available=600, shared=SimpleNamespace(pages=5)),
            scheduler=SimpleNamespace(least=0.0), core=CoreSettings(), random=urandom, init=SimpleNamespace(pid=1),
        )  # fmt: skip
        self.session = Session(100)
        self.task = self.add(100)
        self.memory = self.task.memory

    def add(self, pid: int, uid: int = 0, group: ProcessGroup | None = None) -> Task:
        """Add a process with one thread."""
        group = group or ProcessGroup(pid, self.session)
        process = Process(self.kernel, pid, None, group, Limits(), None, None)  # type: ignore[arg-type]
        context = SimpleNamespace(
            fs_base=0, gs_base=0, selectors=[0] * 6, registers=[0] * 17, modified=0, mmu=None
        )  # fmt: skip
        nowhere: Any = None
        fs = FsContext(nowhere, nowhere, nowhere, Credentials(uid, uid))
        files = SimpleNamespace(limit=1024)
        task = Task(
            self.kernel, pid, process, X86_64, context, Memory(), files, fs, None, b"task"  # type: ignore[arg-type]
        )  # fmt: skip
        process.threads.append(task)
        self.kernel.tasks[pid] = task
        self.kernel.processes[pid] = process
        return task

    def become(self, uid: int, gid: int | None = None) -> Task:
        """Give the first task fresh credentials."""
        self.task.credentials = Credentials(uid, uid if gid is None else gid)
        return self.task

    def call(self, name: str, *arguments: int, task: Task | None = None) -> int:
        """Make a system call as the run loop does; negative results are -errno."""
        task = task or self.task
        registers = [0] * 17
        for register, argument in zip(X86_64.argument_registers, arguments, strict=False):
            registers[register] = argument & (2**64 - 1)
        try:
            return ROWS[name].entry(X86_64)(task, registers)  # type: ignore[return-value]
        except LinuxError as error:
            return -error.errno

    def ints(self, count: int, address: int = PAPER) -> list[int]:
        """The first C ints in memory."""
        data = self.memory.read(address, 4 * count)
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
