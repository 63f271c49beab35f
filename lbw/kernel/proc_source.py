"""What the kernel tells procfs: `lbw.vfs.proc.source.ProcSource` over tasks and processes."""

from __future__ import annotations

from functools import partial
from math import exp

from lbw.abi.uname import MACHINE, RELEASE, SYSNAME, VERSION
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.kernel.limits import DISPLAY, Limits
from lbw.kernel.task import READY
from lbw.vfs.credentials import Credentials
from lbw.vfs.location import Location
from lbw.vfs.proc.source import MachineStatus, TaskStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.abi.cpuid import Identity
    from lbw.kernel.fds import FileTable
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.context import FsContext
    from lbw.vfs.dev.table import DeviceTable
    from lbw.vfs.proc.parameters import Numbers

SECOND = 1_000_000_000
#: Load averages are over these times (1, 5, 15 minutes), in ns.
LOAD_PERIODS = (60 * SECOND, 300 * SECOND, 900 * SECOND)


class View:
    """A task as procfs sees it: one thread (`task`), or a process by its leader."""

    __slots__ = ("_process", "_task")

    def __init__(self, process: Process, task: Task | None) -> None:
        self._process = process
        self._task = task  # None: the entry of the process, whichever threads it has

    @property
    def _live(self) -> Task | None:
        """A thread to look at."""
        process = self._process
        if self._task is not None:
            return self._task if self._task is not process.ended_leader else None
        return process.leader if process.ended_leader is None else None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def tid(self) -> int:
        return self._task.tid if self._task is not None else self._process.pid

    @property
    def alive(self) -> bool:
        process, task = self._process, self._task
        if task is not None:
            return task in process.threads or (task is process.ended_leader and bool(process.threads))
        return process.kernel.processes.get(process.pid) is process

    @property
    def comm(self) -> bytes:
        return self._task.comm if self._task is not None else self._process.comm

    def set_comm(self, name: bytes) -> None:
        task = self._live
        if task is not None:
            task.set_comm(name)

    @property
    def credentials(self) -> Credentials:
        task = self._task or self._process.first_thread
        return task.credentials if task is not None else Credentials(self._process.uid)

    @property
    def dumpable(self) -> bool:
        return self._process.dumpable == 1

    @property
    def core_filter(self) -> int:
        return self._process.core_filter

    @core_filter.setter
    def core_filter(self, value: int) -> None:
        self._process.core_filter = value

    @property
    def fs(self) -> FsContext | None:
        task = self._live
        return task.fs if task is not None else None

    @property
    def files(self) -> FileTable | None:
        task = self._live
        return task.files if task is not None else None

    @property
    def memory(self) -> AddressSpace | None:
        task = self._live
        return task.memory if task is not None else None

    @property
    def executable(self) -> Location | None:
        return self._process.executable if self._live is not None else None

    @property
    def wait_channel(self) -> bytes:
        task = self._live
        return task.wait_channel if task is not None and task.state != READY else b""

    def limits(self) -> list[tuple[str, int, int, str]]:
        limits: Limits = self._process.limits
        return [(name, *limits.get(resource), unit) for name, resource, unit in DISPLAY]

    def threads(self) -> list[int]:
        process = self._process
        leader = [] if process.threads and process.ended_leader is None else [process.pid]
        return leader + [task.tid for task in process.threads]

    def thread(self, tid: int) -> View | None:
        for task in self._process.threads:
            if task.tid == tid:
                return View(self._process, task)
        return View(self._process, self._process.ended_leader) if tid == self.pid else None

    def status(self) -> TaskStatus:
        process, task, now = self._process, self._live, TaskStatus()
        kernel = process.kernel
        now.parent = process.parent_pid
        now.group = process.group.pgid
        now.session = process.session.sid
        terminal = process.terminal
        if terminal is not None:
            now.terminal = getattr(terminal, "device", 0)
            foreground = getattr(terminal, "foreground", None)
            now.foreground_group = foreground.pgid if foreground is not None else -1
        usage = process.total_usage()
        if self._task is not None:
            now.state = "T" if process.stopped else _STATES[self._task.state]
            if self._task is process.ended_leader:
                now.state = "Z"
            now.user_time, now.system_time = self._task.user_time, self._task.system_time
            now.voluntary_switches = self._task.voluntary_switches
            now.involuntary_switches = self._task.involuntary_switches
            now.start_time = self._task.start_time
        else:
            now.state = process.state if process.ended_leader is None else "Z"
            now.user_time, now.system_time = usage.user_time, usage.system_time
            now.voluntary_switches, now.involuntary_switches = usage.voluntary_switches, usage.involuntary_switches
            now.start_time = process.start_time
        now.start_time = max(now.start_time - kernel.clock.boot, 0)
        now.max_resident = usage.max_resident
        now.minor_faults, now.major_faults = usage.minor_faults, usage.major_faults
        children = process.child_usage
        now.child_user_time, now.child_system_time = children.user_time, children.system_time
        now.child_minor_faults, now.child_major_faults = children.minor_faults, children.major_faults
        leader = process.ended_leader
        scheduled = self._task or process.first_thread
        if scheduled is not None:
            scheduling = scheduled.scheduling
            now.nice, now.policy, now.real_time_priority = scheduling.nice, scheduling.policy, scheduling.priority
        now.thread_count = len(process.threads) + (leader is not None) or 1
        now.exit_signal = process.exit_signal
        now.exit_status = process.exit_status or 0
        now.shared_pending = process.pending.mask
        now.ignored, now.caught = process.actions.ignored(), process.actions.caught()
        if task is not None:
            now.pending, now.blocked = task.signals.pending.mask, task.signals.blocked
            account = kernel.signal_accounts.get(task.credentials.ruid)
            now.queued_signals = account.used if account is not None else 0
            now.no_new_privileges = task.credentials.no_new_privileges
        return now


