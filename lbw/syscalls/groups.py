"""Group ids and supplementary groups of a task; its umask.  man 7 credentials"""

from __future__ import annotations

from lbw.abi.capability import CAP_SETGID
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.syscalls.identity import ID, KEEP, Id, commit
from lbw.syscalls.parameters import Int, Mode, Out, Pointer
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: The most supplementary groups a task may have.
NGROUPS_MAX = 65536


@syscall("setgid", Id("gid"))
def setgid(task: Task, gid: int) -> int:
    """Set the effective group id; with CAP_SETGID all of them.  man 2 setgid: EINVAL, EPERM"""
    if gid == KEEP:
        raise LinuxError(EINVAL)
    old = task.credentials
    new = old.copy()
    if old.capable(CAP_SETGID):
        new.rgid = new.sgid = gid
    elif gid not in (old.rgid, old.sgid):
        raise LinuxError(EPERM)
    new.egid = new.fsgid = gid
    commit(task, new)
    return 0


@syscall("setregid", Id("rgid"), Id("egid"))
def setregid(task: Task, rgid: int, egid: int) -> int:
    """Set real and effective group id.  man 2 setregid: EPERM"""
    old = task.credentials
    new = old.copy()
    privileged = old.capable(CAP_SETGID)
    if rgid != KEEP:
        if not privileged and rgid not in (old.rgid, old.egid):
            raise LinuxError(EPERM)
        new.rgid = rgid
    if egid != KEEP:
        if not privileged and egid not in (old.rgid, old.egid, old.sgid):
            raise LinuxError(EPERM)
        new.egid = egid
    if rgid != KEEP or (egid != KEEP and egid != old.rgid):
        new.sgid = new.egid
    new.fsgid = new.egid
    commit(task, new)
    return 0


@syscall("setresgid", Id("rgid"), Id("egid"), Id("sgid"))
def setresgid(task: Task, rgid: int, egid: int, sgid: int) -> int:
    """Set real, effective and saved group id.  man 2 setresgid: EPERM"""
    old = task.credentials
    allowed = (KEEP, old.rgid, old.egid, old.sgid)
    if not old.capable(CAP_SETGID) and not {rgid, egid, sgid}.issubset(allowed):
        raise LinuxError(EPERM)
    if rgid in (KEEP, old.rgid) and sgid in (KEEP, old.sgid) and (egid == KEEP or egid == old.egid == old.fsgid):
        return 0  # and the file system id stays apart if it was
    new = old.copy()
    new.rgid = old.rgid if rgid == KEEP else rgid
    new.egid = old.egid if egid == KEEP else egid
    new.sgid = old.sgid if sgid == KEEP else sgid
    new.fsgid = new.egid
    commit(task, new)
    return 0


@syscall("setfsgid", Id("fsgid"))
def setfsgid(task: Task, fsgid: int) -> int:
    """Set the group id for file access if allowed; return the old one in any case.  man 2 setfsgid"""
    old = task.credentials
    if fsgid != KEEP and (old.capable(CAP_SETGID) or fsgid in (old.rgid, old.egid, old.sgid, old.fsgid)):
        new = old.copy()
        new.fsgid = fsgid
        commit(task, new)
    return old.fsgid


@syscall("getgroups", Int("size"), Out("list"))
def getgroups(task: Task, size: int, address: int) -> int:
    """Store the supplementary groups; return how many there are.  man 2 getgroups: EINVAL"""
    groups = task.credentials.groups
    if size < 0 or 0 < size < len(groups):
        raise LinuxError(EINVAL)
    if size and groups:
        task.memory.write(address, b"".join(ID.pack(group) for group in groups))
    return len(groups)


@syscall("setgroups", Int("size"), Pointer("list"))
def setgroups(task: Task, size: int, address: int) -> int:
    """Set the supplementary groups.  man 2 setgroups: EPERM, EINVAL"""
    if not task.credentials.capable(CAP_SETGID):
        raise LinuxError(EPERM)
    if not 0 <= size <= NGROUPS_MAX:
        raise LinuxError(EINVAL)
    data = task.memory.read(address, size * ID.size) if size else b""
    return replace_groups(task, [group for (group,) in ID.iter_unpack(data)])


def replace_groups(task: Task, groups: list[int]) -> int:
    """Make `groups` the supplementary groups; return 0.  EINVAL: -1 is no group"""
    if KEEP in groups:
        raise LinuxError(EINVAL)
    new = task.credentials.copy()
    new.groups = tuple(sorted(groups))
    commit(task, new)
    return 0


@syscall("umask", Mode("mask"))
def umask(task: Task, mask: int) -> int:
    """Set the file mode creation mask; return the old one.  man 2 umask"""
    old = task.fs.umask
    task.fs.set_umask(mask & 0o777)
    return old
