"""The files of /proc/PID that are one line, and what may be written to those that take it.  man 5 proc"""

from __future__ import annotations

from lbw.vfs.proc import coredump, oom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.proc.process import TaskEntry

def comm(entry: TaskEntry) -> bytes:
    """Return the name."""
    return entry.view.comm + b"\n"


def rename(entry: TaskEntry, name: bytes) -> None:
    """Set the name, cut to 15 bytes."""
    entry.view.set_comm(name.split(b"\0", 1)[0][:15])


def wchan(entry: TaskEntry) -> bytes:
    """Return what the task waits in, without a newline; 0: it runs."""
    return entry.view.wait_channel or b"0"


def system_call(entry: TaskEntry) -> bytes:
    """Return number and arguments of the call that waits, stack pointer and program counter; -1: in no call."""
    now = entry.view.system_call()
    if now is None:
        return b"running\n"
    number, arguments, stack, counter = now
    if number < 0:
        return b"-1 0x%x 0x%x\n" % (stack, counter)
    return b"%d %s 0x%x 0x%x\n" % (number, " ".join(map(hex, arguments)).encode(), stack, counter)


def children(entry: TaskEntry) -> bytes:
    """Return the numbers of the processes that the thread has made."""
    return b"".join([b"%d " % pid for pid in entry.view.children()])


def schedstat(entry: TaskEntry) -> bytes:
    """Return the time on the processor, the time waiting for it (not measured), in ns, and the number of slices."""
    now = entry.view.status()
    slices = now.voluntary_switches + now.involuntary_switches
    return b"%d 0 %d\n" % (now.user_time + now.system_time, slices)


def cgroup(entry: TaskEntry) -> bytes:
    """Return the control group: there is only the root of the one hierarchy."""
    return b"0::/\n"


def cpuset(entry: TaskEntry) -> bytes:
    """Return the set of processors: the root."""
    return b"/\n"


def id_map(entry: TaskEntry) -> bytes:
    """Return the map of the initial user namespace: everything to itself."""
    return b"%10d %10d %10d\n" % (0, 0, 0xFFFFFFFF)


def unset(entry: TaskEntry) -> bytes:
    """Return the audit user or session id: unset, nobody logs in."""
    return b"%d" % 0xFFFFFFFF


def setgroups(entry: TaskEntry) -> bytes:
    """Return whether setgroups(2) is allowed in the user namespace."""
    return b"allow\n"


def personality(entry: TaskEntry) -> bytes:
    """Return the execution domain."""
    return b"%08x\n" % entry.view.personality


def timer_slack(entry: TaskEntry) -> bytes:
    """Return how late timers may be, ns."""
    return b"%d\n" % entry.view.timer_slack


#: What takes what is written to a file, the entry being alive.
WRITERS: dict[bytes, Callable[[TaskEntry, bytes], None]] = {
    b"comm": rename,
    b"coredump_filter": coredump.accept,
    b"oom_adj": oom.adjust_old,
    b"oom_score_adj": oom.adjust,
}
