"""Who a task is, for permission checks.  man 7 credentials, capabilities"""

from __future__ import annotations

from lbw.abi.capability import (
    CAP_CHECKPOINT_RESTORE,
    CAP_CHOWN,
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    CAP_FOWNER,
    CAP_FSETID,
    CAP_LINUX_IMMUTABLE,
    CAP_MAC_OVERRIDE,
    CAP_MKNOD,
)

#: Every capability.
ALL_CAPABILITIES = (1 << (CAP_CHECKPOINT_RESTORE + 1)) - 1

#: What follows the file system user id when it becomes or ceases to be 0 (setfsuid).
FILE_SYSTEM_CAPABILITIES = (
    1 << CAP_CHOWN | 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH | 1 << CAP_FOWNER | 1 << CAP_FSETID
    | 1 << CAP_LINUX_IMMUTABLE | 1 << CAP_MAC_OVERRIDE | 1 << CAP_MKNOD
)  # fmt: skip

_SEARCH = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH


class Credentials:
    """User and group ids and capability sets (as bit masks, bit = capability number)."""

    __slots__ = (
        "ambient", "bounding", "effective", "egid", "euid", "fsgid", "fsuid", "groups", "inheritable",
        "no_new_privileges", "permitted", "rgid", "ruid", "securebits", "sgid", "suid",
    )  # fmt: skip

    def __init__(self, uid: int = 0, gid: int = 0, groups: tuple[int, ...] = ()) -> None:
        self.ruid = self.euid = self.suid = self.fsuid = uid
        self.rgid = self.egid = self.sgid = self.fsgid = gid
        self.groups = groups  # supplementary
        full = ALL_CAPABILITIES if uid == 0 else 0
        self.effective = full
        self.permitted = full
        self.inheritable = 0
        self.ambient = 0
        self.bounding = ALL_CAPABILITIES
        self.securebits = 0
        self.no_new_privileges = False

    def copy(self) -> Credentials:
        """Return an independent copy, as fork makes it."""
        new = Credentials.__new__(Credentials)
        for name in Credentials.__slots__:
            setattr(new, name, getattr(self, name))
        return new

    def capable(self, capability: int) -> bool:
        """Whether the capability (CAP_*) is effective."""
        return bool(self.effective >> capability & 1)

    def in_group(self, gid: int) -> bool:
        """Whether `gid` is the file system group or a supplementary one."""
        return gid == self.fsgid or gid in self.groups

    @property
    def searches_all(self) -> bool:
        """Whether no directory's search permission needs to be looked at."""
        return bool(self.effective & _SEARCH)
