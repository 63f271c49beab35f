"""Processes: thread groups, with what their threads share and what their parent learns when they end.

A process without threads is a zombie (`exit_status` is set) or init. init, pid 1, is lbw's own: no guest program, it
only adopts orphans and reaps them at once.
"""

from __future__ import annotations

from lbw.abi.signal import SIGCHLD
from lbw.kernel.core_settings import DEFAULT_FILTER
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.kernel.cpu_alarm import CpuAlarm
    from lbw.kernel.groups import ProcessGroup, Session
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.limits import Limits
    from lbw.kernel.task import Task
    from lbw.signals.actions import SignalActions
    from lbw.signals.pending import PendingSignals
    from lbw.vfs.location import Location

    class Cancellable(Protocol):
        """A timer."""

        def cancel(self) -> None:
            """Disarm it for good."""


class Usage:
    """What has been consumed.  man 2 getrusage. Times in ns, `max_resident` in pages."""

    __slots__ = (
        "involuntary_switches", "major_faults", "max_resident", "minor_faults", "system_time", "user_time",
        "voluntary_switches",
    )  # fmt: skip

    def __init__(self) -> None:
        self.user_time = 0
        self.system_time = 0
        self.minor_faults = 0
        self.major_faults = 0
        self.max_resident = 0
        self.voluntary_switches = 0
        self.involuntary_switches = 0

    def add(self, other: Usage) -> None:
        """Add what `other` consumed; the resident peak is the greater one."""
        self.user_time += other.user_time
        self.system_time += other.system_time
        self.minor_faults += other.minor_faults
        self.major_faults += other.major_faults
        self.max_resident = max(self.max_resident, other.max_resident)
        self.voluntary_switches += other.voluntary_switches
        self.involuntary_switches += other.involuntary_switches

    def add_task(self, task: Task) -> None:
        """Add the times and switches of `task`."""
        self.user_time += task.user_time
        self.system_time += task.system_time
        self.voluntary_switches += task.voluntary_switches
        self.involuntary_switches += task.involuntary_switches


class Process:
    """A thread group."""

    __slots__ = (
        "actions", "argv", "child_queue", "child_usage", "children", "comm", "continued", "core_filter",
        "dormant_alarms", "dumpable", "ended", "ended_leader", "executable", "executed", "exit_signal", "exit_status",
        "exiting", "group", "kernel", "limits", "next_timer", "oom_adjustment", "oom_least", "parent", "parent_task",
        "pending", "personality", "pid", "signal_target", "start_time", "stop_reported", "stop_signal", "subreaper",
        "terminal", "thp_disabled", "threads", "timer_slack", "timers", "uid", "usage",
    )  # fmt: skip

    def __init__(
        self, kernel: Kernel, pid: int, parent: Process | None, group: ProcessGroup, limits: Limits,
        actions: SignalActions, pending: PendingSignals,
    ) -> None:  # fmt: skip
        self.kernel = kernel
        self.pid = pid
        self.parent = parent
        self.parent_task: Task | None = None  # the thread that forked us (PR_SET_PDEATHSIG, __WNOTHREAD)
        self.children: dict[Process, None] = {}  # in order of birth
        self.threads: list[Task] = []  # living tasks
        self.ended_leader: Task | None = None  # the first thread, once it has ended: others may go on without it
        self.group = group
        self.limits = limits
        self.actions = actions
        self.pending = pending
        self.terminal: object = parent.terminal if parent is not None else None  # the controlling one, a `Tty`
        self.executable: Location | None = None
        self.argv: list[bytes] = []
        self.comm = b""  # at most 15 bytes
        self.uid = 0  # real user id, once a zombie; ask `credentials` of a living thread before
        self.start_time = kernel.clock.monotonic()
        self.exit_signal = SIGCHLD  # 0: none
        self.exit_status: int | None = None  # as wait(2) encodes it; None: alive
        self.exiting: int | None = None  # the status with which the last thread will end the process
        self.ended: WaitQueue | None = None  # woken when the process has ended; made by the first pidfd
        self.child_queue = WaitQueue()  # woken when a child changes state
        self.signal_target: Task | None = None  # the thread that took the last signal in the leader's place
        self.stop_signal = 0  # the signal that stopped the process; 0: not stopped
        self.stop_reported = False  # to a wait
        self.continued = False  # and not yet reported to a wait
        self.executed = False  # execve since fork: setpgid by the parent is EACCES
        self.subreaper = False
        self.dumpable = 1
        self.oom_adjustment = 0  # oom_score_adj, and the least that is allowed without privileges
        self.oom_least = 0
        self.core_filter = DEFAULT_FILTER  # what of it a core file has
        # Kept and inherited, because programs ask for them again; nothing depends on them
        self.personality = 0  # man 2 personality
        self.timer_slack = 50_000  # ns
        self.thp_disabled = False
        self.usage = Usage()  # of finished threads, and the faults of all
        self.child_usage = Usage()  # of children that were waited for
        self.dormant_alarms: dict[CpuAlarm, None] = {}  # by processor time; the next turn of a thread rouses them
        self.next_timer = 0  # number of the next POSIX timer
        self.timers: dict[object, Cancellable] = {}  # interval timers, by whoever offers them
        group.members[self] = None

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.comm.decode(errors='replace')}>"

    @property
    def session(self) -> Session:
        """The session of the process group."""
        return self.group.session

    @property
    def first_thread(self) -> Task | None:
        """The thread that bears the process's number, if only as one that has ended; None: init, or waited for."""
        return self.ended_leader or self.leader

    @property
    def leader(self) -> Task | None:
        """A living thread to look at: the leader when it lives; None for zombies and init."""
        for task in self.threads:
            if task.tid == self.pid:
                return task
        return self.threads[0] if self.threads else None

    @property
    def parent_pid(self) -> int:
        """The parent's pid, 0 for init."""
        return self.parent.pid if self.parent is not None else 0

    @property
    def stopped(self) -> bool:
        """Stopped by a job control signal."""
        return self.stop_signal != 0

    @property
    def zombie(self) -> bool:
        """Ended and not yet waited for."""
        return self.exit_status is not None

    @property
    def state(self) -> str:
        """The letter of /proc/PID/stat: R, S, T or Z."""
        if self.exit_status is not None:
            return "Z"
        if self.stop_signal:
            return "T"
        return "R" if any(task.state == 0 for task in self.threads) else "S"

    def total_usage(self) -> Usage:
        """Return what the process has consumed so far, all threads together."""
        total = Usage()
        total.add(self.usage)
        for task in self.threads:
            total.add_task(task)
        leader = self.leader
        if leader is not None:
            memory = leader.memory
            total.max_resident = max(total.max_resident, memory.mmu.peak)
            total.minor_faults += memory.faults - memory.major_faults
            total.major_faults += memory.major_faults
        return total
