"""Extended attributes of files of the host.  man 7 xattr"""

from __future__ import annotations

from lbw.host import files
from lbw.vfs.host.attributes import HostAttributes
from lbw.vfs.host.errors import linux_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class HostXattrs(HostAttributes):
    """What `HostInode` is, for extended attributes."""

    __slots__ = ()

    def get_xattr(self, name: bytes) -> bytes:
        """Return the value."""
        return self._with_path(lambda path: files.get_xattr(path, name))

    def list_xattr(self) -> list[bytes]:
        """Return the names."""
        return self._with_path(files.list_xattr)

    def set_xattr(self, name: bytes, value: bytes, flags: int) -> None:
        """Set the value."""
        self._with_path(lambda path: files.set_xattr(path, name, value, flags))

    def remove_xattr(self, name: bytes) -> None:
        """Remove the attribute."""
        self._with_path(lambda path: files.remove_xattr(path, name))

    def _with_path(self, action: Callable[[bytes], T]) -> T:
        try:
            if self.files:
                return action(files.descriptor_path(self.files[0].descriptor))
            descriptor = files.open_at(self.place(), self.name, files.O_PATH)
            try:
                return action(files.descriptor_path(descriptor))
            finally:
                files.close(descriptor)
        except OSError as error:
            raise linux_error(error) from None