#: Letters of the states of a task, see `lbw.kernel.task`.
_STATES = "RSTX"


class KernelProcSource:
    """The machine as procfs sees it."""

    def __init__(self, kernel: Kernel, devices: DeviceTable) -> None:
        self._kernel = kernel
        self.devices = devices
        self.core = kernel.core
        self._load = [0.0] * len(LOAD_PERIODS)
        self._sampled = kernel.clock.monotonic()
        self._busy = 0

    @property
    def current(self) -> View | None:
        task = self._kernel.current
        return View(task.process, task) if task is not None else None

    @property
    def identity(self) -> Identity:
        return self._kernel.hardware.identity

    def pids(self) -> list[int]:
        return sorted(self._kernel.processes)

    def process(self, number: int) -> View | None:
        process = self._kernel.processes.get(number)
        if process is None:
            task = self._kernel.tasks.get(number)
            return View(task.process, task) if task is not None else None
        return View(process, None)

    def uname(self) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes]:
        kernel = self._kernel
        return SYSNAME, kernel.hostname, RELEASE, VERSION, MACHINE, kernel.domainname

    def set_hostname(self, name: bytes) -> None:
        self._kernel.hostname = name

    def set_domainname(self, name: bytes) -> None:
        self._kernel.domainname = name

    def parameters(self) -> dict[str, Numbers]:
        from lbw.kernel.parameters import parameters

        return parameters(self._kernel)

    def ipc_tables(self) -> dict[bytes, Callable[[], bytes]]:
        from lbw.ipc.tables import TABLES

        return {name: partial(make, self._kernel.ipc) for name, make in TABLES.items()}

    def network_tables(self) -> dict[bytes, Callable[[], bytes]]:
        from lbw.net.tables import TABLES

        return {name: partial(make, self._kernel.network) for name, make in TABLES.items()}

    def status(self) -> MachineStatus:
        kernel, now = self._kernel, MachineStatus()
        clock, counters = kernel.clock, kernel.counters
        frames = kernel.frames
        now.total = frames.limit * PAGE
        now.free = frames.available * PAGE
        now.cached = kernel.page_cache.granules * GRANULE
        now.anonymous = max(frames.used * PAGE - now.cached, 0)
        spaces = {id(task.memory): task.memory for task in kernel.tasks.values()}
        now.mapped = min(now.cached, sum(_file_bytes(memory) for memory in spaces.values()))
        time = clock.monotonic()
        now.uptime = time - clock.boot
        now.boot_time = kernel.boot_time
        for process in kernel.processes.values():
            usage = process.total_usage()
            # A child that was waited for is in its parent's child_usage, and its own children with it.
            now.user_time += usage.user_time + process.child_usage.user_time
            now.system_time += usage.system_time + process.child_usage.system_time
            now.minor_faults += usage.minor_faults + process.child_usage.minor_faults
            now.major_faults += usage.major_faults + process.child_usage.major_faults
        now.idle_time = max(now.uptime - now.user_time - now.system_time, 0)
        now.context_switches = counters.switches
        now.interrupts = counters.preemptions
        now.forks = counters.forks
        now.tasks = len(kernel.tasks)
        now.running = sum(task.state == READY for task in kernel.tasks.values())
        now.last_pid = kernel.pids.last
        now.tasks_max = kernel.max_tasks
        now.pipe_pages_max = kernel.vfs.pipe_budget.limit // PAGE
        now.load = self._sample_load(time, now.user_time + now.system_time)
        return now

    def _sample_load(self, time: int, busy: int) -> tuple[float, float, float]:
        """Return the load averages: the busy share of the processor since the last look, damped exponentially."""
        passed = time - self._sampled
        if passed > 0:
            share = min(max(busy - self._busy, 0) / passed, 1.0)
            for index, period in enumerate(LOAD_PERIODS):
                kept = exp(-passed / period)
                self._load[index] = self._load[index] * kept + share * (1 - kept)
            self._sampled, self._busy = time, busy
        one, five, fifteen = self._load
        return one, five, fifteen


def _file_bytes(memory: AddressSpace) -> int:
    return sum(vma.end - vma.start for vma in memory.vmas if vma.location is not None)
