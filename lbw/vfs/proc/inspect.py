"""Who may look into a task: Linux's ptrace_may_access with PTRACE_MODE_READ.  man 2 ptrace"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_PTRACE
from lbw.abi.errno import EACCES, ESRCH, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.source import ProcSource, TaskView


def may_inspect(source: ProcSource, view: TaskView) -> bool:
    """Whether the task that asks may see the private parts (maps, links, environment) of `view`."""
    caller = source.current
    if caller is None or caller.pid == view.pid:
        return True
    ours, theirs = caller.credentials, view.credentials
    if ours.capable(CAP_SYS_PTRACE):
        return True
    return (
        view.dumpable
        and ours.fsuid == theirs.ruid == theirs.euid == theirs.suid
        and ours.fsgid == theirs.rgid == theirs.egid == theirs.sgid
        and not theirs.permitted & ~ours.effective
    )


def require_inspection(source: ProcSource, view: TaskView) -> None:
    """EACCES unless `may_inspect`; ESRCH: it is gone."""
    if not view.alive:
        raise LinuxError(ESRCH)
    if not may_inspect(source, view):
        raise LinuxError(EACCES)


def owner_of(view: TaskView) -> tuple[int, int]:
    """Return the user and group id that own the task's files in /proc."""
    if not view.dumpable:
        return 0, 0
    credentials = view.credentials
    return credentials.euid, credentials.egid
