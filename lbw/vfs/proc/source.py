"""What procfs needs of the kernel, which lies above it: the kernel implements `ProcSource` (`lbw.kernel.proc_source`).

Views are made for each look-up and are cheap; a view of a process that is gone says so (`alive`). Times are in ns.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from lbw.abi.cpuid import Identity
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.context import FsContext
    from lbw.vfs.credentials import Credentials
    from lbw.vfs.dev.table import DeviceTable
    from lbw.vfs.file import File
    from lbw.vfs.location import Location
    from lbw.vfs.proc.parameters import Numbers

    class Descriptors(Protocol):
        """A descriptor table, as far as /proc shows it."""

        @property
        def size(self) -> int:
            """How many descriptors there is room for."""

        def get_any(self, fd: int) -> File:
            """Return an open file.  EBADF"""

        def items(self) -> list[tuple[int, File]]:
            """Return all (number, open file)."""

        def get_close_on_exec(self, fd: int) -> bool:
            """Return FD_CLOEXEC."""

    class CoreSettings(Protocol):
        """Parameters of core files; the setters take what was written.  EINVAL"""

        pattern: bytes
        uses_pid: int
        suid_dumpable: int

        def set_pattern(self, data: bytes) -> None: ...
        def set_uses_pid(self, data: bytes) -> None: ...
        def set_suid_dumpable(self, data: bytes) -> None: ...

    class TaskView(Protocol):
        """A thread; or, as the entry of its leader, a process. Parts of it are gone (None) once it has ended."""

        @property
        def pid(self) -> int:
            """The process's number."""

        @property
        def tid(self) -> int:
            """The thread's number."""

        @property
        def alive(self) -> bool:
            """It exists, if only as a zombie."""

        @property
        def comm(self) -> bytes:
            """The name, at most 15 bytes."""

        def set_comm(self, name: bytes) -> None:
            """Change the name."""

        @property
        def credentials(self) -> Credentials:
            """Who it acts as."""

        @property
        def dumpable(self) -> bool:
            """Others with the same user id may look into it."""

        @property
        def core_filter(self) -> int:
            """What of it core files have (coredump_filter)."""

        @core_filter.setter
        def core_filter(self, value: int) -> None: ...

        @property
        def fs(self) -> FsContext | None:
            """Root and working directory."""

        @property
        def files(self) -> Descriptors | None:
            """Open files."""

        @property
        def memory(self) -> AddressSpace | None:
            """Address space."""

        @property
        def executable(self) -> Location | None:
            """The program file."""

        @property
        def wait_channel(self) -> bytes:
            """What it waits in; empty: it does not."""

        @property
        def personality(self) -> int:
            """The execution domain."""

        @property
        def timer_slack(self) -> int:
            """How late timers may be, ns."""

        @property
        def oom_adjustment(self) -> int:
            """oom_score_adj."""

        @property
        def oom_least(self) -> int:
            """The least that somebody without privileges may set it to."""

        def adjust_oom(self, value: int, privileged: bool) -> None:
            """Set it, and with it what others may set it to."""

        def children(self) -> list[int]:
            """Return the processes that the thread has made."""

        def system_call(self) -> tuple[int, list[int], int, int] | None:
            """Return number (-1: none), arguments, stack pointer and program counter; None: it runs."""

        def limits(self) -> list[tuple[str, int, int, str]]:
            """Return the rows of /proc/PID/limits: (name, soft, hard, unit)."""

        def threads(self) -> list[int]:
            """Return the numbers of the process's threads."""

        def thread(self, tid: int) -> TaskView | None:
            """Return one of them."""

        def status(self) -> TaskStatus:
            """Return the figures of now."""

    class ProcSource(Protocol):
        """The machine."""

        @property
        def current(self) -> TaskView | None:
            """Who is asking; None: nobody in the guest."""

        @property
        def devices(self) -> DeviceTable:
            """The device drivers."""

        @property
        def identity(self) -> Identity:
            """What the processor says about itself."""

        def pids(self) -> list[int]:
            """Return the numbers of all processes."""

        def process(self, number: int) -> TaskView | None:
            """Return a process by its number, or by that of any of its threads."""

        def status(self) -> MachineStatus:
            """Return the figures of now."""

        def memory_status(self) -> MemoryStatus:
            """Return the figures of the memory; that takes a while."""

        def uname(self) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes]:
            """Return (sysname, nodename, release, version, machine, domainname).  man 2 uname"""

        def random(self, count: int) -> bytes:
            """Return `count` random bytes."""

        def set_hostname(self, name: bytes) -> None:
            """Change the node name."""

        def set_domainname(self, name: bytes) -> None:
            """Change the NIS domain name."""

        def parameters(self) -> Mapping[str, Numbers]:
            """Return the parameters of the kernel itself, by their path below /proc/sys."""

        def ipc_tables(self) -> Mapping[bytes, Callable[[], bytes]]:
            """Return what makes the files of /proc/sysvipc, by name."""

        def network_tables(self) -> Mapping[bytes, Callable[[], bytes]]:
            """Return what makes the files of /proc/net, by name."""

        @property
        def core(self) -> CoreSettings:
            """Where core files go."""


