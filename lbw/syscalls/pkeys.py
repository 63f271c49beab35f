"""What memory cannot do here: protection keys, nonlinear mappings, user fault handling, sealed mappings.

Protection keys are as on a processor without PKU: the calls exist, there is no key to allocate, and `pkey_mprotect`
with key -1 is mprotect. The others answer as a Linux that was built without them.
man 2 pkey_alloc, pkey_mprotect, remap_file_pages, userfaultfd, mseal
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOSPC, ENOSYS, LinuxError
from lbw.mm.vma import PAGE_MASK
from lbw.syscalls.memory import MAP_NAMES, PROT_NAMES
from lbw.syscalls.parameters import Flags, Hex, Int, Pointer, Size
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_RIGHTS = {1: "PKEY_DISABLE_ACCESS", 2: "PKEY_DISABLE_WRITE"}
_NOTE = "ENOSYS, as a kernel built without it"


@syscall("pkey_alloc", Hex("flags"), Flags("access_rights", _RIGHTS), support=PARTIAL, note="there are no keys")
def pkey_alloc(task: Task, flags: int, rights: int) -> int:
    """Allocate a protection key.  EINVAL: bad arguments; ENOSPC: there are none"""
    raise LinuxError(EINVAL if flags or rights & ~3 else ENOSPC)


@syscall("pkey_free", Int("pkey"), support=PARTIAL, note="there are no keys")
def pkey_free(task: Task, key: int) -> int:
    """Free a protection key.  EINVAL: it was not allocated"""
    raise LinuxError(EINVAL)


@syscall(
    "pkey_mprotect", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES), Int("pkey"), support=PARTIAL,
    note="there are no keys",
)  # fmt: skip
def pkey_mprotect(task: Task, address: int, length: int, prot: int, key: int) -> int:
    """Change the protection of pages; a key is -1: the usual one.  EINVAL: another key, and as mprotect"""
    if key != -1 and (length or address & PAGE_MASK):
        raise LinuxError(EINVAL)
    task.memory.mprotect(address, length, prot)
    return 0


@syscall(
    "remap_file_pages", Pointer("addr"), Size("size"), Flags("prot", PROT_NAMES), Hex("pgoff"),
    Flags("flags", MAP_NAMES), support=PARTIAL, note=_NOTE,
)  # fmt: skip
def remap_file_pages(task: Task, address: int, size: int, prot: int, page: int, flags: int) -> int:
    """Rearrange the pages of a mapping.  ENOSYS: deprecated since Linux 3.16; mmap with MAP_FIXED does it"""
    raise LinuxError(ENOSYS)


@syscall("userfaultfd", Hex("flags"), support=PARTIAL, note=_NOTE)
def userfaultfd(task: Task, flags: int) -> int:
    """Handle page faults in user space.  ENOSYS"""
    raise LinuxError(ENOSYS)


@syscall("mseal", Pointer("addr"), Size("length"), Hex("flags"), support=PARTIAL, note=_NOTE)
def mseal(task: Task, address: int, length: int, flags: int) -> int:
    """Forbid changes of mappings.  ENOSYS, as in Linux before 6.10"""
    raise LinuxError(ENOSYS)
