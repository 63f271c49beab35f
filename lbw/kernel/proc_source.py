"""What the kernel tells procfs: `lbw.vfs.proc.source.ProcSource` over tasks and processes."""

from __future__ import annotations

from functools import partial
from math import exp

from lbw.abi.uname import MACHINE, RELEASE, SYSNAME, VERSION
from lbw.cpu.contracts import PAGE
from lbw.kernel.proc_view import View
from lbw.kernel.task import READY
from lbw.vfs.proc.source import MachineStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.abi.cpuid import Identity
    from lbw.kernel.kernel import Kernel
    from lbw.vfs.dev.table import DeviceTable
    from lbw.vfs.proc.parameters import Numbers
    from lbw.vfs.proc.source import MemoryStatus

SECOND = 1_000_000_000
#: Load averages are over these times (1, 5, 15 minutes), in ns.
LOAD_PERIODS = (60 * SECOND, 300 * SECOND, 900 * SECOND)


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

    def random(self, count: int) -> bytes:
        return self._kernel.random(count)

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
        now.total = kernel.frames.limit * PAGE
        time = clock.monotonic()
        now.uptime = time - clock.boot
        now.boot_time = kernel.boot_time
        for process in kernel.processes.values():
            usage = process.total_usage()
            # A child that was waited for is in its parent's child_usage, and its own children with it.
            now.user_time += usage.user_time + process.child_usage.user_time
            now.system_time += usage.system_time + process.child_usage.system_time
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

    def memory_status(self) -> MemoryStatus:
        from lbw.kernel.memory_status import memory_status

        return memory_status(self._kernel)

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