class TaskStatus:
    """Figures of a task: of the whole process in its own entry, of the thread in /proc/PID/task/TID. Times in ns."""

    __slots__ = (
        "blocked", "caught", "child_major_faults", "child_minor_faults", "child_system_time", "child_user_time",
        "exit_signal", "exit_status", "foreground_group", "group", "ignored", "involuntary_switches", "major_faults",
        "minor_faults", "nice", "no_new_privileges", "parent", "pending", "policy", "queued_signals",
        "real_time_priority", "session", "shared_pending", "start_time", "state", "system_time", "terminal",
        "thread_count", "user_time", "voluntary_switches",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = "R"  # R S D T t Z X
        self.parent = self.group = self.session = 0
        self.terminal = 0  # device number of the controlling terminal, 0: none
        self.foreground_group = -1  # of that terminal
        self.minor_faults = self.major_faults = self.child_minor_faults = self.child_major_faults = 0
        self.user_time = self.system_time = self.child_user_time = self.child_system_time = 0
        self.start_time = 0  # since boot
        self.nice = self.policy = self.real_time_priority = 0
        self.thread_count = 1
        self.exit_signal = 17  # SIGCHLD
        self.exit_status = 0  # as wait(2) encodes it
        self.pending = self.shared_pending = self.blocked = self.ignored = self.caught = 0  # signal sets
        self.queued_signals = 0
        self.voluntary_switches = self.involuntary_switches = 0
        self.no_new_privileges = False


class MachineStatus:
    """Figures of the machine. Memory in bytes, times in ns."""

    __slots__ = (
        "boot_time", "context_switches", "forks", "idle_time", "interrupts", "last_pid", "load", "pipe_pages_max",
        "running", "system_time", "tasks", "tasks_max", "total", "uptime", "user_time",
    )  # fmt: skip

    def __init__(self) -> None:
        self.total = 0  # memory
        self.uptime = 0
        self.boot_time = 0  # since the epoch
        self.user_time = self.system_time = self.idle_time = 0
        self.context_switches = self.forks = self.interrupts = 0
        self.running = self.tasks = self.last_pid = self.tasks_max = 0
        self.pipe_pages_max = 0
        self.load = (0.0, 0.0, 0.0)  # over 1, 5 and 15 minutes


class MemoryStatus:
    """What the memory of the machine is used for, bytes; and what has happened to it since the start."""

    __slots__ = (
        "anonymous", "dirty", "faults", "free", "kernel", "kills", "locked", "major_faults", "mapped", "of_files",
        "page_tables", "paged_in", "paged_out", "promisable", "promised", "shared", "total",
    )  # fmt: skip

    def __init__(self) -> None:
        self.total = self.free = 0
        self.anonymous = 0  # what programs have for themselves
        self.of_files = 0  # pages of files, mapped or not
        self.shared = 0  # shared memory and files of tmpfs
        self.page_tables = self.kernel = 0
        self.mapped = 0  # those of the files and of shared memory that some page table shows
        self.dirty = 0  # those of the files that are to be written to the host
        self.locked = 0
        self.promised = self.promisable = 0  # to overcommit: so far, and at most in mode 2
        self.faults = self.major_faults = self.kills = 0
        self.paged_in = self.paged_out = 0  # from the host's files, and to them
