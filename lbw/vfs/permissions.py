"""Who may do what to an inode, as Linux decides (generic_permission, may_delete).  man 7 capabilities"""

from __future__ import annotations

from lbw.abi.capability import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID
from lbw.abi.errno import EACCES, EPERM, LinuxError
from lbw.abi.stat import S_IFDIR, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.credentials import Credentials
    from lbw.vfs.inode import Inode

READ, WRITE, EXECUTE = 4, 2, 1
#: Searching a directory is executing it.
SEARCH = EXECUTE


def permits(credentials: Credentials, inode: Inode, wanted: int) -> bool:
    """Whether `wanted` (READ | WRITE | EXECUTE) is allowed on the inode as it was last looked up."""
    mode, uid, gid = inode.access_attributes()
    if credentials.fsuid == uid:
        granted = mode >> 6
    elif credentials.in_group(gid):
        granted = mode >> 3
    else:
        granted = mode
    if wanted & ~granted & 7 == 0:
        return True
    if mode & S_IFMT == S_IFDIR:
        if not wanted & WRITE and credentials.capable(CAP_DAC_READ_SEARCH):
            return True
        return credentials.capable(CAP_DAC_OVERRIDE)
    if wanted == READ and credentials.capable(CAP_DAC_READ_SEARCH):
        return True
    return (not wanted & EXECUTE or bool(mode & 0o111)) and credentials.capable(CAP_DAC_OVERRIDE)


def require(credentials: Credentials, inode: Inode, wanted: int) -> None:
    """EACCES unless `permits`."""
    if not permits(credentials, inode, wanted):
        raise LinuxError(EACCES)


def owns(credentials: Credentials, inode: Inode) -> bool:
    """Whether the caller owns the inode or may act as its owner."""
    return inode.access_attributes()[1] == credentials.fsuid or credentials.capable(CAP_FOWNER)


def require_removable(credentials: Credentials, directory: Inode, victim: Inode) -> None:
    """EACCES unless the directory may be written, EPERM if it is sticky and both belong to others."""
    require(credentials, directory, WRITE | SEARCH)
    mode, uid, _ = directory.access_attributes()
    if mode & S_ISVTX and uid != credentials.fsuid and not owns(credentials, victim):
        raise LinuxError(EPERM)


def may_link(credentials: Credentials, inode: Inode) -> bool:
    """Whether another name may be made, as fs.protected_hardlinks=1 (Debian's setting) has it.  man 5 proc"""
    if owns(credentials, inode):
        return True
    mode = inode.access_attributes()[0]
    if mode & S_IFMT != S_IFREG or mode & S_ISUID or mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP:
        return False
    return permits(credentials, inode, READ | WRITE)


def new_owner(credentials: Credentials, directory: Inode, mode: int) -> tuple[int, int, int]:
    """Return (mode, uid, gid) of a new inode in `directory`, whose set-group-id bit hands its group down."""
    parent_mode, _, parent_gid = directory.access_attributes()
    gid = credentials.fsgid
    if parent_mode & S_ISGID:
        gid = parent_gid
        if mode & S_IFMT == S_IFDIR:
            mode |= S_ISGID
        elif mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP and not (
            credentials.in_group(gid) or credentials.capable(CAP_FSETID)
        ):
            mode &= ~S_ISGID
    return mode, credentials.fsuid, gid


def strips_privileges(credentials: Credentials) -> bool:
    """Whether writing by these credentials clears set-user-id bits."""
    return not credentials.effective >> CAP_FSETID & 1


def strip_privileges(credentials: Credentials, inode: Inode) -> None:
    """Clear the set-user-id bits of a file whose content is changed by somebody without CAP_FSETID."""
    if strips_privileges(credentials):
        clear_privileges(inode)


def clear_privileges(inode: Inode) -> None:
    """Clear set-user-id, and set-group-id where it means that, of a regular file."""
    mode = inode.access_attributes()[0]
    if mode & (S_ISUID | S_ISGID) and mode & S_IFMT == S_IFREG:
        stripped = mode & ~S_ISUID
        if mode & S_IXGRP:
            stripped &= ~S_ISGID
        if stripped != mode:
            inode.set_attributes(mode=stripped & 0o7777)
