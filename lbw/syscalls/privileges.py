"""The prctl operations that concern capabilities: bounding and ambient sets, securebits.  man 7 capabilities"""

from __future__ import annotations

from lbw.abi.capability import CAP_SETPCAP, SECBIT_KEEP_CAPS, SECBIT_NO_CAP_AMBIENT_RAISE
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.prctl import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_IS_SET,
    PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_KEEPCAPS,
    PR_GET_SECUREBITS,
    PR_SET_KEEPCAPS,
    PR_SET_SECUREBITS,
)
from lbw.vfs.credentials import ALL_CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task

#: All securebits and their locks; every odd bit locks the one below.
SECUREBITS, LOCKS = 0xFF, 0xAA


def capability_bit(number: int) -> int:
    """Return the mask of a capability.  EINVAL: there is none with this number"""
    if number >= ALL_CAPABILITIES.bit_length():
        raise LinuxError(EINVAL)
    return 1 << number


def read_bounding(task: Task, number: int, *_: int) -> int:
    """Tell whether a capability is in the bounding set.  EINVAL"""
    return int(bool(task.credentials.bounding & capability_bit(number)))


def drop_bounding(task: Task, number: int, *_: int) -> int:
    """Take a capability out of the bounding set.  EPERM, EINVAL"""
    if not task.credentials.capable(CAP_SETPCAP):
        raise LinuxError(EPERM)
    bit = capability_bit(number)
    new = task.credentials.copy()
    new.bounding &= ~bit
    task.credentials = new
    return 0


def set_keep_capabilities(task: Task, value: int, *_: int) -> int:
    """Choose whether capabilities survive when the last user id of 0 goes.  EINVAL, EPERM: locked"""
    if value > 1:
        raise LinuxError(EINVAL)
    new = task.credentials.copy()
    if new.securebits & SECBIT_KEEP_CAPS << 1:
        raise LinuxError(EPERM)
    new.securebits = new.securebits & ~SECBIT_KEEP_CAPS | (SECBIT_KEEP_CAPS if value else 0)
    task.credentials = new
    return 0


def get_keep_capabilities(task: Task, *_: int) -> int:
    return int(bool(task.credentials.securebits & SECBIT_KEEP_CAPS))


def get_securebits(task: Task, *_: int) -> int:
    return task.credentials.securebits


def set_securebits(task: Task, bits: int, *_: int) -> int:
    """Set the securebits.  EPERM: unknown ones, locked ones, a lock would go, or CAP_SETPCAP is missing"""
    old = task.credentials
    locked = (old.securebits & LOCKS) >> 1
    if (
        bits & ~SECUREBITS
        or (old.securebits ^ bits) & locked
        or old.securebits & LOCKS & ~bits
        or not old.capable(CAP_SETPCAP)
    ):
        raise LinuxError(EPERM)
    new = old.copy()
    new.securebits = bits
    task.credentials = new
    return 0


def ambient(task: Task, action: int, number: int, *rest: int) -> int:
    """Ask for or change the ambient set.  EINVAL, EPERM: not permitted and inheritable, or forbidden by securebits"""
    new = task.credentials.copy()
    if action == PR_CAP_AMBIENT_CLEAR_ALL:
        if number or any(rest):
            raise LinuxError(EINVAL)
        new.ambient = 0
    else:
        bit = capability_bit(number)
        if any(rest) or action not in (PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_LOWER):
            raise LinuxError(EINVAL)
        if action == PR_CAP_AMBIENT_IS_SET:
            return int(bool(new.ambient & bit))
        if action == PR_CAP_AMBIENT_LOWER:
            new.ambient &= ~bit
        elif not new.permitted & new.inheritable & bit or new.securebits & SECBIT_NO_CAP_AMBIENT_RAISE:
            raise LinuxError(EPERM)
        else:
            new.ambient |= bit
    task.credentials = new
    return 0


OPERATIONS: dict[int, Callable[[Task, int, int, int, int], int]] = {
    PR_CAPBSET_READ: read_bounding,
    PR_CAPBSET_DROP: drop_bounding,
    PR_SET_KEEPCAPS: set_keep_capabilities,
    PR_GET_KEEPCAPS: get_keep_capabilities,
    PR_GET_SECUREBITS: get_securebits,
    PR_SET_SECUREBITS: set_securebits,
    PR_CAP_AMBIENT: ambient,
}
