"""Page faults: what an access to memory becomes, the guest's own or the kernel's on its behalf.

First the mapping decides:

    at the address                      access                     result
    nothing                             any                        SIGSEGV, SEGV_MAPERR; except:
    nothing, but a hidden page          its own kind               the page is shown (`lbw.mm.hidden`)
    nothing, below a growing mapping    any, within its limits     the mapping is extended, then as below
    a mapping                           reading, prot is 0         SIGSEGV, SEGV_ACCERR
                                        writing without PROT_WRITE SIGSEGV, SEGV_ACCERR
                                        fetching without PROT_EXEC SIGSEGV, SEGV_ACCERR if the page is present,
                                                                   else it is made present, as by reading: SIGBUS
                                                                   comes first, as on Linux

As on x86 without protection keys, memory that may be written to or executed can be read. Then kind of mapping, access
and state of the page decide; `lbw.cpu.paging` is that part of the table, with the states explained:

    mapping             access   page       action                                             when it fails
    private, anonymous  read     ABSENT     show the page of zeroes, and ahead
                        write    ABSENT     a frame of zeroes, and more ahead                  out of memory
                                 ZEROES     the same                                           out of memory
                                 SOLE       make it writable
                                 COMMON     copy it                                            out of memory
    private, of a file  read     ABSENT     show the file's frame, and others around it        beyond the end: SIGBUS
                        write    ABSENT     copy the file's frame                              beyond the end: SIGBUS
                                 BORROWED   copy it                                            out of memory
                                 SOLE       make it writable
                                 COMMON     copy it                                            out of memory
    shared              read     ABSENT     show the frame, writable if it may be, and others  beyond the end: SIGBUS
                        write    ABSENT     show the frame, writable                           beyond the end: SIGBUS
                                 CLEAN      make it writable
    shared, of a file   read     ABSENT     show the frame, read-only, and others              beyond the end: SIGBUS
    that tracks writes  write    ABSENT     tell the file, show the frame, writable            beyond the end: SIGBUS
                                 CLEAN      tell the file, make it writable                    refused: SIGBUS
    private             fetch    UNRUN      make it executable; until now stores to it were quick
    any                 any      READY      nothing: it can be used already

SIGBUS has the code BUS_ADRERR; it also answers a page that cannot be read from the host, or for which a file system has
no room. si_addr is the address of the access. Out of memory is LinuxError(ENOMEM): the trap loop frees memory or kills.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import EXECUTE, PF_FETCH, PF_PRESENT, PF_WRITE, READ, WRITE
from lbw.mm.hidden import reveal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace

#: Access -> protections any of which allows it.
ALLOWS = {READ: PROT_READ | PROT_WRITE | PROT_EXEC, WRITE: PROT_WRITE, EXECUTE: PROT_EXEC}


class SegmentationFault(Exception):
    """A guest access that must be answered with a signal.

    `signo` is SIGSEGV or SIGBUS, `code` the si_code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR), `address` the si_addr.
    """

    __slots__ = ("address", "code", "signo")

    def __init__(self, signo: int, code: int, address: int) -> None:
        self.signo = signo
        self.code = code
        self.address = address


def fault(space: AddressSpace, address: int, error_code: int) -> None:
    """Answer a page fault of the guest, or of the kernel on its behalf.

    `error_code` has the PF_* bits. SegmentationFault: the access is not allowed. LinuxError(ENOMEM): no memory left.
    """
    vma = space.vmas.find(address)
    if vma is None:
        if reveal(space, address, error_code):
            return
        vma = space.grow_stack(address)
    access = WRITE if error_code & PF_WRITE else EXECUTE if error_code & PF_FETCH else READ
    if not vma.prot & ALLOWS[access]:
        if access != EXECUTE or error_code & PF_PRESENT or not vma.prot:
            raise SegmentationFault(SIGSEGV, SEGV_ACCERR, address)
        access = READ  # as Linux: the page comes first, if there is one; the next fault says that it is no code
    if access == WRITE and not vma.anon and not vma.shared:
        space.vmas.begin_history(vma)
    space.faults += 1
    frames = space.frames
    paged_in = frames.paged_in
    try:
        if space.mmu.touch(vma, address, access, bool(error_code & PF_PRESENT)):
            if frames.paged_in != paged_in:
                space.major_faults += 1
                frames.major_faults += 1
            return
    except LinuxError as error:
        if error.errno == ENOMEM:
            raise
    raise SegmentationFault(SIGBUS, BUS_ADRERR, address)
