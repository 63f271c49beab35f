"""The way back for handlers of i386 that name no restorer: it leads through the vDSO, as in Linux.

A program that has unmapped the vDSO returns to the code in the signal frame, which is executable only where the stack
is.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.signal import SA_RESTORER, SA_SIGINFO
from lbw.loader.vdso.image import ENTRY_OFFSET, NAME, RT_SIGRETURN, SIGRETURN
from lbw.signals.actions import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def with_restorer(memory: AddressSpace, action: Action) -> Action:
    """Return `action` with a restorer in the vDSO of `memory`, or as it is when there is none."""
    for vma in memory.vmas:
        if vma.name == NAME:
            break
    else:
        return action
    try:
        address = vma.start + memory.read_u32(vma.start + ENTRY_OFFSET)
    except LinuxError:
        return action
    address += RT_SIGRETURN if action.flags & SA_SIGINFO else SIGRETURN
    return Action(action.handler, action.flags | SA_RESTORER, address, action.mask, action.abi)
