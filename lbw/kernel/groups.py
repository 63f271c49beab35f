"""Process groups and sessions.  man 7 credentials, man 2 setpgid, setsid

A group exists as long as it has members (zombies included), a session as long as it has groups. A group is orphaned
when no member has a parent in another group of the same session (POSIX 3.264): nobody can continue it once it stops.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EINVAL, EPERM, ESRCH, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process


class Session:
    """A session: process groups that share a controlling terminal."""

    __slots__ = ("groups", "leader", "left_behind", "sid")

    def __init__(self, sid: int) -> None:
        self.sid = sid
        self.leader: Process | None = None
        self.groups: dict[int, ProcessGroup] = {}
        self.left_behind: object = None  # the foreground group of before the leader's terminal was hung up


class ProcessGroup:
    """A job."""

    __slots__ = ("members", "pgid", "session")

    def __init__(self, pgid: int, session: Session) -> None:
        self.pgid = pgid
        self.session = session
        self.members: dict[Process, None] = {}
        session.groups[pgid] = self

    @property
    def orphaned(self) -> bool:
        """Nobody outside the group, in the same session, is the parent of a living member."""
        for member in self.members:
            parent = member.parent
            if (
                member.exit_status is None and parent is not None and parent.pid != 1
                and parent.group is not self and parent.group.session is self.session
            ):  # fmt: skip
                return False
        return True

    @property
    def has_stopped(self) -> bool:
        """Some living member is stopped."""
        return any(member.stop_signal and member.exit_status is None for member in self.members)


def find_group(process: Process, pgid: int) -> ProcessGroup | None:
    """Return the group `pgid`, of any session, or None."""
    for other in process.kernel.processes.values():
        if other.group.pgid == pgid:
            return other.group
    return None


def make_group(kernel: Kernel, pgid: int, session: Session) -> ProcessGroup:
    """Return a new group; its number stays in use as long as it exists."""
    kernel.pids.hold(pgid)
    return ProcessGroup(pgid, session)


def make_session(kernel: Kernel, leader: Process | None, sid: int) -> Session:
    """Return a new session; its number stays in use as long as it has groups."""
    kernel.pids.hold(sid)
    session = Session(sid)
    session.leader = leader
    return session


def leave_group(process: Process) -> None:
    """Take `process` out of its group, and drop a group and session that became empty."""
    group = process.group
    group.members.pop(process, None)
    if not group.members:
        session, pids = group.session, process.kernel.pids
        session.groups.pop(group.pgid, None)
        pids.release(group.pgid)
        if not session.groups:
            pids.release(session.sid)


def move_to(process: Process, group: ProcessGroup) -> None:
    """Make `process` a member of `group`."""
    if process.group is not group:
        leave_group(process)
        process.group = group
        group.members[process] = None


def set_group(caller: Process, pid: int, pgid: int) -> None:
    """Put `pid` (0: the caller) in group `pgid` (0: its own pid).  man 2 setpgid"""
    pgid = pgid or pid or caller.pid
    if pgid < 0:
        raise LinuxError(EINVAL)
    target = caller.kernel.processes.get(pid) if pid else caller
    if target is None and pid in caller.kernel.tasks:
        raise LinuxError(EINVAL)  # the number of a thread
    if target is None or (target is not caller and target.parent is not caller):
        raise LinuxError(ESRCH)
    if target is not caller:
        if target.session is not caller.session:
            raise LinuxError(EPERM)
        if target.executed:
            raise LinuxError(EACCES)
    session = target.session
    if session.sid == target.pid:
        raise LinuxError(EPERM)
    group = session.groups.get(pgid)
    if group is None:
        if pgid != target.pid:
            raise LinuxError(EPERM)
        group = make_group(caller.kernel, pgid, session)
    move_to(target, group)


def new_session(process: Process) -> int:
    """Make `process` the leader of a new session and group without terminal; return the session id.

    EPERM: it leads a group already.
    """
    if find_group(process, process.pid) is not None:
        raise LinuxError(EPERM)
    session = make_session(process.kernel, process, process.pid)
    move_to(process, make_group(process.kernel, process.pid, session))
    process.terminal = None
    return session.sid
