"""User and group ids of 16 bits: the calls without `32` in their names.

A larger id is told as 65534, the overflow id; -1, "leave it", is widened with its meaning.  Linux kernel/uid16.c
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_SETGID
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.i386 import I386
from lbw.syscalls import groups, identity
from lbw.syscalls.attributes import chown, fchown, lchown
from lbw.syscalls.identity import KEEP
from lbw.syscalls.parameters import CONVERSIONS, Fd, Int, Out, Path, Pointer, UInt
from lbw.syscalls.table import ROWS, own_call, variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.credentials import Credentials

ID16 = Struct("<H")
#: What an id above 65535 is told as (overflowuid).
OVERFLOW = 65534


def narrow_id(number: int) -> int:
    """Return an id in 16 bits."""
    return number if number <= 0xFFFF else OVERFLOW


def wide_id(number: int) -> int:
    """Return an id of 16 bits in 32; -1 stays -1."""
    number &= 0xFFFF
    return KEEP if number == 0xFFFF else number


CONVERSIONS["wide_id"] = wide_id


class Id16(UInt):
    """A user or group id of 16 bits; -1 leaves things as they are."""

    __slots__ = ()
    conversion = narrow = "wide_id({})"

    def show(self, task: Task, raw: int, result: int) -> str:
        raw &= 0xFFFF
        return "-1" if raw == 0xFFFF else str(raw)


class OutId16(Out):
    """Where an id of 16 bits goes."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        if result < 0 or not raw:
            return super().show(task, raw, result)
        return f"[{task.memory.load(raw, ID16)[0]}]"


variant(I386, "chown", chown, Path("pathname"), Id16("owner"), Id16("group"))
variant(I386, "lchown", lchown, Path("pathname"), Id16("owner"), Id16("group"))
variant(I386, "fchown", fchown, Fd("fd"), Id16("owner"), Id16("group"))
for _setter in ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid"):
    _row = ROWS[_setter]
    variant(I386, _setter, _row.handler, *(Id16(parameter.name) for parameter in _row.parameters))
    variant(I386, f"{_setter}32", _row.handler)
for _name, _handler in (
    ("chown32", chown), ("lchown32", lchown), ("fchown32", fchown), ("getuid32", identity.getuid),
    ("getgid32", identity.getgid), ("geteuid32", identity.geteuid), ("getegid32", identity.getegid),
    ("getresuid32", identity.getresuid), ("getresgid32", identity.getresgid), ("getgroups32", groups.getgroups),
    ("setgroups32", groups.setgroups),
):  # fmt: skip
    variant(I386, _name, _handler)


def single(name: str, which: Callable[[Credentials], int]) -> None:
    """Enter a call that returns one id."""

    def get(task: Task) -> int:
        """Return an id, 65534 if it has more than 16 bits.  man 2 getuid"""
        return narrow_id(which(task.credentials))

    own_call(I386, name)(get)


single("getuid", lambda who: who.ruid)
single("geteuid", lambda who: who.euid)
single("getgid", lambda who: who.rgid)
single("getegid", lambda who: who.egid)


def store_ids(task: Task, addresses: tuple[int, int, int], values: tuple[int, int, int]) -> int:
    """Write three ids; return 0.  EFAULT"""
    for address, value in zip(addresses, values, strict=True):
        task.memory.store(address, ID16, narrow_id(value))
    return 0


@own_call(I386, "getresuid", OutId16("ruid"), OutId16("euid"), OutId16("suid"))
def getresuid16(task: Task, ruid: int, euid: int, suid: int) -> int:
    """Store real, effective and saved user id.  man 2 getresuid"""
    who = task.credentials
    return store_ids(task, (ruid, euid, suid), (who.ruid, who.euid, who.suid))


@own_call(I386, "getresgid", OutId16("rgid"), OutId16("egid"), OutId16("sgid"))
def getresgid16(task: Task, rgid: int, egid: int, sgid: int) -> int:
    """Store real, effective and saved group id.  man 2 getresgid"""
    who = task.credentials
    return store_ids(task, (rgid, egid, sgid), (who.rgid, who.egid, who.sgid))


@own_call(I386, "getgroups", Int("size"), Out("list"))
def getgroups16(task: Task, size: int, address: int) -> int:
    """Store the supplementary groups; return how many there are.  man 2 getgroups: EINVAL"""
    known = task.credentials.groups
    if size < 0 or 0 < size < len(known):
        raise LinuxError(EINVAL)
    if size and known:
        task.memory.write(address, b"".join(ID16.pack(narrow_id(group)) for group in known))
    return len(known)


@own_call(I386, "setgroups", Int("size"), Pointer("list"))
def setgroups16(task: Task, size: int, address: int) -> int:
    """Set the supplementary groups.  man 2 setgroups: EPERM, EINVAL"""
    if not task.credentials.capable(CAP_SETGID):
        raise LinuxError(EPERM)
    if not 0 <= size <= groups.NGROUPS_MAX:
        raise LinuxError(EINVAL)
    data = task.memory.read(address, size * ID16.size) if size else b""
    return groups.replace_groups(task, [wide_id(group) for (group,) in ID16.iter_unpack(data)])
