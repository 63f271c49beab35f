"""What a task brings to every path: its root, working directory, umask and credentials (CLONE_FS shares it)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.credentials import Credentials
    from lbw.vfs.location import Location
    from lbw.vfs.vfs import Vfs


class FsContext:
    """Linux's struct fs_struct, and the credentials that go with it."""

    __slots__ = ("credentials", "cwd", "root", "umask", "vfs")

    def __init__(self, vfs: Vfs, root: Location, cwd: Location, credentials: Credentials, umask: int = 0o22) -> None:
        self.vfs = vfs
        self.root = root
        self.cwd = cwd
        self.umask = umask
        self.credentials = credentials

    def fork(self) -> FsContext:
        """Return an independent copy."""
        return FsContext(self.vfs, self.root, self.cwd, self.credentials.copy(), self.umask)
