"""Calls that have a number and that no Linux for x86-64 has: they are not there, and need no word about it."""

from __future__ import annotations

from lbw.abi.errno import ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.syscalls.table import own_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

NAMES = (
    "break stty gtty ftime prof lock mpx ulimit profil idle vm86old vm86 create_module get_kernel_syms query_module"
    " bdflush afs_syscall getpmsg putpmsg nfsservctl uselib _sysctl vserver"
)


def nowhere(task: Task) -> int:
    """Tell that there is no such call.  ENOSYS"""
    raise LinuxError(ENOSYS)


for _name in NAMES.split():
    own_call(I386, _name, note="ENOSYS, as in Linux")(nowhere)
