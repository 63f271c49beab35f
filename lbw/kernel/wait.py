"""Waiting for children.  man 2 wait4, waitid

One search serves both calls: which children are meant, and which of them has news that the caller asked for. News of
a stop or continuation are consumed by the first wait that reports them, zombies are reaped, unless WNOWAIT.
"""

from __future__ import annotations

from lbw.abi.errno import ECHILD, LinuxError
from lbw.abi.signal import CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT
from lbw.abi.wait import P_ALL, P_PGID, P_PID, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED
from lbw.kernel.exit import reap
from lbw.kernel.process import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

WNOTHREAD, WALL, WCLONE = 0x20000000, 0x40000000, 0x80000000  # the names in wait.h begin with two underscores


class ChildEvent:
    """What happened to a child."""

    __slots__ = ("code", "pid", "status", "uid", "usage", "value")

    def __init__(self, process: Process, code: int, value: int, status: int) -> None:
        self.pid = process.pid
        leader = process.leader
        self.uid = leader.credentials.ruid if leader is not None else process.uid
        self.code = code  # CLD_*
        self.value = value  # exit status or signal number
        self.status = status  # as wait4 encodes it
        self.usage = Usage()
        self.usage.add(process.total_usage())
        self.usage.add(process.child_usage)


def find_event(task: Task, kind: int, number: int, options: int) -> ChildEvent | None:
    """Return and consume the first event of the children selected by `kind` (P_*) and `number`; None: none yet.

    ECHILD: no such child
    """
    found = False
    for child in task.process.children:
        if kind == P_PID:
            if child.pid != number:
                continue
        elif kind == P_PGID and child.group.pgid != number:
            continue
        if not options & WALL and (child.exit_signal != SIGCHLD) != bool(options & WCLONE):
            continue
        if options & WNOTHREAD and child.parent_task is not task:
            continue
        if child.exit_status is not None and not options & WEXITED:
            continue  # of a dead child there is nothing else to wait for
        found = True
        event = child_event(child, options)
        if event is not None:
            return event
    if not found:
        raise LinuxError(ECHILD)
    return None


def child_event(child: Process, options: int) -> ChildEvent | None:
    """Return and consume what `child` has to report, or None."""
    keep = options & WNOWAIT
    status = child.exit_status
    if status is not None:
        signo = status & 0x7F
        if not signo:
            event = ChildEvent(child, CLD_EXITED, status >> 8 & 0xFF, status)
        else:
            event = ChildEvent(child, CLD_DUMPED if status & 0x80 else CLD_KILLED, signo, status)
        if not keep:
            reap(child, waited=True)
        return event
    if child.stop_signal:
        if options & WSTOPPED and not child.stop_reported:
            if not keep:
                child.stop_reported = True
            return ChildEvent(child, CLD_STOPPED, child.stop_signal, child.stop_signal << 8 | 0x7F)
    elif child.continued and options & WCONTINUED:
        if not keep:
            child.continued = False
        return ChildEvent(child, CLD_CONTINUED, SIGCONT, 0xFFFF)
    return None


async def wait_for_event(task: Task, kind: int, number: int, options: int) -> ChildEvent | None:
    """Wait for an event of the selected children; None: WNOHANG, and there is none.  ECHILD"""
    while True:
        event = find_event(task, kind, number, options)
        if event is not None or options & WNOHANG:
            return event
        await task.wait(task.process.child_queue)


def selection(task: Task, pid: int) -> tuple[int, int]:
    """Return (P_*, number) for the `pid` argument of wait4."""
    if pid > 0:
        return P_PID, pid
    if pid == -1:
        return P_ALL, 0
    return P_PGID, (-pid if pid else task.process.group.pgid)
