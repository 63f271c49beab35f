"""Thread-local storage of i386, and local descriptor tables: who has which descriptor, and how it gets into a register.

A task has three entries of the GDT (12 to 14) for TLS, an address space has an LDT. Neither is ever in the tables of
the processor: a program that loads such a selector traps (`lbw.kernel.segment_loads`), and the hidden part of the
register is written by hand; there it stays, per task, until another selector is loaded. When the descriptor behind a
loaded selector changes, registers are loaded again as in Linux: all for a TLS entry, DS and ES for one of the LDT.

man 2 set_thread_area, modify_ldt; Linux arch/x86/kernel/tls.c, ldt.c
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ESRCH, LinuxError
from lbw.kernel.segment_descriptors import (
    NOT_PRESENT,
    PRESENT,
    SEG_32BIT,
    SYSTEM_OFF,
    USER_DESC,
    UserDescriptor,
    base_of,
    byte_limit,
    describe,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace

ES, CS, SS, DS, FS, GS = range(6)

#: Entries of the GDT for TLS.
FIRST, LAST = 12, 14
#: Entries that an LDT may have.
LDT_ENTRIES = 8192
USER_DS = 0x2B

#: Bit of a selector: the descriptor is in the LDT.
LOCAL = 4


def read_description(memory: AddressSpace, address: int) -> UserDescriptor:
    """Return the `struct user_desc` at `address`.  EFAULT"""
    return UserDescriptor(*memory.load(address, USER_DESC))


def wanted_area(memory: AddressSpace, address: int) -> UserDescriptor:
    """Return the `struct user_desc` at `address` if it may become a TLS entry.

    EFAULT; EINVAL: no 32-bit data segment
    """
    wanted = read_description(memory, address)
    if not (wanted.empty or wanted.zero) and (
        not wanted.bits & SEG_32BIT or wanted.contents > 1 or wanted.bits & NOT_PRESENT
    ):
        raise LinuxError(EINVAL)
    return wanted


def thread_area(memory: AddressSpace, address: int) -> UserDescriptor:
    """Return what clone's CLONE_SETTLS gives the new task.  EFAULT, EINVAL"""
    wanted = wanted_area(memory, address)
    if not FIRST <= wanted.entry <= LAST:
        raise LinuxError(EINVAL)
    return wanted


def set_thread_area(task: Task, address: int) -> None:
    """Set a TLS entry of `task` to what the `struct user_desc` at `address` says; entry -1 takes a free one.

    EFAULT; EINVAL: no TLS entry, or no 32-bit data segment; ESRCH: none is free
    """
    wanted = wanted_area(task.memory, address)
    if wanted.entry == 0xFFFF_FFFF:
        if 0 not in task.tls:
            raise LinuxError(ESRCH)
        wanted.entry = FIRST + task.tls.index(0)
        task.memory.write_u32(address, wanted.entry)
    if not FIRST <= wanted.entry <= LAST:
        raise LinuxError(EINVAL)
    install(task, wanted)


def install(task: Task, wanted: UserDescriptor) -> None:
    """Make a valid `wanted` the TLS entry that it names."""
    entries = list(task.tls)
    entries[wanted.entry - FIRST] = 0 if wanted.empty or wanted.zero else wanted.descriptor()
    task.tls = (entries[0], entries[1], entries[2])
    refresh(task, wanted.entry << 3 | 3)


def get_thread_area(task: Task, address: int) -> None:
    """Complete the `struct user_desc` at `address`, whose entry number is given.  EFAULT, EINVAL"""
    entry = task.memory.read_u32(address)
    if not FIRST <= entry <= LAST:
        raise LinuxError(EINVAL)
    found = describe(task.tls[entry - FIRST], entry)
    task.memory.store(address, USER_DESC, entry, found.base, found.limit, found.bits)


def read_ldt(task: Task, address: int, size: int) -> int:
    """Store up to `size` bytes of the LDT, zeros behind its end; return how many.  EFAULT"""
    table = task.memory.ldt
    if not table:
        return 0
    size = min(size, LDT_ENTRIES * 8)
    data = b"".join(entry.to_bytes(8, "little") for entry in table[: size + 7 >> 3])[:size]
    task.memory.write(address, data.ljust(size, b"\0"))
    return size


def read_default_ldt(task: Task, address: int, size: int) -> int:
    """Store the default LDT, which is empty.  EFAULT"""
    size = min(size, 128)
    task.memory.write(address, bytes(size))
    return size


def write_ldt(task: Task, address: int, size: int, old_mode: bool) -> int:
    """Set an entry of the LDT, for all threads of the address space.  EINVAL, EFAULT"""
    if size != USER_DESC.size:
        raise LinuxError(EINVAL)
    memory = task.memory
    wanted = read_description(memory, address)
    if wanted.entry >= LDT_ENTRIES or (wanted.contents == 3 and (old_mode or not wanted.bits & NOT_PRESENT)):
        raise LinuxError(EINVAL)
    if (old_mode and not wanted.base and not wanted.limit) or wanted.empty:
        descriptor = 0
    else:
        descriptor = wanted.descriptor()
        if old_mode:
            descriptor &= ~(1 << 52)
    table = list(memory.ldt)
    table += [0] * (wanted.entry + 1 - len(table))
    table[wanted.entry] = descriptor
    memory.ldt = tuple(table)
    for other in task.kernel.tasks.values():
        if other.memory is memory:
            refresh(other, None)
    return 0


def descriptor_of(task: Task, selector: int) -> int:
    """Return the descriptor behind a TLS or LDT selector, 0: there is none."""
    index = selector >> 3
    if selector & LOCAL:
        table = task.memory.ldt
        return table[index] if index < len(table) else 0
    return task.tls[index - FIRST] if FIRST <= index <= LAST else 0


def load(task: Task, register: int, selector: int) -> bool:
    """Load a data segment register as an instruction of the program would; False: that is a fault."""
    if register != SS and selector in (0, 1, 2, 3, USER_DS):
        task.context.load_flat(register, selector)
        return True
    if register == SS and selector == USER_DS:
        task.context.load_flat(register, selector)
        return True
    descriptor = descriptor_of(task, selector)
    access = descriptor >> 32
    if not access & SYSTEM_OFF or not access & PRESENT:
        return False
    data = not access & 1 << 11
    writable = access & 1 << 9
    if register == SS:
        if not (data and writable and selector & 3 == 3):
            return False
    elif not data and not writable:  # code that cannot be read
        return False
    task.context.load_segment(register, selector, base_of(descriptor), byte_limit(descriptor), access)
    return True


def load_or_clear(task: Task, register: int, selector: int) -> None:
    """Load a register from a signal frame or for a new thread: what cannot be loaded becomes a null selector."""
    if not load(task, register, selector):
        task.context.load_flat(register, 0)


def refresh(task: Task, changed: int | None) -> None:
    """Load the registers of `task` again that hold the selector `changed`; None: DS and ES if it is of the LDT."""
    selectors = task.context.selectors
    for register in (DS, ES, FS, GS) if changed is not None else (DS, ES):
        selector = selectors[register]
        if selector == changed or (changed is None and selector & LOCAL):
            load_or_clear(task, register, selector)
