"""Anonymous files in memory: memfd_create, and the seals of fcntl.  man 2 memfd_create, fcntl"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOSYS, EPERM, LinuxError
from lbw.abi.fcntl import (
    F_ADD_SEALS,
    F_GET_SEALS,
    F_SEAL_EXEC,
    F_SEAL_FUTURE_WRITE,
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    O_CLOEXEC,
    O_LARGEFILE,
    O_RDWR,
)
from lbw.syscalls.displays import String
from lbw.syscalls.flag_names import (
    MEMFD_FLAGS,
    MFD_ALLOW_SEALING,
    MFD_CLOEXEC,
    MFD_EXEC,
    MFD_HUGETLB,
    MFD_NOEXEC_SEAL,
)
from lbw.syscalls.open import install
from lbw.syscalls.parameters import Flags
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs.tmpfs.inode import TmpInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File
    from lbw.vfs.tmpfs.content import Content

#: The longest name, bytes: with what is shown before it, a component of a path.
NAME_MAX = 249
SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC


@syscall("memfd_create", String("name"), Flags("flags", MEMFD_FLAGS), support=PARTIAL, note="no huge pages: ENOSYS")
def memfd_create(task: Task, address: int, flags: int) -> int:
    """Create an anonymous file in memory and open it for reading and writing.

    EINVAL: an unknown flag, or a name of more than 249 bytes; ENOSYS: huge pages, as without hugetlbfs.
    man 2 memfd_create
    """
    from lbw.vfs.tmpfs.memfd import MemoryFile

    if flags & MFD_HUGETLB:
        raise LinuxError(ENOSYS)
    only(flags, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)
    name = task.memory.read_cstring(address, NAME_MAX + 1)
    if len(name) > NAME_MAX or (flags & MFD_EXEC and flags & MFD_NOEXEC_SEAL):
        raise LinuxError(EINVAL)
    credentials = task.credentials
    executable = not flags & MFD_NOEXEC_SEAL
    mode = 0o777 if executable else 0o666
    inode = MemoryFile(task.kernel.memory_files, name, mode, credentials.fsuid, credentials.fsgid)
    if flags & MFD_ALLOW_SEALING or not executable:
        inode.allow_seals(executable)
    return install(task, inode.describe(O_RDWR | O_LARGEFILE), O_CLOEXEC if flags & MFD_CLOEXEC else 0)


def content_of(file: File) -> Content:
    """Return the content of a file in memory.  EINVAL: it is another kind of file"""
    content = file.inode.content if isinstance(file.inode, TmpInode) else None
    if content is None:
        raise LinuxError(EINVAL)
    return content


def add_seals(task: Task, fd: int, file: File, seals: int) -> int:
    """F_ADD_SEALS.  EPERM: not open for writing, or sealed; EINVAL: unknown seals, no file in memory; EBUSY"""
    if not file.writable:
        raise LinuxError(EPERM)
    if seals & ~SEALS:
        raise LinuxError(EINVAL)
    content_of(file).seal(seals, bool(file.inode.mode & 0o111))
    return 0


def get_seals(task: Task, fd: int, file: File, argument: int) -> int:
    """F_GET_SEALS.  EINVAL: no file in memory"""
    return content_of(file).seals


SEAL_COMMANDS: dict[int, Callable[[Task, int, File, int], int]] = {F_ADD_SEALS: add_seals, F_GET_SEALS: get_seals}
