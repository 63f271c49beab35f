"""Calls of Linux that Python does not offer, by ctypes: renameat2, fallocate with modes, fstatfs's type.

Bound at first use; ENOSYS where the host lacks them.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

_libc: ctypes.CDLL | None = None


def _library() -> ctypes.CDLL:
    global _libc
    if _libc is None:
        import ctypes

        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "not on this host")
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def _check(result: int) -> None:
    if result < 0:
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def rename_at2(source: int | bytes, name: bytes, directory: int | bytes, new_name: bytes, flags: int) -> None:
    """Move an entry with RENAME_* flags.  man 2 renameat2"""
    function = getattr(_library(), "renameat2", None)
    if function is None or not isinstance(source, int):
        raise OSError(errno.EINVAL, "renameat2")
    _check(function(source, name, directory, new_name, flags))


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """Reserve, punch or shift space.  man 2 fallocate"""
    import ctypes

    function = getattr(_library(), "fallocate64", None)
    if function is None:
        raise OSError(errno.EOPNOTSUPP, "fallocate")
    _check(function(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


def file_system_type(descriptor: int) -> int:
    """Return f_type, the magic number of the file system that holds `descriptor`."""
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    _check(_library().fstatfs(descriptor, buffer))
    return int.from_bytes(buffer.raw[:8], sys.byteorder)
