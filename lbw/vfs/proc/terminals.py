"""/proc/tty: which drivers and line disciplines terminals have.  man 5 proc; Linux: drivers/tty/tty_io.c"""

from __future__ import annotations

from lbw.vfs.pseudo import StaticDirectory, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.fs import ProcFileSystem

#: Name, node, major, minors, type. `ps` and `top` name a terminal by its major and the node that is here.
DRIVERS = (
    ("/dev/tty", "/dev/tty", 5, "0", "system:/dev/tty"),
    ("/dev/console", "/dev/console", 5, "1", "system:console"),
    ("/dev/ptmx", "/dev/ptmx", 5, "2", "system"),
    ("pty_slave", "/dev/pts", 136, "0-1048575", "pty:slave"),
    ("pty_master", "/dev/ptm", 128, "0-1048575", "pty:master"),
)


def drivers() -> bytes:
    """Return /proc/tty/drivers."""
    rows = [f"{name:<20} {node:<13} {major:3} {minors:>7} {kind}\n" for name, node, major, minors, kind in DRIVERS]
    return "".join(rows).encode()


def build(fs: ProcFileSystem) -> StaticDirectory:
    """Return /proc/tty."""
    directory = StaticDirectory(fs, fs.next_ino())
    directory.children[b"drivers"] = TextInode(fs, fs.next_ino(), drivers)
    directory.children[b"ldiscs"] = TextInode(fs, fs.next_ino(), lambda: b"n_tty       0\n")
    directory.children[b"driver"] = StaticDirectory(fs, fs.next_ino(), 0o500)
    directory.children[b"ldisc"] = StaticDirectory(fs, fs.next_ino())
    return directory
