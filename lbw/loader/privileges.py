"""What exec does to credentials: set-user-ID programs and the capabilities of root.  man 7 capabilities

Capabilities of files (security.capability) are not looked at: programs that have some run without.
"""

from __future__ import annotations

from lbw.abi.capability import SECBIT_KEEP_CAPS, SECBIT_NOROOT
from lbw.abi.fs import MS_NOSUID
from lbw.abi.stat import S_ISGID, S_ISUID, S_IXGRP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.credentials import Credentials
    from lbw.vfs.location import Location


def credentials_after_exec(old: Credentials, location: Location) -> tuple[Credentials, bool]:
    """Return the credentials that the program at `location` runs with, and whether it must distrust its caller.

    The second result is AT_SECURE; it also clears the parent-death signal and makes the process not dumpable.
    """
    new = old.copy()
    mode, uid, gid = location.inode.access_attributes()
    if not (location.mount.flags & MS_NOSUID or old.no_new_privileges):
        if mode & S_ISUID:
            new.euid = uid
        if mode & S_ISGID and mode & S_IXGRP:
            new.egid = gid
    new.suid = new.fsuid = new.euid
    new.sgid = new.fsgid = new.egid

    changed = new.euid != old.ruid or new.egid != old.rgid
    permitted, effective = 0, False
    if not old.securebits & SECBIT_NOROOT and 0 in (new.euid, new.ruid):
        permitted = old.bounding | old.inheritable
        effective = new.euid == 0
    if changed:
        new.ambient = 0
    new.permitted = permitted | new.ambient
    new.effective = new.permitted if effective else new.ambient
    new.securebits &= ~SECBIT_KEEP_CAPS
    grew = bool(new.permitted & ~new.ambient)
    return new, changed or (new.ruid != 0 and (effective or grew))
