"""A kernel over the scripted engine, with a clock that only moves when everybody waits."""

from __future__ import annotations

from struct import pack

from lbw.abi.cpuid import Identity
from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from lbw.abi.signal import SA_RESTORER
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import RSP
from lbw.cpu.scripted import Call, ScriptedEngine
from lbw.host.memory import Ram
from lbw.kernel.clock import Clock
from lbw.kernel.fds import FileTable
from lbw.kernel.kernel import Kernel
from lbw.kernel.start import make_first_task
from lbw.loader.images import Images
from lbw.loader.load import Hardware
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses
from lbw.mm.page_cache import PageCache
from lbw.syscalls.loading import load_table
from lbw.vfs.credentials import Credentials
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs

#: Guest memory that every script may use, private and shared; the stack lies at the end of the private part.
DATA, SHARED, SIZE = 0x100_0000, 0x200_0000, 0x10000
SLICE = 10_000_000
TABLE = load_table(X86_64)


class FakeClock(Clock):
    """Time that tests and the idle loop move."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000

    def monotonic(self) -> int:
        return self.now

    def realtime(self) -> int:
        return self.now + 1_700_000_000_000_000_000

    def processor(self) -> int:
        return self.now


class Deadlock(Exception):
    """Everybody waits for ever."""


class FakeEvents:
    """The host: nothing happens but what a test planned, and time passes at once."""

    attention = False
    pending = False

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.planned = []  # callables, one for each wait without timers

    def wait(self, timeout_ns: int | None) -> None:
        if self.planned:
            self.planned.pop(0)()
        elif timeout_ns is None:
            raise Deadlock
        else:
            self.clock.now += timeout_ns

    def poll(self) -> bool:
        return False


class Guest:
    """A kernel and what tests ask of it."""

    def __init__(self, *, memory: int = 32 << 20, max_tasks: int = 4096, **options) -> None:
        self.clock = FakeClock()
        self.ram = Ram(memory)
        self.frames = Frames(self.ram)
        self.engine = ScriptedEngine(self.frames, X86_64)
        self.engine.elapse = self.elapse
        self.events = FakeEvents(self.clock)
        self.reports = []
        homes = HomeAddresses()
        self.vfs = Vfs(TmpFileSystem(memory // 4, frames=self.frames))
        self.kernel = Kernel(
            self.engine, self.events, clock=self.clock, frames=self.frames, vfs=self.vfs,
            page_cache=PageCache(self.frames, memory // 4), report=self.reports.append,
            create_memory=lambda abi: AddressSpace(self.engine.create_mmu(), self.frames, homes, abi),
            images=Images((X86_64,)), hardware=Hardware(Identity(fsgsbase=True)), homes=homes,
            max_tasks=max_tasks, **options,
        )  # fmt: skip
        self.kernel.install(X86_64, TABLE)
        self.log = []
        self._address = 0x1000_0000

    def elapse(self) -> None:
        self.clock.now += SLICE

    def start(self, script, uid: int = 0):
        """Make a process that runs `script`; the first is the main one."""
        fs = self.vfs.context(Credentials(uid, uid))
        task = make_first_task(self.kernel, X86_64, fs, FileTable())
        for start, flag in ((DATA, MAP_PRIVATE), (SHARED, MAP_SHARED)):
            task.memory.mmap(start, SIZE, PROT_READ | PROT_WRITE, flag | MAP_ANONYMOUS | MAP_FIXED)
        task.context.registers[RSP] = DATA + SIZE
        task.context.run(script)
        if self.kernel.main is None:
            self.kernel.main = task.process
        self.kernel.scheduler.ready(task)
        return task

    def run(self, script, uid: int = 0) -> int:
        """Run `script` as the main program; return its wait status."""
        self.start(script, uid)
        return self.kernel.run()

    def script_at(self, script) -> int:
        """Return an address at which `script` begins (a handler, the entry of a program)."""
        self._address += 0x1000
        self.engine.programs[self._address] = script
        return self._address

    # For scripts: the memory of whoever runs

    @property
    def memory(self):
        return self.kernel.current.memory

    def string(self, address: int, text: bytes) -> int:
        self.memory.write(address, text + b"\0")
        return address

    def timespec(self, address: int, ns: int) -> int:
        self.memory.write(address, pack("<qq", *divmod(ns, 1_000_000_000)))
        return address

    def read_timespec(self, address: int) -> int:
        seconds, ns = self.memory.load(address, X86_64.timespec)
        return seconds * 1_000_000_000 + ns

    def handle(self, signo: int, handler, flags: int = 0):
        """Script fragment: install `handler`, a script or SIG_*."""
        address = handler if isinstance(handler, int) else self.script_at(handler)
        self.memory.write(DATA + 0x800, pack("<QQQQ", address, flags | SA_RESTORER, 0x1234, 0))
        result = yield Call("rt_sigaction", signo, DATA + 0x800, 0, 8)
        assert result == 0


def exit_code(status: int) -> int:
    """Return the exit status of a program that ended normally."""
    assert status & 0x7F == 0, f"ended by signal {status & 0x7F}"
    return status >> 8
