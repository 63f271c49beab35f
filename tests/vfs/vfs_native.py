"""The real kernel as an oracle: a child process, chrooted into a directory, does what it is told and reports."""

from __future__ import annotations

import errno
import os
import pickle
import struct
from typing import Any

from lbw.host.files_linux import rename_at2

Result = tuple[str, Any]


def describe(mode: int, nlink: int, size: int, uid: int, gid: int, rdev: int) -> tuple[int, ...]:
    """Return the attributes that every file system must agree on; a directory's size is its own affair."""
    is_directory = mode & 0o170000 == 0o040000
    return mode, nlink, 0 if is_directory else size, uid, gid, rdev


class NativeOperations:
    """The operations of the differential test, by the host's kernel."""

    def stat(self, path: bytes, follow: bool) -> Any:
        s = os.stat(path, follow_symlinks=follow)
        return describe(s.st_mode, s.st_nlink, s.st_size, s.st_uid, s.st_gid, s.st_rdev)

    def mkdir(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    def mknod(self, path: bytes, mode: int) -> None:
        os.mknod(path, mode, 0x103)

    def rmdir(self, path: bytes) -> None:
        os.rmdir(path)

    def unlink(self, path: bytes) -> None:
        os.unlink(path)

    def rename(self, old: bytes, new: bytes, flags: int) -> None:
        if flags:
            rename_at2(-100, old, -100, new, flags)
        else:
            os.rename(old, new)

    def link(self, old: bytes, new: bytes, follow: bool) -> None:
        if follow:  # Python's os.link never passes AT_SYMLINK_FOLLOW when it is not asked for, and cannot be asked
            old = os.path.realpath(old) if os.path.lexists(old) and not old.endswith(b"/") else old
        os.link(old, new, follow_symlinks=False)

    def symlink(self, target: bytes, path: bytes) -> None:
        os.symlink(target, path)

    def readlink(self, path: bytes) -> bytes:
        return os.readlink(path)

    def open(self, path: bytes, flags: int, mode: int, data: bytes) -> Any:
        fd = os.open(path, flags | os.O_NONBLOCK, mode)
        try:
            if flags & os.O_PATH:
                return None
            if flags & 3:
                return os.write(fd, data)
            if os.fstat(fd).st_mode & 0o170000 == 0o100000:
                return os.read(fd, 100)
            return None
        finally:
            os.close(fd)

    def truncate(self, path: bytes, size: int) -> None:
        os.truncate(path, size)

    def chmod(self, path: bytes, mode: int) -> None:
        os.chmod(path, mode)

    def chown(self, path: bytes, uid: int, gid: int, follow: bool) -> None:
        os.chown(path, uid, gid, follow_symlinks=follow)

    def access(self, path: bytes, mode: int) -> None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.access(path, mode):
            raise OSError(ctypes.get_errno(), "access")

    def list(self, path: bytes) -> Any:
        return sorted((os.fsencode(e.name), e.is_dir(follow_symlinks=False), e.is_symlink()) for e in os.scandir(path))

    def chdir(self, path: bytes) -> bytes:
        os.chdir(path)
        return os.getcwdb()

    def utime(self, path: bytes, atime: int, mtime: int) -> Any:
        os.utime(path, ns=(atime, mtime))
        s = os.stat(path)
        return s.st_atime_ns, s.st_mtime_ns


class Native:
    """The child. `reset` gives it a new root, and a user."""

    def __init__(self) -> None:
        here, there = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(here[1])
                os.close(there[0])
                self._serve(here[0], there[1])
            finally:
                os._exit(0)
        os.close(here[0])
        os.close(there[1])
        self._to, self._from = here[1], there[0]

    def close(self) -> None:
        """End the child."""
        os.close(self._to)
        os.close(self._from)
        os.waitpid(self._pid, 0)

    def reset(self, root: str, uid: int) -> None:
        """Change root to `root`, become `uid`."""
        self._call("reset", root, uid)

    def do(self, name: str, *arguments: Any) -> Result:
        """Do an operation; return ("ok", result) or ("error", name of the errno)."""
        return self._call(name, *arguments)

    def _call(self, *message: Any) -> Result:
        data = pickle.dumps(message)
        os.write(self._to, struct.pack("<I", len(data)) + data)
        return self._receive(self._from)  # type: ignore[no-any-return]

    @staticmethod
    def _receive(fd: int) -> Any:
        head = os.read(fd, 4)
        if len(head) < 4:
            raise EOFError
        length, data = struct.unpack("<I", head)[0], b""
        while len(data) < length:
            data += os.read(fd, length - len(data))
        return pickle.loads(data)

    def _serve(self, source: int, sink: int) -> None:
        top = os.open("/", os.O_RDONLY)
        os.umask(0o22)
        operations = NativeOperations()
        while True:
            try:
                name, *arguments = self._receive(source)
            except EOFError:
                return
            result: Result
            try:
                if name == "reset":
                    os.setresuid(0, 0, 0)
                    os.setresgid(0, 0, 0)
                    os.setgroups([])
                    os.fchdir(top)
                    os.chroot(".")
                    os.chroot(arguments[0])
                    os.chdir("/")
                    if arguments[1]:
                        os.setresgid(arguments[1], arguments[1], 0)
                        os.setresuid(arguments[1], arguments[1], 0)
                    result = ("ok", None)
                else:
                    result = ("ok", getattr(operations, name)(*arguments))
            except OSError as error:
                result = ("error", errno.errorcode[error.errno or 0])
            data = pickle.dumps(result)
            os.write(sink, struct.pack("<I", len(data)) + data)
