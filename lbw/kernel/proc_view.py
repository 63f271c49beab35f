"""A thread or process as procfs sees it: `lbw.vfs.proc.source.TaskView`."""

from __future__ import annotations

from lbw.cpu.contracts import RIP, RSP
from lbw.kernel.limits import DISPLAY, Limits
from lbw.kernel.task import READY
from lbw.vfs.credentials import Credentials
from lbw.vfs.proc.source import TaskStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.fds import FileTable
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.context import FsContext
    from lbw.vfs.location import Location


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

    @property
    def personality(self) -> int:
        return self._process.personality

    @property
    def timer_slack(self) -> int:
        return self._process.timer_slack

    @property
    def oom_adjustment(self) -> int:
        return self._process.oom_adjustment

    @property
    def oom_least(self) -> int:
        return self._process.oom_least

    def adjust_oom(self, value: int, privileged: bool) -> None:
        self._process.oom_adjustment = value
        if privileged:
            self._process.oom_least = value

    def children(self) -> list[int]:
        return [child.pid for child in self._process.children if child.parent_task is self._task]

    def system_call(self) -> tuple[int, list[int], int, int] | None:
        task = self._live
        if task is None:
            return -1, [], 0, 0
        if task.state == READY:
            return None
        registers, abi = task.context.registers, task.abi
        number = task.call if task.coroutine is not None else -1
        return number, [registers[at] for at in abi.argument_registers], registers[RSP], registers[RIP]

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
