"""The kernel: what all tasks share, and its life from the first program to the last.

Everything here is reachable as `task.kernel`; nothing is global, so that several kernels live in one Python process.
"""

from __future__ import annotations

from functools import partial
from os import urandom

from lbw.abi.signal import SIGINT
from lbw.host.ticker import NEVER
from lbw.kernel.clock import Clock
from lbw.kernel.clock_changes import ClockChanges
from lbw.kernel.core_settings import CoreSettings
from lbw.kernel.dispatch import SyscallTable
from lbw.kernel.flusher import Flusher
from lbw.kernel.futexes.table import Futexes
from lbw.kernel.oom import OomSettings, pressed
from lbw.kernel.pids import PidAllocator
from lbw.kernel.scheduler import Scheduler
from lbw.kernel.tables import SyscallTables
from lbw.kernel.timers import Timers
from lbw.mm.homes import HomeAddresses
from lbw.net.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Engine
    from lbw.faults.path import FaultPath
    from lbw.ipc.mqueue_fs import QueueFileSystem
    from lbw.ipc.namespace import IpcNamespace
    from lbw.kernel.dispatch import Observer, Row
    from lbw.kernel.fds import FileTable
    from lbw.kernel.process import Process
    from lbw.kernel.repeatable import Repeatable
    from lbw.kernel.scheduler import Ticker
    from lbw.kernel.signalfd import SignalFile
    from lbw.kernel.task import Task
    from lbw.loader.images import Images
    from lbw.loader.load import Hardware
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames
    from lbw.mm.page_cache import PageCache
    from lbw.signals.pending import QueueAccount
    from lbw.vfs.context import FsContext
    from lbw.vfs.tmpfs.memfd import MemoryFileSystem
    from lbw.vfs.vfs import Vfs

    class Events(Protocol):
        """What the kernel needs of `lbw.host.events.HostEvents`."""

        attention: bool

        @property
        def pending(self) -> bool:
            """Host descriptors are watched."""

        def wait(self, timeout_ns: int | None) -> None:
            """Sleep until something happens on the host; run callbacks."""

        def poll(self) -> bool:
            """Run callbacks of what has happened."""


#: How many tasks may exist (threads-max of the guest): a fork bomb ends in EAGAIN.
MAX_TASKS = 4096


class Counters:
    """What happened so far. Calls by number are counted in the syscall tables."""

    __slots__ = ("emulated", "execs", "faults", "forks", "page_faults", "preemptions", "switches")

    def __init__(self) -> None:
        self.switches = 0
        self.page_faults = 0
        self.faults = 0  # other processor exceptions
        self.emulated = 0  # instructions
        self.preemptions = 0
        self.forks = 0
        self.execs = 0


