"""Who may reach into another task: Linux's ptrace_may_access.  man 2 ptrace"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_PTRACE
from lbw.abi.errno import LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


def may_attach(task: Task, target: Task) -> bool:
    """Whether `task` may take over what `target` has: the same process, the same user throughout, or the right to.

    PTRACE_MODE_ATTACH_REALCREDS
    """
    if target.process is task.process:
        return True
    ours, theirs = task.credentials, target.credentials
    if ours.capable(CAP_SYS_PTRACE):
        return True
    same = {ours.ruid} == {theirs.ruid, theirs.euid, theirs.suid}
    same = same and {ours.rgid} == {theirs.rgid, theirs.egid, theirs.sgid}
    return same and target.process.dumpable == 1 and not theirs.permitted & ~ours.permitted


def may_read(task: Task, target: Task) -> bool:
    """Whether `task` may look into `target`, by the user it acts as on files.  PTRACE_MODE_READ_FSCREDS"""
    if target.process is task.process:
        return True
    ours, theirs = task.credentials, target.credentials
    if ours.capable(CAP_SYS_PTRACE):
        return True
    same = {ours.fsuid} == {theirs.ruid, theirs.euid, theirs.suid}
    same = same and {ours.fsgid} == {theirs.rgid, theirs.egid, theirs.sgid}
    return same and target.process.dumpable == 1 and not theirs.permitted & ~ours.effective


def require_attach(task: Task, target: Task, errno: int) -> None:
    """Raise `errno` unless `may_attach`."""
    if not may_attach(task, target):
        raise LinuxError(errno)
