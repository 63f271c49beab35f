"""Who may reach into another task: Linux's ptrace_may_access.  man 2 ptrace"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_PTRACE
from lbw.abi.errno import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


def may_attach(task: Task, target: Task) -> bool:
    """Whether `task` may take over what `target` has, by the user who started it.  PTRACE_MODE_ATTACH_REALCREDS"""
    ours = task.credentials
    return _may(task, target, ours.ruid, ours.rgid, ours.permitted)


def may_read(task: Task, target: Task) -> bool:
    """Whether `task` may look into `target`, by the user it acts as on files.  PTRACE_MODE_READ_FSCREDS"""
    ours = task.credentials
    return _may(task, target, ours.fsuid, ours.fsgid, ours.effective)


def _may(task: Task, target: Task, uid: int, gid: int, capabilities: int) -> bool:
    """The same process, the same user throughout, or the right to."""
    if target.process is task.process or task.credentials.capable(CAP_SYS_PTRACE):
        return True
    theirs = target.credentials
    same = {uid} == {theirs.ruid, theirs.euid, theirs.suid} and {gid} == {theirs.rgid, theirs.egid, theirs.sgid}
    return same and target.process.dumpable == 1 and not theirs.permitted & ~capabilities


def require_attach(task: Task, target: Task, errno: int) -> None:
    """Raise `errno` unless `may_attach`."""
    if not may_attach(task, target):
        raise LinuxError(errno)