class Kernel:
    """A guest Linux."""

    def __init__(
        self, engine: Engine, events: Events, *, clock: Clock | None = None, ticker: Ticker | None = None,
        frames: Frames | None = None, page_cache: PageCache | None = None, vfs: Vfs | None = None,
        create_memory: Callable[[Abi], AddressSpace] | None = None, images: Images | None = None,
        hardware: Hardware | None = None, homes: HomeAddresses | None = None,
        hostname: bytes = b"lbw", strict: bool = False, report: Callable[[str], None] | None = None,
        observer: Observer | None = None, max_tasks: int = MAX_TASKS, faults: FaultPath | None = None,
        repeatable: Repeatable | None = None,
    ) -> None:  # fmt: skip
        self.engine = engine
        self.events = events
        self.repeatable = repeatable
        #: Random bytes: as many as asked for.
        self.random: Callable[[int], bytes] = urandom if repeatable is None else repeatable.random
        self.clock = clock or (Clock() if repeatable is None else repeatable.clock)
        self.timers = Timers()
        self.clock_changes = ClockChanges(self)
        self.scheduler = Scheduler(self.clock, ticker)
        self.timers.on_add = self.scheduler.aim
        self.scheduler.aims = repeatable is None
        self._frames = frames
        self._page_cache = page_cache
        self.flusher = Flusher(self, page_cache)
        self._vfs = vfs
        self._create_memory = create_memory
        self._images = images
        self._hardware = hardware
        self.homes = homes or HomeAddresses()
        self.hostname = hostname
        self.domainname = b"(none)"
        self.faults = faults
        self.strict = strict
        self.observer = observer
        self._report = report
        self.counters = Counters()
        self.tables = SyscallTables(observer)
        self.futexes = Futexes()
        self.network = Network(lambda: self.current)
        self.pids = PidAllocator()
        self.signal_accounts: dict[int, QueueAccount] = {}  # queued signals, by real user id
        self.core = CoreSettings()
        self.signal_files: dict[SignalFile, None] = {}  # open signalfds
        self.max_tasks = max_tasks
        self.processes: dict[int, Process] = {}  # zombies and init included
        self.tasks: dict[int, Task] = {}  # living tasks
        self.current: Task | None = None  # whose turn it is
        self.boot_time = self.clock.realtime()
        self.stopping = False
        self.oom = OomSettings()
        self.scarce = False  # memory is: lbw.kernel.oom is to look at it
        if frames is not None:
            frames.pressed = partial(pressed, self)
            frames.commitment.capable = self.current_is_capable
        self._ipc: IpcNamespace | None = None
        self._queues: QueueFileSystem | None = None
        self._memory_files: MemoryFileSystem | None = None
        self.main: Process | None = None  # the user's program; its end is the end of all
        from lbw.kernel.start import make_init

        self.init = make_init(self)

    @property
    def frames(self) -> Frames:
        """The frames of guest-physical memory."""
        assert self._frames is not None
        return self._frames

    @property
    def page_cache(self) -> PageCache:
        """The pages of files."""
        assert self._page_cache is not None
        return self._page_cache

    @property
    def vfs(self) -> Vfs:
        """The mount table."""
        assert self._vfs is not None
        return self._vfs

    @property
    def images(self) -> Images:
        """What the files of the machine are to execve."""
        assert self._images is not None
        return self._images

    @property
    def hardware(self) -> Hardware:
        """What programs are told about the processor."""
        assert self._hardware is not None
        return self._hardware

    @property
    def ipc(self) -> IpcNamespace:
        """System V IPC, made when the first program asks for it."""
        if self._ipc is None:
            from lbw.kernel.ipc import make_namespace

            self._ipc = make_namespace(self)
        return self._ipc

    def ipc_left_by(self, process: Process) -> None:
        """Note the end of a process, whose segments may end with it (shm_rmid_forced)."""
        if self._ipc is not None:
            self._ipc.segments.left_by(process.pid)

    @property
    def queues(self) -> QueueFileSystem:
        """POSIX message queues: what is mounted on /dev/mqueue."""
        if self._queues is None:
            from lbw.kernel.ipc import make_queues

            self._queues = make_queues(self)
        return self._queues

    @property
    def memory_files(self) -> MemoryFileSystem:
        """Where the files are that memfd_create makes."""
        if self._memory_files is None:
            from lbw.vfs.tmpfs.memfd import MemoryFileSystem

            self._memory_files = MemoryFileSystem(self.frames, self.clock.realtime)
        return self._memory_files

    def create_memory(self, abi: Abi) -> AddressSpace:
        """Return an empty address space for programs of `abi`.  ENOMEM"""
        assert self._create_memory is not None
        return self._create_memory(abi)

    def install(self, abi: Abi, rows: Sequence[Row | None]) -> None:
        """Offer the system calls `rows` (by number) to programs of `abi`."""
        self.tables[abi] = SyscallTable(abi, rows, self.observer)

    def current_is_capable(self, capability: int) -> bool:
        """Tell whether the task whose turn it is has a capability; the kernel itself has all."""
        return self.current is None or self.current.credentials.capable(capability)

    def report(self, message: str) -> None:
        """Tell lbw's user something, in one line on lbw's standard error."""
        if self._report is not None:
            self._report(message)
        else:
            import sys

            print(f"lbw: {message}", file=sys.stderr)

    # Life

    def start(
        self, abi: Abi, fs: FsContext, files: FileTable, path: bytes, argv: list[bytes], envp: list[bytes]
    ) -> Process:
        """Start the main program; `run` runs it.  ProgramNotFoundError, NotExecutableError"""
        from lbw.kernel.start import start_program

        return start_program(self, abi, fs, files, path, argv, envp)

    def run(self) -> int:
        """Run until the main program has ended and everything else is killed; return its wait(2) status."""
        from lbw.kernel.exit import kill_everything
        from lbw.kernel.run import run

        assert self.main is not None, "start a program first"
        try:
            run(self)
        except KeyboardInterrupt:  # ^C, and nobody has taken the host's SIGINT over
            self.shutdown(SIGINT)
        finally:
            self.stopping = True
            kill_everything(self)
            self.flusher.finish()
            if self._ipc is not None:
                self._ipc.close()
            self.scheduler.stop_ticking()
        status = self.main.exit_status
        assert status is not None
        return status

    def tick(self) -> None:
        """At the end of a time slice, see to the host and to timers."""
        events, timers = self.events, self.timers
        if events.attention or (events.pending and self.repeatable is None):
            events.poll()
        if len(timers):
            timers.run_due(self.clock.monotonic())
        if len(timers):
            self.scheduler.aim(timers.next_deadline() or 0)
        elif not (self.scheduler.queue or events.pending):
            self.scheduler.stop_ticking()
        else:
            self.scheduler.aim(NEVER)

    def shutdown(self, signo: int) -> None:
        """End all guests as if by `signo`: the host told lbw to go. `run` returns soon. Kernel's thread only."""
        if self.main is not None and self.main.exit_status is None and self.main.exiting is None:
            self.main.exiting = signo
        self.stopping = True

    def call_counts(self) -> dict[str, int]:
        """Return how often each system call was made, by name, for those that were made."""
        counts: dict[str, int] = {}
        for table in self.tables.values():
            for number, calls in enumerate(table.calls):
                if calls:
                    name = table.name(number)
                    counts[name] = counts.get(name, 0) + calls
        return counts
