"""Who the program runs as: names are looked up in the root's own /etc/passwd and /etc/group."""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import O_RDONLY
from lbw.errors import UsageError
from lbw.vfs.operations import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext

#: A passwd or group file beyond this many bytes is not read further.
_LIMIT = 1 << 20
#: The highest user or group; the number after it, -1, means "no change" in Linux.
_LAST_ID = (1 << 32) - 2


class User:
    """A user of the root."""

    __slots__ = ("gid", "groups", "home", "name", "shell", "uid")

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid
        self.groups: list[int] = []
        self.name = "root" if uid == 0 else str(uid)
        self.home = "/root" if uid == 0 else "/"
        self.shell = "/bin/sh"


def find_user(ctx: FsContext, text: str) -> User:
    """Return the user `NAME|UID[:NAME|GID]`.  UsageError: no such user or group"""
    name, colon, group = text.partition(":")
    user = None
    for fields in _records(ctx, b"/etc/passwd", 7):
        if name in (fields[0], fields[2]):
            user = User(int(fields[2]), int(fields[3]))
            user.name, user.home, user.shell = fields[0], fields[5] or "/", fields[6] or "/bin/sh"
            break
    if user is None:
        if not name.isdecimal() or int(name) > _LAST_ID:
            raise UsageError(f"no user {name!r} in the root's /etc/passwd")
        user = User(int(name), 0)
    groups = _records(ctx, b"/etc/group", 4)
    user.groups = [int(fields[2]) for fields in groups if user.name in fields[3].split(",")]
    if colon:
        for fields in groups:
            if group in (fields[0], fields[2]):
                user.gid = int(fields[2])
                break
        else:
            if not group.isdecimal() or int(group) > _LAST_ID:
                raise UsageError(f"no group {group!r} in the root's /etc/group")
            user.gid = int(group)
    if user.gid not in user.groups:
        user.groups.insert(0, user.gid)
    return user


def _records(ctx: FsContext, path: bytes, count: int) -> list[list[str]]:
    """Return the well-formed lines of a colon-separated file; none when it cannot be read."""
    buffer = bytearray(_LIMIT)
    try:
        file = open_file(ctx, path, O_RDONLY, 0).acquire()
    except LinuxError:
        return []
    try:
        length = file.read([memoryview(buffer)])
    except LinuxError:
        return []
    finally:
        file.release()
    lines = bytes(buffer[:length]).decode(errors="surrogateescape").splitlines()
    records = [line.split(":") for line in lines]
    return [r for r in records if len(r) == count and r[2].isdecimal() and (count == 4 or r[3].isdecimal())]
