"""What a task brings to every path: its root, working directory, umask and credentials.

On Linux the first three may be shared by several tasks (CLONE_FS, so the threads of a process), credentials never.
Every path walk looks at all of them, and they hardly ever change; so each task has a context of its own, and a change
of what is shared is made in all contexts that share it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.credentials import Credentials
    from lbw.vfs.location import Location
    from lbw.vfs.vfs import Vfs


class FsContext:
    """Linux's struct fs_struct, and the credentials that go with it. Those are replaced, never changed."""

    __slots__ = ("credentials", "cwd", "root", "sharers", "umask", "vfs")

    def __init__(self, vfs: Vfs, root: Location, cwd: Location, credentials: Credentials, umask: int = 0o22) -> None:
        self.vfs = vfs
        self.root = root
        self.cwd = cwd
        self.umask = umask
        self.credentials = credentials
        self.sharers: set[FsContext] | None = None  # all contexts that share with this one, which is among them

    def fork(self) -> FsContext:
        """Return an independent copy."""
        return FsContext(self.vfs, self.root, self.cwd, self.credentials.copy(), self.umask)

    def share(self) -> FsContext:
        """Return the context of one more task: the same places and umask from now on, credentials of its own."""
        other = FsContext(self.vfs, self.root, self.cwd, self.credentials, self.umask)
        if self.sharers is None:
            self.sharers = {self}
        self.sharers.add(other)
        other.sharers = self.sharers
        return other

    def leave(self) -> None:
        """Share nothing any more: the task ends, or goes its own way."""
        if self.sharers is not None:
            self.sharers.discard(self)
            self.sharers = None

    def set_root(self, root: Location) -> None:
        """Change the root of all who share it."""
        for context in self.sharers or (self,):
            context.root = root

    def set_cwd(self, cwd: Location) -> None:
        """Change the working directory of all who share it."""
        for context in self.sharers or (self,):
            context.cwd = cwd

    def set_umask(self, umask: int) -> None:
        """Change the umask of all who share it."""
        for context in self.sharers or (self,):
            context.umask = umask
