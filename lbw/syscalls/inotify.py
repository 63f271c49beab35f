"""inotify: instances and watches.  man 7 inotify

The first instance of a machine makes its `Notifier`, and has every description that is open tell of itself from now on.
"""

from __future__ import annotations

from lbw.abi import inotify as abi
from lbw.abi.errno import EEXIST, EINVAL, ENOTDIR, LinuxError
from lbw.abi.inotify import (
    IN_ALL_EVENTS,
    IN_CLOEXEC,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_IGNORED,
    IN_ISDIR,
    IN_MASK_ADD,
    IN_MASK_CREATE,
    IN_NONBLOCK,
    IN_ONESHOT,
    IN_ONLYDIR,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
)
from lbw.abi.stat import S_IFDIR
from lbw.syscalls.displays import String
from lbw.syscalls.flag_names import named
from lbw.syscalls.parameters import Fd, Flags, Int
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.vfs.operations import resolve
from lbw.vfs.permissions import READ, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.kernel.kernel import Kernel
    from lbw.kernel.task import Task
    from lbw.vfs.file import File
    from lbw.vfs.inotify.instance import Inotify
    from lbw.vfs.inotify.notifier import Notifier

FLAGS = named(abi, "IN_NONBLOCK IN_CLOEXEC")
EVENTS = named(
    abi,
    "IN_ALL_EVENTS IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM IN_MOVED_TO"
    " IN_CREATE IN_DELETE IN_DELETE_SELF IN_MOVE_SELF IN_UNMOUNT IN_Q_OVERFLOW IN_IGNORED IN_ONLYDIR IN_DONT_FOLLOW"
    " IN_EXCL_UNLINK IN_MASK_CREATE IN_MASK_ADD IN_ISDIR IN_ONESHOT",
)

_HOW = IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT
_KNOWN = IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | _HOW
_KEPT = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT


def open_files(kernel: Kernel) -> Iterator[File]:
    """Yield the open descriptions of all processes."""
    for table in {id(task.files): task.files for task in kernel.tasks.values()}.values():
        for _, file in table.items():
            yield file


def notifier_of(task: Task) -> Notifier:
    """Return the machine's notifier; make it when this is the first instance."""
    vfs = task.fs.vfs
    if vfs.notifier is None:
        from lbw.vfs.inotify.notifier import Notifier

        vfs.notifier = Notifier(vfs.inotify_limits)
        vfs.notifier.follow(open_files(task.kernel))
    return vfs.notifier


def instance_of(task: Task, fd: int) -> Inotify:
    """Return an inotify instance.  EBADF; EINVAL: it is something else"""
    from lbw.vfs.inotify.instance import Inotify

    file = task.files.get(fd)
    if not isinstance(file, Inotify):
        raise LinuxError(EINVAL)
    return file


@syscall("inotify_init")
def inotify_init(task: Task) -> int:
    """Make an inotify instance without flags.  man 2 inotify_init"""
    return inotify_init1(task, 0)


@syscall("inotify_init1", Flags("flags", FLAGS))
def inotify_init1(task: Task, flags: int) -> int:
    """Make an inotify instance.  EMFILE: too many descriptors, or instances of the user.  man 2 inotify_init1"""
    from lbw.vfs.inotify.instance import Inotify

    only(flags, IN_NONBLOCK | IN_CLOEXEC)
    notifier = notifier_of(task)
    instance = Inotify(notifier, task.credentials.euid, flags)
    with task.files.reserve(1, bool(flags & IN_CLOEXEC)) as reservation:
        notifier.instance_opened(instance)
        fd = reservation.numbers[0]
        reservation.install((instance,))
    return fd


@syscall("inotify_add_watch", Fd("fd"), String("pathname"), Flags("mask", EVENTS))
def inotify_add_watch(task: Task, fd: int, path: int, mask: int) -> int:
    """Watch a file or directory, or change what is watched for; return the watch descriptor.

    EINVAL: no events, or not an inotify instance; EACCES: it cannot be read; ENOTDIR: IN_ONLYDIR; EEXIST:
    IN_MASK_CREATE; ENOSPC: too many watches.  man 2 inotify_add_watch
    """
    if not mask & _KNOWN:
        raise LinuxError(EINVAL)
    task.files.get(fd)
    if mask & IN_MASK_ADD and mask & IN_MASK_CREATE:
        raise LinuxError(EINVAL)
    instance = instance_of(task, fd)
    location = resolve(task.fs, task.memory.read_path(path), None, not mask & IN_DONT_FOLLOW)
    if mask & IN_ONLYDIR and location.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    require(task.credentials, location.inode, READ)
    watch = notifier_of(task).watches.get(location.inode, {}).get(instance)
    if watch is None:
        return instance.add(location.inode, mask & _KEPT).wd
    if mask & IN_MASK_CREATE:
        raise LinuxError(EEXIST)
    watch.mask = mask & _KEPT | (watch.mask if mask & IN_MASK_ADD else 0)
    return watch.wd


@syscall("inotify_rm_watch", Fd("fd"), Int("wd"))
def inotify_rm_watch(task: Task, fd: int, wd: int) -> int:
    """End a watch.  EINVAL: no such watch, or not an inotify instance.  man 2 inotify_rm_watch"""
    instance = instance_of(task, fd)
    watch = instance.watches.get(wd)
    if watch is None:
        raise LinuxError(EINVAL)
    instance.remove(watch)
    return 0
