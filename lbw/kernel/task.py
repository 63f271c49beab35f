"""Tasks: a guest thread, what it shares with others, and how it waits.

A task is either in the guest, or in the run queue, or waiting inside a system call. A call that has to wait is a
coroutine; it waits only through `Task.wait`, so there is one place where a task can be woken, time out or be
interrupted.

Rules.
- The first reason to wake up wins. A task that was woken by a queue and then got a signal sees the wake-up first,
  tries its operation again, and finds the signal when it would have to wait again; so data is never lost to a signal.
- `attention` is zero in the common case; after each trap the run loop looks at this one word only.
- Whoever kills a task closes its coroutine: `finally` blocks in handlers run, nothing else does.
"""

from __future__ import annotations

from lbw.abi.signal import SIGKILL
from lbw.kernel.policies import ORDINARY
from lbw.signals.sigset import bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import CoroutineType
    from typing import Any

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Context
    from lbw.ipc.undo import UndoList
    from lbw.kernel.fds import FileTable
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.mm.address_space import AddressSpace
    from lbw.signals.task_signals import TaskSignals
    from lbw.vfs.context import FsContext
    from lbw.vfs.credentials import Credentials
    from lbw.waiting import WaitQueue

#: States of a task. READY includes running. PARKED: its process is stopped. DEAD: never runs again.
READY, WAITING, PARKED, DEAD = range(4)

#: Bits of `Task.attention`.
SIGNAL = 1  # a signal may want delivery
RELOAD = 2  # context, memory or ABI were exchanged (execve)
YIELD = 4  # let others run
EXIT = 8  # the task is dead: leave it
RSEQ = 16  # it was interrupted: a critical section of rseq(2) begins again
MEMORY = 32  # memory is scarce (lbw.kernel.oom)

#: How a wait ended.
PENDING, WOKEN, TIMED_OUT, INTERRUPTED = range(4)


_KILL = bit(SIGKILL)


class Interrupted(Exception):
    """Thrown into the wait of a system call when a signal wants delivery.

    Handlers let it pass (or undo and re-raise); the dispatcher restarts the call or makes it EINTR.
    """

    #: How the call goes on (lbw.kernel.restart); None: as its row says.
    rule: int | None = None


