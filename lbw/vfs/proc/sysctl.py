"""/proc/sys: kernel parameters.  man 5 proc, Linux' Documentation/admin-guide/sysctl

The parameters that live in the kernel come from `ProcSource.parameters`, and root can change them. The others stand
here: a value that nothing in lbw depends on changing is read-only, where root could change it on Linux.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EINVAL, EPERM, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY, O_WRONLY
from lbw.vfs.dev.memory import ENTROPY_BITS
from lbw.vfs.devpts.filesystem import MAX_PAIRS, RESERVED
from lbw.vfs.pseudo import StaticDirectory, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.file import File
    from lbw.vfs.proc.fs import ProcFileSystem
    from lbw.vfs.proc.source import ProcSource

    Setting = bytes | int | Callable[[ProcSource], bytes]
    Settings = dict[str, "Setting | Settings"]

HOST_NAME_MAX = 64


def new_uuid(source: ProcSource) -> bytes:
    """Return a random UUID (RFC 4122, version 4)."""
    raw = bytearray(source.random(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])).encode()


def _uname(field: int) -> Callable[[ProcSource], bytes]:
    return lambda source: source.uname()[field]


SETTINGS: Settings = {
    "kernel": {
        "arch": _uname(4),
        "cap_last_cap": 40,
        "core_pattern": lambda source: source.core.pattern,
        "core_uses_pid": lambda source: b"%d" % source.core.uses_pid,
        "domainname": _uname(5),
        "hostname": _uname(1),
        "ngroups_max": 65536,
        "osrelease": _uname(2),
        "ostype": _uname(0),
        "overflowgid": 65534,
        "overflowuid": 65534,
        "printk": b"4\t4\t1\t7",
        "pty": {
            "max": MAX_PAIRS,
            "nr": lambda source: b"%d" % source.devices.terminal_count,
            "reserve": RESERVED,
        },
        "random": {
            "boot_id": b"",  # made with the file system
            "entropy_avail": ENTROPY_BITS,
            "poolsize": ENTROPY_BITS,
            "uuid": new_uuid,
        },
        "randomize_va_space": 0,
        "tainted": 0,
        "version": _uname(3),
    },
    "net": {
        "core": {
            "optmem_max": 131072,
            "rmem_default": 212992,
            "rmem_max": 4194304,
            "somaxconn": 4096,
            "wmem_default": 212992,
            "wmem_max": 4194304,
        },
        "unix": {"max_dgram_qlen": 10},
    },
    "vm": {
        "nr_hugepages": 0,
    },
    "fs": {
        "file-max": 9223372036854775807,
        "nr_open": 1048576,
        "pipe-user-pages-hard": 0,
        "pipe-user-pages-soft": lambda source: b"%d" % source.status().pipe_pages_max,
        "protected_hardlinks": 0,
        "protected_symlinks": 0,
        "suid_dumpable": lambda source: b"%d" % source.core.suid_dumpable,
    },
}


class SysctlInode(TextInode):
    """A parameter. One that cannot be written is refused to root too, as Linux does it."""

    __slots__ = ()

    def open(self, flags: int) -> File:
        if flags & O_ACCMODE != O_RDONLY and self.accept is None:
            raise LinuxError(EACCES)
        if flags & O_ACCMODE != O_WRONLY and not self.mode & 0o444:
            raise LinuxError(EACCES)
        return super().open(flags)

    def truncate(self, size: int) -> None:
        """Accept O_TRUNC of those that can be written."""
        if self.accept is None:
            raise LinuxError(EACCES)

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """EPERM, but for the times."""
        if mode is not None or uid is not None or gid is not None:
            raise LinuxError(EPERM)


def build(fs: ProcFileSystem) -> StaticDirectory:
    """Return /proc/sys."""
    boot_id = new_uuid(fs.source)
    writable: dict[str, Callable[[bytes], None]] = {
        "hostname": fs.source.set_hostname,
        "domainname": fs.source.set_domainname,
    }

    core: dict[str, Callable[[bytes], None]] = {
        "core_pattern": lambda data: fs.source.core.set_pattern(data),
        "core_uses_pid": lambda data: fs.source.core.set_uses_pid(data),
        "suid_dumpable": lambda data: fs.source.core.set_suid_dumpable(data),
    }

    def setter(change: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def accept(data: bytes) -> None:
            name = data.split(b"\0", 1)[0].split(b"\n", 1)[0]
            if len(name) > HOST_NAME_MAX:
                raise LinuxError(EINVAL)
            change(name)

        return accept

    def parameter(name: str, value: Setting) -> SysctlInode:
        def produce() -> bytes:
            if name == "boot_id":
                return boot_id + b"\n"
            if isinstance(value, int):
                return b"%d\n" % value
            return (value if isinstance(value, bytes) else value(fs.source)) + b"\n"

        change = writable.get(name)
        accept = setter(change) if change is not None else core.get(name)
        return SysctlInode(fs, fs.next_ino(), produce, 0o644 if accept is not None else 0o444, accept=accept)

    def directory(settings: Settings) -> StaticDirectory:
        node = StaticDirectory(fs, fs.next_ino())
        for name, value in settings.items():
            node.children[name.encode()] = directory(value) if isinstance(value, dict) else parameter(name, value)
        return node

    root = directory(SETTINGS)
    for path, numbers in fs.source.parameters().items():
        *names, last = path.encode().split(b"/")
        node = root
        for name in names:
            child = node.children.get(name)
            if not isinstance(child, StaticDirectory):
                child = node.children[name] = StaticDirectory(fs, fs.next_ino())
            node = child
        mode, accept = (0o644, numbers.accept) if numbers.writable else (0o444, None)
        if not numbers.readable:
            mode = 0o200
        node.children[last] = SysctlInode(fs, fs.next_ino(), numbers.text, mode, accept=accept)
    return root
