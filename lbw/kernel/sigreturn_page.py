"""The way back for handlers of i386 that name no restorer: in Linux it leads through the vDSO.

We have no vDSO (`sysenter`, which it is for, does not work in the emulated processor). The page of code comes into an
address space when the first such handler is entered: it makes the two calls that end a handler.
"""

from __future__ import annotations

from lbw.abi.mman import MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.signal import SA_RESTORER, SA_SIGINFO
from lbw.signals.actions import Action
from lbw.signals.frames_i386 import NEW_RETCODE, OLD_RETCODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace

NAME = b"[vdso]"
PAGE_SIZE = 4096


def with_restorer(memory: AddressSpace, action: Action) -> Action:
    """Return `action` with a restorer in the page of `memory`.  LinuxError(ENOMEM)"""
    address = next((vma.start for vma in memory.vmas if vma.name == NAME), 0) or _make(memory)
    if action.flags & SA_SIGINFO:
        address += len(OLD_RETCODE)
    return Action(action.handler, action.flags | SA_RESTORER, address, action.mask, action.abi)


def _make(memory: AddressSpace) -> int:
    flags = MAP_PRIVATE | MAP_ANONYMOUS
    address = memory.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, name=NAME)
    memory.write(address, OLD_RETCODE + NEW_RETCODE)
    memory.mprotect(address, PAGE_SIZE, PROT_READ | PROT_EXEC)
    return address
