"""What of a process core files have: /proc/PID/coredump_filter.  man 5 core"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.process import TaskEntry

#: Bits that exist.
_BITS = 0x1FF


def show(entry: TaskEntry) -> bytes:
    """Return the mask."""
    return b"%08x\n" % entry.view.core_filter


def accept(entry: TaskEntry, data: bytes) -> None:
    """Set the mask; bits that do not exist are ignored.  EINVAL: no number"""
    entry.require_alive()
    text = data.strip().lower()
    base = 16 if text.startswith(b"0x") else 8 if text.startswith(b"0") else 10
    try:
        value = int(text, base)
    except ValueError:
        raise LinuxError(EINVAL) from None
    if not 0 <= value < 1 << 32:
        raise LinuxError(EINVAL)
    entry.view.core_filter = value & _BITS
