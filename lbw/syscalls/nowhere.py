"""Calls that have a number and are not there, and need no word about it.

No Linux for x86-64 has the first. One that was built without NUMA, as for a machine with one processor, lacks the
others too (`top` and libnuma ask for them, and are content).
"""

from __future__ import annotations

from lbw.abi.errno import ENOSYS, LinuxError
from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64
from lbw.syscalls.table import own_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_BOTH = "create_module get_kernel_syms query_module afs_syscall getpmsg putpmsg nfsservctl uselib _sysctl vserver"
NAMES = {
    I386: f"{_BOTH} break stty gtty ftime prof lock mpx ulimit profil idle vm86old vm86 bdflush",
    X86_64: f"{_BOTH} tuxcall security set_thread_area get_thread_area epoll_ctl_old epoll_wait_old",
}
NUMA = "get_mempolicy set_mempolicy mbind migrate_pages move_pages set_mempolicy_home_node"


def nowhere(task: Task) -> int:
    """Tell that there is no such call.  ENOSYS"""
    raise LinuxError(ENOSYS)


for _abi, _names in NAMES.items():
    for _name in _names.split():
        own_call(_abi, _name, note="ENOSYS, as in Linux")(nowhere)
    for _name in NUMA.split():
        own_call(_abi, _name, note="ENOSYS, as in Linux without NUMA")(nowhere)
