"""Owners and special files by path, for the builder of roots; who may do this is told by `identity.is_root`."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":

    def lchown(path: str, uid: int, gid: int) -> None:
        """Refuse: there are no such owners.  PermissionError"""
        raise PermissionError(path)

    def make_node(path: str, mode: int, major: int, minor: int) -> None:
        """Refuse: there are no special files.  PermissionError"""
        raise PermissionError(path)

else:

    def lchown(path: str, uid: int, gid: int) -> None:
        """Set the owner of a file, of the link itself if it is one.  OSError"""
        os.chown(path, uid, gid, follow_symlinks=False)

    def make_node(path: str, mode: int, major: int, minor: int) -> None:
        """Make a device node or FIFO; `mode` has the type.  OSError, PermissionError when the host refuses"""
        os.mknod(path, mode, os.makedev(major, minor))
