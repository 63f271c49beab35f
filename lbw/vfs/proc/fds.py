"""/proc/PID/fd and fdinfo: a task's descriptors as links that lead straight to the open files."""

from __future__ import annotations

from lbw.abi.errno import ENOENT, LinuxError
from lbw.abi.fcntl import O_CLOEXEC
from lbw.abi.stat import S_IFLNK, S_IFREG, S_IRUSR, S_IWUSR, S_IXUSR
from lbw.vfs.inode import Inode
from lbw.vfs.location import Location
from lbw.vfs.mount import Mount
from lbw.vfs.proc.inspect import require_inspection
from lbw.vfs.proc.task_entries import TaskDirectory, TaskLink
from lbw.vfs.pseudo import TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File
    from lbw.vfs.proc.process import TaskEntry
    from lbw.vfs.proc.source import Descriptors

#: Inode numbers of the links and of the fdinfo files, above the base of the task's directory. They have to fit 32 bits
#: (`task_ino`), so descriptors from ROOM on share them with others.
FD_INO, FDINFO_INO, ROOM = 0x1000, 0x4000, 0x3000


def link_text(inode: Inode) -> bytes:
    """Return how an open file without a path is shown."""
    text = getattr(inode, "link_text", None)
    return bytes(text()) if text is not None else b"anon_inode:[%s]" % inode.fs.type_name.encode()


def nameless(inode: Inode) -> Location:
    """Return a location for an inode that has no name, so that /proc/PID/fd/N can be opened."""
    return Location(Mount(0, inode.fs, None, 0, inode.fs.type_name.encode()), inode, None, link_text(inode))


class FdLink(TaskLink):
    """/proc/PID/fd/N."""

    __slots__ = ("fd", "file")

    def __init__(self, entry: TaskEntry, fd: int, file: File) -> None:
        permissions = S_IXUSR if file.readable or file.writable else 0
        permissions |= (S_IRUSR if file.readable else 0) | (S_IWUSR if file.writable else 0)
        super().__init__(entry, entry.ino + FD_INO + fd % ROOM, permissions)
        self.fd = fd
        self.file = file

    def readlink(self) -> bytes:
        require_inspection(self._entry.source, self._entry.view)
        location = self.file.location
        return link_text(self.file.inode) if location is None else self._entry.path_of(location)

    def magic_link(self) -> Location:
        require_inspection(self._entry.source, self._entry.view)
        return self.file.location or nameless(self.file.inode)


class _DescriptorDirectory(TaskDirectory):
    __slots__ = ()

    def _table(self) -> Descriptors:
        require_inspection(self._entry.source, self._entry.view)
        files = self._entry.view.files
        if files is None:
            raise LinuxError(ENOENT)
        return files

    def _find(self, name: bytes) -> tuple[int, File]:
        if not name.isdigit() or (name[0] == 48 and len(name) > 1) or len(name) > 10:
            raise LinuxError(ENOENT)
        try:
            return int(name), self._table().get_any(int(name))
        except LinuxError:
            raise LinuxError(ENOENT) from None


class FdDirectory(_DescriptorDirectory):
    """/proc/PID/fd."""

    __slots__ = ()

    def lookup(self, name: bytes) -> Inode:
        return FdLink(self._entry, *self._find(name))

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        fd, file = self._find(name)
        return known if isinstance(known, FdLink) and known.file is file else FdLink(self._entry, fd, file)

    def entries(self) -> list[tuple[bytes, int, int]]:
        base = self._entry.ino + FD_INO
        return [(b"%d" % fd, base + fd % ROOM, S_IFLNK) for fd, _ in self._table().items()]


class FdInfoDirectory(_DescriptorDirectory):
    """/proc/PID/fdinfo."""

    __slots__ = ()

    def lookup(self, name: bytes) -> Inode:
        fd, _ = self._find(name)

        def produce() -> bytes:
            files = self._table()
            return fdinfo(files.get_any(fd), files.get_close_on_exec(fd))

        return TextInode(self.fs, self._entry.ino + FDINFO_INO + fd % ROOM, produce, 0o400, *self.owner())

    def entries(self) -> list[tuple[bytes, int, int]]:
        base = self._entry.ino + FDINFO_INO
        return [(b"%d" % fd, base + fd % ROOM, S_IFREG) for fd, _ in self._table().items()]


def fdinfo(file: File, close_on_exec: bool) -> bytes:
    """Return /proc/PID/fdinfo/N."""
    location = file.location
    flags = file.flags & ~O_CLOEXEC | (O_CLOEXEC if close_on_exec else 0)
    mount = location.mount.id if location is not None else 0
    common = b"pos:\t%d\nflags:\t0%o\nmnt_id:\t%d\nino:\t%d\n" % (file.offset, flags, mount, file.inode.stat().ino)
    return common + file.fdinfo()
