"""Where core files go and what they are called: /proc/sys/kernel/core_pattern and its neighbours.  man 5 core

Only files: a pattern that begins with `|` would start a program as root outside of every session, and is refused.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.resource import RLIMIT_CORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: CORENAME_MAX_SIZE: the longest pattern, its NUL included.
PATTERN_MAX = 128

#: What /proc/PID/coredump_filter has at first: private and shared anonymous memory, and first pages of ELF files.
DEFAULT_FILTER = 0x33
#: Bits of it that exist.
FILTER_BITS = 0x1FF


class CoreSettings:
    """The parameters of a machine, as bytes and numbers."""

    __slots__ = ("pattern", "suid_dumpable", "uses_pid")

    def __init__(self) -> None:
        self.pattern = b"core"
        self.uses_pid = 0
        self.suid_dumpable = 0  # what `dumpable` becomes for processes that changed their identity

    def set_pattern(self, data: bytes) -> None:
        """Take what was written to core_pattern.  EINVAL: a pipe to a program"""
        pattern = data.split(b"\0", 1)[0].split(b"\n", 1)[0][: PATTERN_MAX - 1]
        if pattern.startswith(b"|"):
            raise LinuxError(EINVAL)
        self.pattern = pattern

    def set_uses_pid(self, data: bytes) -> None:
        """Take what was written to core_uses_pid.  EINVAL: no number"""
        self.uses_pid = _number(data, -(1 << 31), (1 << 31) - 1)

    def set_suid_dumpable(self, data: bytes) -> None:
        """Take what was written to suid_dumpable.  EINVAL: not 0, 1 or 2"""
        self.suid_dumpable = _number(data, 0, 2)


def _number(data: bytes, low: int, high: int) -> int:
    try:
        value = int(data.split(b"\0", 1)[0])
    except ValueError:
        raise LinuxError(EINVAL) from None
    if not low <= value <= high:
        raise LinuxError(EINVAL)
    return value


def core_name(task: Task, signo: int, executable: bytes | None) -> bytes:
    """Return the path of the core file of `task`, killed by `signo`; `executable` is the path of its program.

    What a program may have chosen itself (its name, the path) cannot lead into another directory.
    """
    settings, process, credentials = task.kernel.core, task.process, task.credentials
    path = executable if executable is not None else task.comm + b" (path unknown)"
    values = {
        b"%": b"%",
        b"p": b"%d" % process.pid, b"P": b"%d" % process.pid,
        b"i": b"%d" % task.tid, b"I": b"%d" % task.tid,
        b"u": b"%d" % credentials.ruid, b"g": b"%d" % credentials.rgid,
        b"d": b"%d" % process.dumpable,
        b"s": b"%d" % signo,
        b"t": b"%d" % (task.kernel.clock.realtime() // 1_000_000_000),
        b"h": _component(task.kernel.hostname),
        b"e": _component(task.comm),
        b"f": _component(path.rsplit(b"/", 1)[-1] if executable is not None else path),
        b"E": _component(path),
        b"c": b"%d" % process.limits.soft(RLIMIT_CORE),
        b"C": b"0",
    }  # fmt: skip
    parts = settings.pattern.split(b"%")
    name = [parts[0]]
    names_pid = False
    index = 1
    while index < len(parts):
        part = parts[index]
        if part:
            name += values.get(part[:1], b""), part[1:]
            names_pid |= part[:1] == b"p"
        elif index + 1 < len(parts):  # "%%"
            index += 1
            name += b"%", parts[index]
        index += 1
    if settings.uses_pid and not names_pid:
        name.append(b".%d" % process.pid)
    return b"".join(name)


def _component(name: bytes) -> bytes:
    """Return `name` as it may stand in a path without being more than one component, nor `.` or `..`."""
    name = name.replace(b"/", b"!")
    if name in (b"", b".", b".."):
        return b"!" + name[1:]
    return name
