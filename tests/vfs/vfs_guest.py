"""The same operations as `tests.vfs.native`, by our own VFS; and the file systems that all must behave alike."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vfs_native import Result, describe

from lbw.abi.errno import NAMES, LinuxError
from lbw.abi.fcntl import O_NONBLOCK, O_PATH
from lbw.abi.stat import S_IFREG
from lbw.vfs import operations as op
from lbw.vfs.context import FsContext
from lbw.vfs.credentials import Credentials
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.inode import FileSystem
from lbw.vfs.overlay.filesystem import OverlayFileSystem
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs


class Guest:
    """A context on a file system."""

    def __init__(self, fs: FileSystem, uid: int = 0) -> None:
        self.fs = fs
        self.ctx: FsContext = Vfs(fs).context(Credentials(uid, uid))

    def do(self, name: str, *arguments: Any) -> Result:
        """Do an operation; return ("ok", result) or ("error", name of the errno)."""
        try:
            return "ok", getattr(self, name)(*arguments)
        except LinuxError as error:
            return "error", NAMES[error.errno]

    def stat(self, path: bytes, follow: bool) -> Any:
        s = op.stat(self.ctx, path, follow=follow)
        return describe(s.mode, s.nlink, s.size, s.uid, s.gid, s.rdev)

    def mkdir(self, path: bytes, mode: int) -> None:
        op.mkdir(self.ctx, path, mode)

    def mknod(self, path: bytes, mode: int) -> None:
        op.mknod(self.ctx, path, mode, 0x103)

    def rmdir(self, path: bytes) -> None:
        op.rmdir(self.ctx, path)

    def unlink(self, path: bytes) -> None:
        op.unlink(self.ctx, path)

    def rename(self, old: bytes, new: bytes, flags: int) -> None:
        op.rename(self.ctx, old, new, flags=flags)

    def link(self, old: bytes, new: bytes, follow: bool) -> None:
        op.link(self.ctx, old, new, follow=follow)

    def symlink(self, target: bytes, path: bytes) -> None:
        op.symlink(self.ctx, target, path)

    def readlink(self, path: bytes) -> bytes:
        return op.readlink(self.ctx, path)

    def open(self, path: bytes, flags: int, mode: int, data: bytes) -> Any:
        file = op.open_file(self.ctx, path, flags | O_NONBLOCK, mode).acquire()
        try:
            if flags & O_PATH:
                return None
            if flags & 3:
                return file.write([memoryview(data)])
            if file.inode.mode & 0o170000 == S_IFREG:
                buffer = bytearray(100)
                return bytes(buffer[: file.read([memoryview(buffer)])])
            return None
        finally:
            file.release()

    def truncate(self, path: bytes, size: int) -> None:
        op.truncate(self.ctx, op.resolve(self.ctx, path), size)

    def chmod(self, path: bytes, mode: int) -> None:
        op.chmod(self.ctx, op.resolve(self.ctx, path), mode)

    def chown(self, path: bytes, uid: int, gid: int, follow: bool) -> None:
        op.chown(self.ctx, op.resolve(self.ctx, path, follow=follow), uid, gid)

    def access(self, path: bytes, mode: int) -> None:
        op.access(self.ctx, path, mode)

    def list(self, path: bytes) -> Any:
        file = op.open_file(self.ctx, path, 0o200000, 0).acquire()
        try:
            return sorted(
                (name, kind == 0o040000, kind == 0o120000)
                for name, _, kind in file.entries()
                if name not in (b".", b"..")
            )
        finally:
            file.release()

    def chdir(self, path: bytes) -> bytes:
        op.chdir(self.ctx, op.resolve(self.ctx, path))
        return op.path_of(self.ctx, self.ctx.cwd)

    def utime(self, path: bytes, atime: int, mtime: int) -> Any:
        op.utimens(self.ctx, op.resolve(self.ctx, path), atime, mtime)
        s = op.stat(self.ctx, path)
        return s.atime, s.mtime

    def read(self, path: bytes, size: int = 1 << 20) -> bytes:
        """Return the content of a file."""
        file = op.open_file(self.ctx, path, 0, 0).acquire()
        buffer = bytearray(size)
        count = file.read([memoryview(buffer)])
        file.release()
        return bytes(buffer[:count])

    def write(self, path: bytes, data: bytes, flags: int = 0o1101) -> None:
        """Make a file."""
        file = op.open_file(self.ctx, path, flags, 0o644).acquire()
        assert file.write([memoryview(data)]) == len(data)
        file.release()


def directory() -> str:
    """Return a new directory, which goes when the tests end."""
    path = tempfile.mkdtemp(prefix="lbw-test-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    atexit.register(Path(path + ".lbw.sqlite3").unlink, missing_ok=True)
    return path


def host() -> FileSystem:
    """A directory of the host."""
    return HostFileSystem(directory())


def fake_host() -> FileSystem:
    """A directory of the host, with owners and modes in a database."""
    return HostFileSystem(directory(), ids="fake")


def tmpfs() -> FileSystem:
    """A file system in memory."""
    return TmpFileSystem(1 << 24)


def overlay_tmpfs() -> FileSystem:
    """An overlay over an empty host directory, with its content in memory."""
    return OverlayFileSystem(host(), TmpFileSystem(1 << 24))


def overlay_host() -> FileSystem:
    """An overlay over tmpfs, with its content in a host directory."""
    return OverlayFileSystem(TmpFileSystem(1 << 24), HostFileSystem(directory()))


FILE_SYSTEMS: list[Callable[[], FileSystem]] = [host, fake_host, tmpfs, overlay_tmpfs, overlay_host]
