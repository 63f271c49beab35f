"""Guest memory as C string literals, for strace."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


def show_bytes(task: Task, address: int, length: int, limit: int = 32) -> str:
    """Return up to `limit` bytes of guest memory as a C string literal, or the address when unreadable."""
    from lbw.abi.errno import LinuxError

    try:
        data = task.memory.read(address, min(length, limit))
    except LinuxError:
        return hex(address)
    return quote(data) + ("..." if length > limit else "")


def show_string(task: Task, address: int, limit: int) -> str:
    """Return a NUL-terminated guest string as a C literal, or the address when unreadable."""
    from lbw.abi.errno import LinuxError

    if not address:
        return "NULL"
    try:
        return quote(task.memory.read_cstring(address, limit))
    except LinuxError:
        return hex(address)


_ESCAPES = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}


def quote(data: bytes) -> str:
    """Return `data` as a C string literal."""
    return '"' + "".join(_ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:o}") for b in data) + '"'
