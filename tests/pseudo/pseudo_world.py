"""A tree with /dev and /proc, and a made-up kernel behind /proc."""

from __future__ import annotations

import os
from types import SimpleNamespace

from lbw.abi.cpuid import Identity
from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE
from lbw.abi.resource import RLIM_INFINITY
from lbw.abi.x86_64 import X86_64
from lbw.cpu.scripted_memory import ScriptedMmu
from lbw.host.memory import Ram
from lbw.kernel.core_settings import CoreSettings
from lbw.kernel.fds import FileTable
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses
from lbw.vfs.context import FsContext
from lbw.vfs.credentials import Credentials
from lbw.vfs.dev.devtmpfs import populate
from lbw.vfs.dev.table import DeviceTable
from lbw.vfs.file import File
from lbw.vfs.operations import mkdir, resolve
from lbw.vfs.pipe_budget import PipeBudget
from lbw.vfs.proc.fs import ProcFileSystem
from lbw.vfs.proc.parameters import Numbers
from lbw.vfs.proc.source import MachineStatus, MemoryStatus, TaskStatus
from lbw.vfs.special import special_opener
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs

#: Where programs of the made-up kernel have two pages.
CONTENT = 0x10000


def make_memory() -> AddressSpace:
    """Return an address space of a processor that runs nothing, with two pages at CONTENT."""
    frames = Frames(Ram(1 << 20))
    mmu = ScriptedMmu(SimpleNamespace(frames=frames, mmus=0))
    memory = AddressSpace(mmu, frames, HomeAddresses(), X86_64)
    memory.mmap(CONTENT, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    memory.arg_start = memory.arg_end = memory.env_start = memory.env_end = CONTENT
    memory.auxv = b"auxv"
    return memory


def lay_out(memory: AddressSpace, arguments: bytes, environment: bytes) -> None:
    """Store the arguments and the environment of a program."""
    memory.write(CONTENT, arguments + environment)
    memory.arg_end = memory.env_start = CONTENT + len(arguments)
    memory.env_end = memory.env_start + len(environment)


class FakeView:
    """A process with one thread."""

    def __init__(self, pid: int, fs: FsContext) -> None:
        self.pid = self.tid = pid
        self.alive = True
        self.comm = b"fake (1)"
        self.fs = fs
        self.files = FileTable()
        self.memory = make_memory()
        self.executable = None
        self.dumpable = True
        self.wait_channel = b""
        self.personality = self.oom_adjustment = self.oom_least = 0
        self.timer_slack = 50_000
        self.core_filter = 0x33
        self.figures = TaskStatus()

    @property
    def credentials(self) -> Credentials:
        return self.fs.credentials

    def set_comm(self, name: bytes) -> None:
        self.comm = name

    def adjust_oom(self, value: int, privileged: bool) -> None:
        self.oom_adjustment = value

    def limits(self):
        return [("Max open files", 1024, RLIM_INFINITY, "files"), ("Max pending signals", 99, 99, "signals")]

    def children(self):
        return []

    def system_call(self):
        return None

    def threads(self):
        return [self.tid]

    def thread(self, tid: int):
        return self if tid == self.tid else None

    def status(self) -> TaskStatus:
        return self.figures


class FakeSource:
    """A machine with two processes."""

    def __init__(self) -> None:
        self.views: dict[int, FakeView] = {}
        self.current: FakeView | None = None
        self.devices = DeviceTable()
        self.core = CoreSettings()
        self.identity = Identity(fsgsbase=True)
        self.figures = MachineStatus()
        self.budget = PipeBudget()
        self.numbers = [1, 2, 3]
        self.hostname, self.domainname = b"guest", b"(none)"

    def pids(self):
        return sorted(self.views)

    def process(self, number: int):
        return self.views.get(number)

    def status(self) -> MachineStatus:
        return self.figures

    def memory_status(self) -> MemoryStatus:
        return MemoryStatus()

    def uname(self):
        return b"Linux", self.hostname, b"6.1", b"#1", b"x86_64", self.domainname

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def set_hostname(self, name: bytes) -> None:
        self.hostname = name

    def set_domainname(self, name: bytes) -> None:
        self.domainname = name

    def parameters(self):
        budget = self.budget
        return {
            "fs/pipe-max-size": Numbers(lambda: (budget.largest,), budget.set_largest, 1, 1 << 31),
            "kernel/made/up": Numbers(lambda: tuple(self.numbers), self.change, 0, 100),
            "kernel/fixed": Numbers(lambda: (7,)),
        }

    def change(self, numbers) -> None:
        self.numbers[:] = numbers

    def network_tables(self):
        return {b"unix": lambda: b"Num\n"}

    def ipc_tables(self):
        return {b"shm": lambda: b"none\n"}


class World:
    """Root tmpfs, /dev, /proc; process 10 belongs to root and asks, process 20 to user 1000."""

    def __init__(self) -> None:
        self.vfs = Vfs(TmpFileSystem(mode=0o755))
        self.ctx = self.vfs.context()
        self.source = FakeSource()
        self.vfs.open_special = special_opener(self.source.devices)
        for path in (b"/dev", b"/proc", b"/tmp"):
            mkdir(self.ctx, path, 0o755)
        dev = TmpFileSystem(mode=0o755, type_name="devtmpfs")
        populate(dev.root)
        self.vfs.mount(dev, resolve(self.ctx, b"/dev"), 0, b"devtmpfs")
        self.vfs.mount(ProcFileSystem(self.source), resolve(self.ctx, b"/proc"), 0, b"proc")
        self.me = self.source.views[10] = FakeView(10, self.ctx)
        user = self.vfs.context(Credentials(1000, 1000))
        self.other = self.source.views[20] = FakeView(20, user)
        self.source.current = self.me

    def act_as(self, view: FakeView) -> FsContext:
        self.source.current = view
        return view.fs


def read_all(file: File, step: int = 100000) -> bytes:
    data = b""
    while True:
        buffer = bytearray(step)
        count = file.read([memoryview(buffer)])
        if not count:
            return data
        data += buffer[:count]
