"""What a sender adds to the bytes of a message, and what a receiver gets beside them.

Both hold references to files that travel (SCM_RIGHTS) while those belong to nobody else: before a message has taken
them, and before the receiver has descriptors for them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.socket import Socket
    from lbw.vfs.file import File

    Identity = tuple[int, int, int]

#: Process, user and group id of a message without credentials, as a receiver sees them.
NOBODY = (0, 65534, 65534)


class Control:
    """What a sender adds to the bytes of a message: files, whose references it holds, and credentials."""

    __slots__ = ("credentials", "files")

    def __init__(self) -> None:
        self.files: list[File] | None = None
        self.credentials: Identity | None = None

    def take_files(self) -> list[File] | None:
        """Return the files, which belong to a message from now on."""
        files, self.files = self.files, None
        return files

    def dispose(self) -> None:
        """Drop what no message has taken."""
        for file in self.take_files() or ():
            file.release()


class Arrival:
    """What a receive has brought so far; it lasts until the call returns, over all its waits."""

    __slots__ = ("copied", "credentials", "done", "files", "flags", "result", "sender", "told")

    def __init__(self, flags: int) -> None:
        self.flags = flags  # MSG_* that the receiver gave
        self.copied = 0  # bytes
        self.result: int | None = None  # what the call returns, if not `copied` (MSG_TRUNC)
        self.done = False  # nothing more belongs to this call, however much was asked for
        self.told = 0  # MSG_* that the receiver is told
        self.sender: Socket | None = None  # whose address to tell
        self.credentials: Identity | None = None  # None: not asked for
        self.files: list[File] | None = None  # with references that belong to the arrival

    def dispose(self) -> None:
        """Drop the files that nobody took."""
        files, self.files = self.files, None
        for file in files or ():
            file.release()
