"""Who a task is: user and group ids; how user ids change.  man 7 credentials

Credentials are never changed in place: a call makes a copy, changes it, and `commit` puts it there with what follows
from the change. So whoever holds the old ones (an open file, a running path walk) keeps them.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_SETUID, SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.syscalls.parameters import Out, UInt
from lbw.syscalls.table import syscall
from lbw.vfs.credentials import FILE_SYSTEM_CAPABILITIES, Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: An id that means "leave it", (uid_t) -1.
KEEP = 0xFFFFFFFF
ID = Struct("<I")


class Id(UInt):
    """A uid_t or gid_t; -1 leaves things as they are."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        raw &= KEEP
        return "-1" if raw == KEEP else str(raw)


class OutId(Out):
    """Where a uid_t or gid_t goes."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        if result < 0 or not raw:
            return super().show(task, raw, result)
        return f"[{task.memory.load(raw, ID)[0]}]"


def commit(task: Task, new: Credentials) -> None:
    """Make `new` the credentials of `task`.

    Whoever changes an effective id, or gains a capability, cannot be traced or dumped by its former self any more, and
    its parent's death is no longer its business.
    """
    old = task.credentials
    if (
        (old.euid, old.egid, old.fsuid, old.fsgid) != (new.euid, new.egid, new.fsuid, new.fsgid)
        or new.permitted & ~old.permitted
    ):  # fmt: skip
        task.process.dumpable = task.kernel.core.suid_dumpable
        task.parent_death_signal = 0
    task.credentials = new


def follow_user_ids(old: Credentials, new: Credentials) -> None:
    """Adjust the capabilities of `new` to the change of user ids.  man 7 capabilities, "Effect of user ID changes" """
    if new.securebits & SECBIT_NO_SETUID_FIXUP:
        return
    if 0 in (old.ruid, old.euid, old.suid) and 0 not in (new.ruid, new.euid, new.suid):
        if not new.securebits & SECBIT_KEEP_CAPS:
            new.permitted = new.effective = 0
        new.ambient = 0
    if old.euid == 0 and new.euid != 0:
        new.effective = 0
    elif old.euid != 0 and new.euid == 0:
        new.effective = new.permitted


def follow_file_system_id(old: Credentials, new: Credentials) -> None:
    """Take or give the capabilities that concern files when setfsuid leaves or reaches 0."""
    if new.securebits & SECBIT_NO_SETUID_FIXUP:
        return
    if old.fsuid == 0 and new.fsuid != 0:
        new.effective &= ~FILE_SYSTEM_CAPABILITIES
    elif old.fsuid != 0 and new.fsuid == 0:
        new.effective |= new.permitted & FILE_SYSTEM_CAPABILITIES


# Asking


@syscall("getuid")
def getuid(task: Task) -> int:
    """Return the real user id.  man 2 getuid"""
    return task.credentials.ruid


@syscall("geteuid")
def geteuid(task: Task) -> int:
    """Return the effective user id.  man 2 getuid"""
    return task.credentials.euid


@syscall("getgid")
def getgid(task: Task) -> int:
    """Return the real group id.  man 2 getgid"""
    return task.credentials.rgid


@syscall("getegid")
def getegid(task: Task) -> int:
    """Return the effective group id.  man 2 getgid"""
    return task.credentials.egid


@syscall("getresuid", OutId("ruid"), OutId("euid"), OutId("suid"))
def getresuid(task: Task, ruid: int, euid: int, suid: int) -> int:
    """Store real, effective and saved user id.  man 2 getresuid"""
    who = task.credentials
    for address, value in ((ruid, who.ruid), (euid, who.euid), (suid, who.suid)):
        task.memory.store(address, ID, value)
    return 0


@syscall("getresgid", OutId("rgid"), OutId("egid"), OutId("sgid"))
def getresgid(task: Task, rgid: int, egid: int, sgid: int) -> int:
    """Store real, effective and saved group id.  man 2 getresgid"""
    who = task.credentials
    for address, value in ((rgid, who.rgid), (egid, who.egid), (sgid, who.sgid)):
        task.memory.store(address, ID, value)
    return 0


# Users


@syscall("setuid", Id("uid"))
def setuid(task: Task, uid: int) -> int:
    """Set the effective user id; with CAP_SETUID all of them.  man 2 setuid: EINVAL, EPERM"""
    if uid == KEEP:
        raise LinuxError(EINVAL)
    old = task.credentials
    new = old.copy()
    if old.capable(CAP_SETUID):
        new.ruid = new.suid = uid
    elif uid not in (old.ruid, old.suid):
        raise LinuxError(EPERM)
    new.euid = new.fsuid = uid
    follow_user_ids(old, new)
    commit(task, new)
    return 0


@syscall("setreuid", Id("ruid"), Id("euid"))
def setreuid(task: Task, ruid: int, euid: int) -> int:
    """Set real and effective user id.  man 2 setreuid: EPERM"""
    old = task.credentials
    new = old.copy()
    privileged = old.capable(CAP_SETUID)
    if ruid != KEEP:
        if not privileged and ruid not in (old.ruid, old.euid):
            raise LinuxError(EPERM)
        new.ruid = ruid
    if euid != KEEP:
        if not privileged and euid not in (old.ruid, old.euid, old.suid):
            raise LinuxError(EPERM)
        new.euid = euid
    if ruid != KEEP or (euid != KEEP and euid != old.ruid):
        new.suid = new.euid
    new.fsuid = new.euid
    follow_user_ids(old, new)
    commit(task, new)
    return 0


@syscall("setresuid", Id("ruid"), Id("euid"), Id("suid"))
def setresuid(task: Task, ruid: int, euid: int, suid: int) -> int:
    """Set real, effective and saved user id.  man 2 setresuid: EPERM"""
    old = task.credentials
    allowed = (KEEP, old.ruid, old.euid, old.suid)
    if not old.capable(CAP_SETUID) and not {ruid, euid, suid}.issubset(allowed):
        raise LinuxError(EPERM)
    if ruid in (KEEP, old.ruid) and suid in (KEEP, old.suid) and (euid == KEEP or euid == old.euid == old.fsuid):
        return 0  # and the file system id stays apart if it was
    new = old.copy()
    new.ruid = old.ruid if ruid == KEEP else ruid
    new.euid = old.euid if euid == KEEP else euid
    new.suid = old.suid if suid == KEEP else suid
    new.fsuid = new.euid
    follow_user_ids(old, new)
    commit(task, new)
    return 0


@syscall("setfsuid", Id("fsuid"))
def setfsuid(task: Task, fsuid: int) -> int:
    """Set the user id for file access if allowed; return the old one in any case.  man 2 setfsuid"""
    old = task.credentials
    if fsuid != KEEP and (old.capable(CAP_SETUID) or fsuid in (old.ruid, old.euid, old.suid, old.fsuid)):
        new = old.copy()
        new.fsuid = fsuid
        follow_file_system_id(old, new)
        commit(task, new)
    return old.fsuid
