"""Open descriptions that tell what is done with them.

Once a machine has an inotify instance, every description with a place in the tree gets another class: one made from its
own, with the methods below in front. So reads and writes, the hottest calls of all, know nothing of inotify, and a
machine that does not use it pays nothing; and no way to the data, of any kind of file, can be forgotten.

A method of a file may use another (`read` is `pread` at the offset): `Notifier.quiet` sees to it that only the outer
one tells.

Rejected: a test in every call that reads or writes (there are a dozen, two of them hot); wrapping the description in
another (descriptors, mappings and epoll know it by identity).
"""

from __future__ import annotations

from lbw.abi.inotify import IN_ACCESS, IN_MODIFY
from lbw.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.inotify.notifier import Notifier


class ToldFile(File):
    """What stands before the class of a description."""

    __slots__ = ()

    notifier: Notifier

    def _tell(self, mask: int, operation: Callable[..., int], *arguments: object) -> int:
        notifier = self.notifier
        if notifier.quiet:
            return operation(*arguments)
        notifier.quiet = True
        try:
            count = operation(*arguments)
        finally:
            notifier.quiet = False
        if count > 0:
            notifier.happened(self, mask)
        return count

    def read(self, views: list[memoryview]) -> int:
        return self._tell(IN_ACCESS, super().read, views)

    def pread(self, views: list[memoryview], offset: int) -> int:
        return self._tell(IN_ACCESS, super().pread, views, offset)

    def write(self, views: list[memoryview]) -> int:
        return self._tell(IN_MODIFY, super().write, views)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        return self._tell(IN_MODIFY, super().pwrite, views, offset)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        super().allocate(mode, offset, length)
        self.notifier.happened(self, IN_MODIFY)

    def entries(self) -> list[tuple[bytes, int, int]]:
        found = super().entries()
        self.notifier.happened(self, IN_ACCESS)
        return found

    def close(self) -> None:
        self.notifier.closing(self)
        super().close()
        self.notifier.closed(self)


def told_class(kind: type[File], notifier: Notifier) -> type[File]:
    """Return the class of a description of class `kind` that tells `notifier`."""
    made = type(kind.__name__, (ToldFile, kind), {"__slots__": (), "notifier": notifier})
    assert issubclass(made, File)
    return made
