"""Executing programs.  man 2 execve, execveat"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ELOOP, ENOENT, LinuxError
from lbw.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from lbw.abi.stat import S_IFLNK
from lbw.kernel.exec import execute, read_strings
from lbw.syscalls.parameters import DirFd, Flags, Path, StringArray
from lbw.syscalls.start import place
from lbw.syscalls.table import syscall
from lbw.vfs.operations import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

EXEC_FLAGS = {AT_EMPTY_PATH: "AT_EMPTY_PATH", AT_SYMLINK_NOFOLLOW: "AT_SYMLINK_NOFOLLOW"}


@syscall("execve", Path("pathname"), StringArray("argv"), StringArray("envp"))
def execve(task: Task, pathname: bytes, argv: int, envp: int) -> int:
    """Replace the program of the process.

    EACCES, E2BIG, EFAULT, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOMEM, ENOTDIR; the caller goes on untouched.  man 2 execve
    """
    location = resolve(task.fs, pathname)
    execute(task, location, pathname, read_strings(task, argv), read_strings(task, envp))
    return 0


@syscall(
    "execveat", DirFd("dirfd"), Path("pathname"), StringArray("argv"), StringArray("envp"), Flags("flags", EXEC_FLAGS)
)
def execveat(task: Task, dirfd: int, pathname: bytes, argv: int, envp: int, flags: int) -> int:
    """Replace the program of the process by one found relative to a directory, or open as `dirfd` (AT_EMPTY_PATH).

    ELOOP: a symbolic link, with AT_SYMLINK_NOFOLLOW; ENOENT: a script open as a close-on-exec descriptor.  man 2
    execveat
    """
    if flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW):
        raise LinuxError(EINVAL)
    if not pathname and not flags & AT_EMPTY_PATH:
        raise LinuxError(ENOENT)
    location = place(task, dirfd, pathname, flags, not flags & AT_SYMLINK_NOFOLLOW)
    if location.kind == S_IFLNK:
        raise LinuxError(ELOOP)
    filename, unreachable = pathname, False
    if dirfd != AT_FDCWD and pathname[:1] != b"/":
        filename = b"/dev/fd/%d" % dirfd + (b"/" + pathname if pathname else b"")
        unreachable = task.files.get_close_on_exec(dirfd)
    elif not pathname:
        filename = b"/dev/fd/%d" % dirfd
    execute(task, location, filename, read_strings(task, argv), read_strings(task, envp), unreachable=unreachable)
    return 0
