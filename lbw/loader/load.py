"""Fill a fresh address space with a program: segments, interpreter, stack, auxiliary vector.

Linux flushes the old program first and kills the caller when the new one does not fit. Here the new address space
stands beside the old one until all is done, so a failure is an errno of execve, and the caller just drops the new
space.
"""

from __future__ import annotations

from lbw.abi.auxv import (
    AT_BASE,
    AT_CLKTCK,
    AT_EGID,
    AT_ENTRY,
    AT_EUID,
    AT_EXECFN,
    AT_FLAGS,
    AT_GID,
    AT_HWCAP,
    AT_HWCAP2,
    AT_MINSIGSTKSZ,
    AT_PAGESZ,
    AT_PHDR,
    AT_PHENT,
    AT_PHNUM,
    AT_PLATFORM,
    AT_RANDOM,
    AT_SECURE,
    AT_SYSINFO,
    AT_SYSINFO_EHDR,
    AT_UID,
)
from lbw.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from lbw.loader.image import PAGE_MASK
from lbw.loader.map import interpreter_bias, map_image, program_bias
from lbw.loader.stack import build_stack, check_strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.cpuid import Identity
    from lbw.abi.x86_64 import Abi
    from lbw.loader.program import Program
    from lbw.loader.vdso.image import Vdso
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.credentials import Credentials

#: Bytes of the stack that are mapped below the initial contents; the rest comes by growing.
STACK_AHEAD = 131072
CLOCK_TICKS = 100  # per second (USER_HZ)
PAGE_SIZE = 4096


class Hardware:
    """What programs are told about the processor."""

    __slots__ = ("hwcap", "hwcap2", "identity", "signal_stack", "vdso")

    def __init__(self, identity: Identity, signal_stack: int = 2048, vdso: Vdso | None = None) -> None:
        self.identity = identity
        self.hwcap = identity.hwcap
        self.hwcap2 = identity.hwcap2
        self.signal_stack = signal_stack  # bytes that a signal frame takes (AT_MINSIGSTKSZ)
        self.vdso = vdso  # None: programs get none


class LoadedProgram:
    """Where a loaded program starts."""

    __slots__ = ("entry", "stack_pointer")

    def __init__(self, entry: int, stack_pointer: int) -> None:
        self.entry = entry
        self.stack_pointer = stack_pointer


def load_program(
    space: AddressSpace, program: Program, envp: list[bytes], credentials: Credentials, *, secure: bool,
    page_cache: PageCache, hardware: Hardware, stack_limit: int, random: bytes,
    implies_exec: bool = False,
) -> LoadedProgram:  # fmt: skip
    """Put `program` into the empty `space`; return where it starts.

    `implies_exec`: the personality of the old program had READ_IMPLIES_EXEC. `credentials` and `secure` are those
    after exec (`lbw.loader.privileges`), `stack_limit` the soft RLIMIT_STACK in bytes.  E2BIG: argv and envp; ENOMEM:
    does not fit; EFAULT: the file is shorter than its headers say
    """
    abi, image = program.abi, program.image
    check_strings(program.argv, envp, program.filename, stack_limit)
    # READ_IMPLIES_EXEC, asm/elf.h: 64-bit programs do not inherit it, 32-bit ones get it when they ask for nothing else
    space.implies_exec = implies_exec = abi.word == 4 and (implies_exec or image.stack_executable is None)
    low, high = abi.min_address, abi.stack_top - STACK_AHEAD

    file = program.location.inode.mapped(page_cache)
    bias = program_bias(image, abi.pie_base)
    main = map_image(space, image, file, program.location, bias, low=low, high=high, implies_exec=implies_exec)
    entry, base = main.entry, 0
    if program.interpreter is not None and program.interpreter_location is not None:
        file = program.interpreter_location.inode.mapped(page_cache)
        base = interpreter_bias(space, program.interpreter, file)
        where = program.interpreter_location
        mapped = map_image(space, program.interpreter, file, where, base, low=low, high=high, implies_exec=implies_exec)
        entry = mapped.entry

    auxv = _map_vdso(space, abi, hardware.vdso) if hardware.vdso is not None else []
    auxv += [
        (AT_MINSIGSTKSZ, hardware.signal_stack),
        (AT_HWCAP, hardware.hwcap),
        (AT_PAGESZ, PAGE_SIZE),
        (AT_CLKTCK, CLOCK_TICKS),
        (AT_PHDR, main.phdrs),
        (AT_PHENT, 56 if abi.word == 8 else 32),
        (AT_PHNUM, image.phnum),
        (AT_BASE, base),
        (AT_FLAGS, 0),
        (AT_ENTRY, main.entry),
        (AT_UID, credentials.ruid),
        (AT_EUID, credentials.euid),
        (AT_GID, credentials.rgid),
        (AT_EGID, credentials.egid),
        (AT_SECURE, int(secure)),
        (AT_RANDOM, 0),
        (AT_HWCAP2, hardware.hwcap2),
        (AT_EXECFN, 0),
        (AT_PLATFORM, 0),
    ]
    stack = build_stack(abi, abi.stack_top, program.argv, envp, program.filename, auxv, random)
    bottom = (stack.pointer & ~PAGE_MASK) - STACK_AHEAD
    prot = PROT_READ | PROT_WRITE | (PROT_EXEC if image.stack_executable or implies_exec else 0)
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN
    space.mmap(bottom, abi.stack_top - bottom, prot, flags, name=b"[stack]")
    space.write(stack.pointer, stack.data)

    space.executable = program.location
    space.start_brk = space.brk_end = main.end
    space.start_stack = stack.pointer
    space.arg_start, space.arg_end = stack.arg_start, stack.arg_end
    space.env_start, space.env_end = stack.env_start, stack.env_end
    space.auxv = stack.auxv
    return LoadedProgram(entry, stack.pointer)


def _map_vdso(space: AddressSpace, abi: Abi, vdso: Vdso) -> list[tuple[int, int]]:
    """Map the vDSO; return what the auxiliary vector says about it."""
    base = vdso.map(space, abi)
    header = [(AT_SYSINFO_EHDR, base)]
    entry = vdso.entries[abi.name]
    return [(AT_SYSINFO, base + entry), *header] if entry else header