class _Switch:
    """Awaiting this gives the processor away."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


_SWITCH = _Switch()


class Task:
    """A guest thread."""

    __slots__ = (
        "abi", "attention", "call", "clear_child_tid", "comm", "context", "coroutine", "fatal_only", "files", "fs",
        "interrupted", "involuntary_switches", "io_priority", "kernel", "memory", "outcome", "parent_death_signal",
        "process", "program_abi", "rate", "restart_call", "robust_lists", "rseq", "rseq_signature", "scheduling",
        "signals", "slice_start", "start_time", "state", "system_time", "tid", "tls", "undo_list", "user_time",
        "vfork_queue", "virtual_time", "voluntary_switches",
    )  # fmt: skip

    def __init__(
        self, kernel: Kernel, tid: int, process: Process, abi: Abi, context: Context, memory: AddressSpace,
        files: FileTable, fs: FsContext, signals: TaskSignals, comm: bytes,
    ) -> None:  # fmt: skip
        self.kernel = kernel
        self.tid = tid
        self.process = process
        self.abi = abi  # of the system call under way; else, and nearly always, the program's
        self.program_abi = abi
        self.context = context
        self.memory = memory
        self.files = files
        self.fs = fs
        self.signals = signals
        self.comm = comm  # at most 15 bytes; prctl(PR_SET_NAME) through set_comm
        self.state = READY
        self.attention = 0
        # The system call that waits, or was interrupted
        self.coroutine: CoroutineType[Any, Any, int] | None = None
        self.call = -1  # its number
        self.interrupted: int | None = None  # restart rule of a call that Interrupted has ended, until it is settled
        self.restart_call: Callable[[], int | Awaitable[int]] | None = None  # what restart_syscall does
        self.outcome = PENDING
        self.fatal_only = False
        # Registered by the guest
        self.tls = (0, 0, 0)  # descriptors of the GDT entries for TLS (lbw.kernel.tls)
        self.clear_child_tid = 0  # address, 0: none
        self.robust_lists: dict[int, int] = {}  # addresses of struct robust_list_head, by word size
        self.rseq = 0  # address of struct rseq, 0: none (lbw.kernel.rseq)
        self.rseq_signature = 0
        self.parent_death_signal = 0
        self.undo_list: UndoList | None = None  # of System V semaphores
        self.vfork_queue: WaitQueue | None = None  # where the parent waits for our exec or exit
        self.scheduling = ORDINARY  # set by lbw.kernel.scheduling.set_scheduling, which keeps `rate` true to it
        self.rate = 1.0
        self.io_priority = 0  # IOPRIO_*, kept and told
        # Accounting, in ns
        self.start_time = kernel.clock.monotonic()
        self.virtual_time = kernel.scheduler.least  # see lbw.kernel.scheduler
        self.slice_start = 0
        self.user_time = 0
        self.system_time = 0
        self.voluntary_switches = 0
        self.involuntary_switches = 0

    def __repr__(self) -> str:
        return f"<Task {self.tid} {self.comm.decode(errors='replace')}>"

    @property
    def credentials(self) -> Credentials:
        """Who the task acts as."""
        return self.fs.credentials

    @credentials.setter
    def credentials(self, value: Credentials) -> None:
        self.fs.credentials = value

    @property
    def wait_channel(self) -> bytes:
        """The name of the system call that waits, for /proc/PID/wchan."""
        if self.coroutine is None:
            return b""
        return self.kernel.tables[self.abi].name(self.call).encode()

    def shared_undo_list(self) -> UndoList:
        """Return the list of what is taken back when the task ends, which CLONE_SYSVSEM shares."""
        if self.undo_list is None:
            from lbw.ipc.undo import UndoList

            self.undo_list = UndoList()
        return self.undo_list

    def set_comm(self, name: bytes) -> None:
        """Set the thread's name, cut to 15 bytes; the leader's is the process's too."""
        self.comm = name.split(b"\0", 1)[0][:15]
        if self.tid == self.process.pid:
            self.process.comm = self.comm

    # Waiting

    async def wait(self, *queues: WaitQueue, deadline: int | None = None, interruptible: bool = True) -> bool:
        """Wait until one of `queues` wakes us; False: `deadline` (monotonic ns) has passed first.

        Interrupted: a signal wants delivery. With `interruptible` false only a fatal one counts. Spurious wake-ups are
        allowed: check your condition again.
        """
        if self.attention & SIGNAL and (interruptible or self._killed):
            raise Interrupted
        kernel = self.kernel
        if deadline is not None and deadline <= kernel.clock.monotonic():
            return False
        for queue in queues:
            queue.add(self)
        timer = None if deadline is None else kernel.timers.add(deadline, self.time_out, waits=True)
        self.outcome = PENDING
        self.fatal_only = not interruptible
        self.state = WAITING
        self.voluntary_switches += 1
        try:
            await _SWITCH
        finally:
            for queue in queues:
                queue.remove(self)
            if timer is not None:
                kernel.timers.cancel(timer)
        if self.outcome == INTERRUPTED:
            raise Interrupted
        return self.outcome == WOKEN

    async def give_way(self, interruptible: bool = True) -> None:
        """Let others run, in the middle of a long call; `interruptible` as for `wait`.  Interrupted"""
        if self.attention & SIGNAL and (interruptible or self._killed):
            raise Interrupted
        await _SWITCH

    @property
    def _killed(self) -> bool:
        return bool((self.signals.pending.mask | self.process.pending.mask) & _KILL)

    def wake(self) -> None:
        """Make a waiting task runnable; harmless otherwise."""
        if self.state == WAITING:
            self.outcome = WOKEN
            self.kernel.scheduler.ready(self)

    def time_out(self) -> None:
        """End the wait because its deadline has passed."""
        if self.state == WAITING:
            self.outcome = TIMED_OUT
            self.kernel.scheduler.ready(self)

    def interrupt(self, fatal: bool = False) -> None:
        """A signal that the task does not block became pending: have it delivered, breaking off a wait."""
        self.attention |= SIGNAL
        if self.state == WAITING and (fatal or not self.fatal_only):
            self.outcome = INTERRUPTED
            self.kernel.scheduler.ready(self)
