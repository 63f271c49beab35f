"""Keys: when two tasks mean the same futex.

A private futex is (address space, address): nothing is looked up, and the page need not even be mapped. A shared one
(without FUTEX_PRIVATE_FLAG) is known by what backs its page, so that processes meet which have it at different
addresses: (backing, offset in it) for shared memory and for pages of files, also those of a private mapping that is
read-only. Private memory has no object: there a shared futex is (address space, address) again, with bit 0 set,
because Linux keeps both kinds apart: a private wake-up never ends a shared wait.

The key holds the backing itself, not its number: as long as somebody waits, no other object can get the same identity.

Linux kernel/futex/core.c get_futex_key: a shared futex on a page that may be read only must lie in an object (EFAULT:
memory of one's own that never changes is not worth waiting for); an operation that writes wants a writable page.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, LinuxError
from lbw.abi.mman import PROT_WRITE
from lbw.abi.x86_64 import X86_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject

    Key = tuple[AddressSpace | MappedObject, int]

#: The last address that a 64-bit kernel does not refuse at once, whatever the ABI (USER_PTR_MAX).
LAST_ADDRESS = X86_64.task_size


def futex_key(memory: AddressSpace, address: int, private: int, write: bool = False) -> Key:
    """Return the identity of the futex at `address`; `private`: FUTEX_PRIVATE_FLAG or 0.

    EINVAL: not a multiple of 4; EFAULT: not an address, or, if shared, no page that may be read (or written, `write`)
    """
    if address & 3:
        raise LinuxError(EINVAL)
    if address > LAST_ADDRESS:
        raise LinuxError(EFAULT)
    if private:
        return memory, address
    return shared_key(memory, address, write)


def shared_key(memory: AddressSpace, address: int, write: bool = False) -> Key:
    """Return the identity of a shared futex at an aligned address.  EFAULT"""
    vma = memory.find(address)
    if vma is None:
        memory.read(address, 1)  # makes a stack grow
        vma = memory.find(address)
        if vma is None:
            raise LinuxError(EFAULT)
    writable = vma.prot & PROT_WRITE
    if write and not writable:
        raise LinuxError(EFAULT)
    backing = vma.backing
    if backing is not None:
        memory.read(address, 1)  # it may be forbidden, or lie behind the end of the file
        if vma.shared or not writable:
            return backing, vma.offset + address - vma.start
    if not writable:
        raise LinuxError(EFAULT)
    return memory, address | 1
