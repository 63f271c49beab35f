"""What is in a fresh /dev.

The nodes are made in an ordinary writable file system (a tmpfs that calls itself devtmpfs), so root may add to them.
"""

from __future__ import annotations

from lbw.abi.stat import S_IFCHR
from lbw.vfs.dev.table import makedev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.inode import Inode

TTY_GID = 5  # group tty of Debian

#: Name, permissions, group, major, minor of the character devices.
NODES = (
    (b"null", 0o666, 0, 1, 3),
    (b"zero", 0o666, 0, 1, 5),
    (b"full", 0o666, 0, 1, 7),
    (b"random", 0o666, 0, 1, 8),
    (b"urandom", 0o666, 0, 1, 9),
    (b"tty", 0o666, TTY_GID, 5, 0),
    (b"console", 0o600, 0, 5, 1),
    (b"ptmx", 0o666, TTY_GID, 5, 2),
)

LINKS = (
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
)

#: Directories to mount on.
DIRECTORIES = ((b"pts", 0o755), (b"shm", 0o1777), (b"mqueue", 0o1777))


def populate(root: Inode) -> None:
    """Make the standard nodes, links and directories in the empty directory `root`."""
    for name, permissions, gid, major, minor in NODES:
        root.create(name, S_IFCHR | permissions, 0, gid, makedev(major, minor))
    for name, target in LINKS:
        root.symlink(name, target, 0, 0)
    for name, permissions in DIRECTORIES:
        root.mkdir(name, permissions, 0, 0)
