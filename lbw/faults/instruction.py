"""The bytes of the instruction that a program is at."""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.x86 import LONGEST
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.user_copy import UserMemory


def instruction_bytes(memory: UserMemory, address: int) -> bytes:
    """Return what is readable of the 15 bytes at `address`."""
    try:
        return memory.read(address, LONGEST)
    except LinuxError:
        pass
    try:
        return memory.read(address, min(LONGEST, PAGE - address % PAGE))
    except LinuxError:
        return b""
