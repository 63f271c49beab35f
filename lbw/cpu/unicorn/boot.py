"""Boot: bring the emulated processor into long mode, ring 3, and find out where its state lies.

The processor is set up once: a GDT in a supervisor page that every address space maps, EFER, CR0, CR4, then `iretq`
to ring 3. Afterwards it never sees ring 0 again: traps end the run, and lbw plays the kernel from outside.

All state of a task is the blob that `uc_context_save` fills. Its layout is Unicorn's own business and is therefore
measured here at every start (`calibrate`, about 60 us): recognisable values are put into registers and one page fault
is caused, then the blob is searched for them. A library that does not behave as expected is refused with an
EngineError instead of running wrongly.

Rejected: reading registers with uc_reg_read_batch at every trap. Saving the context costs the same (0.25 us) and
yields everything.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int, c_int32, c_uint32, c_uint64, c_void_p
from struct import Struct, pack_into

from lbw.abi.cpuid import XSTATE_FEATURES
from lbw.cpu.contracts import PAGE, PF
from lbw.cpu.unicorn import library as uc
from lbw.cpu.unicorn.hooks import Hooks, stop_between_blocks_only
from lbw.cpu.unicorn.identity import introduce
from lbw.cpu.unicorn.modes import USER32_CS, USER_CS, USER_DS, Modes
from lbw.cpu.unicorn.page_bits import ACCESSED, DIRTY, NX, PRESENT, USER, WRITE
from lbw.cpu.unicorn.parking import PARKED
from lbw.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.abi.cpuid import Identity
    from lbw.host.memory import Ram

#: Linear address of the supervisor page: GDT and the way into ring 3.
KERNEL = 0xFFFF_8000_0000_0000
GDT_OFFSET, STUB_OFFSET, STACK_OFFSET = 0x100, 0, 0x800

GDT_ENTRIES = 16

MSR_EFER = 0xC000_0080
EFER = 1 << 0 | 1 << 8 | 1 << 10 | 1 << 11  # SCE LME LMA NXE
# PAE PCE (Unicorn takes it the other way round: no rdpmc) OSFXSR OSXMMEXCPT OSXSAVE
CR4 = 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 18
CR4_FSGSBASE = 1 << 16
CR4_TSD = 1 << 2
CR0 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1  # PG WP NE ET MP PE

_PROBE_CODE, _PROBE_HOLE = 0x40_0000, 0x2345_6000
#: Where the supervisor page has room for more code that is tried in ring 3.
_FREE_OFFSET = 0x60
_QWORD = Struct("<Q")


class Layout:
    """Byte offsets of registers in a saved context."""

    __slots__ = ("cr2", "error_code", "fs_base", "gs_base", "old_exception", "registers", "size")

    registers: int  # RAX ... R15 in hardware order, then RIP
    old_exception: int  # int32: the pending exception, -1 for none
    error_code: int  # int32
    cr2: int
    fs_base: int
    gs_base: int
    size: int


class Processor:
    """A booted Unicorn instance: the handle, the live context buffer and its layout."""

    def __init__(
        self, ram: Ram, code_cache: int, kernel_frame: int, tables: list[int], identity: Identity, parked: bool,
        predictable: bool,
    ) -> None:  # fmt: skip
        """Boot. `kernel_frame` and `tables` (four frames, given back to the caller) are zeroed frames of `ram`.

        `parked`: programs do not get FS and GS bases of their own, see `lbw.cpu.unicorn.parking`. `predictable`: they
        do not get the time-stamp counter.
        """
        self.parked = parked
        self.predictable = predictable
        self.library = lib = uc.Library()
        self.ram = ram
        handle = c_void_p()
        uc.check(lib.open(uc.ARCH_X86, uc.MODE_64, ctypes.byref(handle)), "uc_open")
        self.handle = handle
        lib.control(handle, uc.TCG_BUFFER_SIZE, c_uint32(code_cache))
        uc.check(lib.mem_map_ptr(handle, 0, ram.size, uc.PROT_ALL, ram.address), "mapping RAM")
        lib.control(handle, uc.USE_EXITS, c_int(1))
        context = c_void_p()
        uc.check(lib.context_alloc(handle, ctypes.byref(context)), "uc_context_alloc")
        #: The buffer that every trap fills.
        self.live = context
        size = lib.context_size(handle)
        self.buffer = (ctypes.c_char * size).from_address(context.value or 0)
        self.kernel_frame = kernel_frame
        #: Reads what the guest's `rdtsc` reads; None: that cannot be done from outside.
        self.counter: Callable[[], int] | None = None
        introduce(self, identity)
        compatible = self._enter_ring3(tables)
        self.layout = self._calibrate(tables, size)
        #: The state at an `in`, `out` or `sysenter` that ended the run, and what it is refused with, see `Hooks`.
        self.port_access: bytes | None = None
        self.refused_vector = 0
        self.hooks = Hooks(self)
        stop_between_blocks_only(self, kernel_frame + _FREE_OFFSET, _PROBE_CODE + _FREE_OFFSET)
        #: Contexts in ring 3 with everything else zero, in both modes.
        self.modes = Modes(self.layout, self.save(), compatible)

    def close(self) -> None:
        """Close the Unicorn instance. Its buffers stay valid until nobody refers to them."""
        if self.handle:
            self.library.close(self.handle)
            self.handle = c_void_p()

    def write(self, register: int, value: int) -> None:
        """Write a 64-bit register."""
        self.library.reg_write(self.handle, register, ctypes.byref(c_uint64(value)))

    def read(self, register: int) -> int:
        """Read a 64-bit register."""
        value = c_uint64()
        self.library.reg_read(self.handle, register, ctypes.byref(value))
        return value.value

    def save(self) -> bytes:
        """Save the context into the live buffer and return a copy."""
        self.library.context_save(self.handle, self.live)
        return bytes(self.buffer.raw)

    def _enter_ring3(self, tables: list[int]) -> bytes:
        """Enter ring 3 in compatibility mode, then in 64-bit mode; return the state in the former."""
        words, view, kernel = self.ram.words, self.ram.view, self.kernel_frame
        root, directory_pointers, directory, table = tables
        self._map_kernel(root)
        code = kernel  # the probe's code lies in the supervisor page too, mapped a second time for ring 3
        link = PRESENT | WRITE | USER | ACCESSED
        words[root // 8] = directory_pointers | link
        words[directory_pointers // 8] = directory | link
        words[directory // 8 + (_PROBE_CODE >> 21)] = table | link
        words[table // 8 + (_PROBE_CODE >> 12 & 511)] = code | PRESENT | USER | ACCESSED | DIRTY

        def segment(access: int, flags: int) -> int:
            return access << 40 | flags << 52 | 0xF << 48 | 0xFFFF

        gdt = [0] * GDT_ENTRIES
        gdt[2] = segment(0x9B, 0xA)  # ring 0 code
        gdt[3] = segment(0x93, 0xC)
        gdt[USER32_CS >> 3] = segment(0xFB, 0xC)
        gdt[USER_DS >> 3] = segment(0xF3, 0xC)
        gdt[USER_CS >> 3] = segment(0xFB, 0xA)
        pack_into(f"<{GDT_ENTRIES}Q", view, kernel + GDT_OFFSET, *gdt)
        view[kernel : kernel + 5] = b"\x0f\x01\xd1\x48\xcf"  # xsetbv; iretq
        view[kernel + 0x40 : kernel + 0x42] = b"\xcd\x80"  # int 0x80
        view[kernel + 0x4E : kernel + 0x50] = b"\x0f\x31"  # rdtsc
        view[kernel + 0x50 : kernel + 0x58] = b"\x8b\x04\x25" + (_PROBE_HOLE).to_bytes(4, "little") + b"\x90"

        lib, handle = self.library, self.handle
        efer = (c_uint32 * 4)(MSR_EFER, 0, EFER, 0)  # uc_x86_msr: rid, padding, value
        lib.reg_write(handle, uc.REG_MSR, efer)
        self.write(uc.REG_CR3, root)
        self.write(uc.REG_CR4, CR4 | (0 if self.parked else CR4_FSGSBASE) | (CR4_TSD if self.predictable else 0))
        self.write(uc.REG_CR0, CR0)
        gdtr = ctypes.create_string_buffer(24)  # uc_x86_mmr: selector, base, limit, flags
        pack_into("<HxxxxxxQII", gdtr, 0, 0, KERNEL + GDT_OFFSET, GDT_ENTRIES * 8 - 1, 0)
        lib.reg_write(handle, uc.REG_GDTR, gdtr)
        self.write(uc.REG_FPCW, 0x37F)
        self.write(uc.REG_FPTAG, 0xFFFF)
        self.write(uc.REG_MXCSR, 0x1F80)
        self.write(uc.GENERAL[4], KERNEL + STACK_OFFSET)
        for number, value in enumerate((XSTATE_FEATURES, 0, 0)):  # EAX and EDX to XCR0, whose number is in ECX
            self.write(uc.GENERAL[number], value)
        supervisor = self.save()
        states = []
        for selector in (USER32_CS, USER_CS):
            frame = (_PROBE_CODE + 0x40, selector, 0x202, 0, USER_DS)
            pack_into("<5Q", view, kernel + STACK_OFFSET, *frame)
            ctypes.memmove(self.buffer, supervisor, len(supervisor))
            lib.context_restore(handle, self.live)
            error = lib.emu_start(handle, KERNEL + STUB_OFFSET, 0, 0, 0)
            if error != uc.EXCEPTION or self.read(uc.REG_RIP) != _PROBE_CODE + 0x42:
                raise EngineError(f"unicorn {lib.version()} does not enter ring 3 (error {error})")
            states.append(self.save())
        return states[0]

    def _map_kernel(self, root: int) -> None:
        """Build the supervisor half once; its top-level entry is copied into every address space."""
        words = self.ram.words
        tables = [self.kernel_frame + PAGE * level for level in (1, 2, 3)]
        entry = root // 8 + 256
        for table in tables:
            words[entry] = table | PRESENT | WRITE | ACCESSED
            entry = table // 8
        words[entry] = self.kernel_frame | PRESENT | WRITE | ACCESSED | DIRTY
        self.kernel_entry = tables[0] | PRESENT | WRITE | ACCESSED

    def _calibrate(self, tables: list[int], size: int) -> Layout:
        lib, layout = self.library, Layout()
        layout.size = size

        def find(blob: bytes, pattern: bytes, what: str) -> int:
            at = blob.find(pattern)
            if at < 0 or blob.find(pattern, at + 1) >= 0:
                raise EngineError(f"unicorn {lib.version()}: {what} is not where it can be found; use unicorn 2.1.4")
            return at

        marks = [0x1357_0000_9BDF_0000 + 0x0101 * (i + 1) for i in range(16)]
        for register, mark in zip(uc.GENERAL, marks, strict=True):
            self.write(register, mark)
        self.write(uc.REG_FS_BASE, 0x1111_2222_3333)
        self.write(uc.REG_GS_BASE, 0x1111_4444_5555)
        before = self.save()
        layout.registers = find(before, b"".join(map(_QWORD.pack, marks)), "the register file")
        layout.fs_base = find(before, _QWORD.pack(0x1111_2222_3333), "the FS base")
        layout.gs_base = find(before, _QWORD.pack(0x1111_4444_5555), "the GS base")
        counter = None if self.predictable else lib.counter()
        earliest = counter() if counter is not None else 0
        error = lib.emu_start(self.handle, _PROBE_CODE + (0x50 if counter is None else 0x4E), 0, 0, 0)
        latest = counter() if counter is not None else 0
        after = self.save()
        rip = _QWORD.unpack_from(after, layout.registers + 128)[0]
        if error != uc.EXCEPTION or rip != _PROBE_CODE + 0x50:
            raise EngineError(f"unicorn {lib.version()}: a page fault is not reported as expected")
        layout.cr2 = find(after, _QWORD.pack(_PROBE_HOLE), "CR2")
        low, high = (_QWORD.unpack_from(after, layout.registers + offset)[0] for offset in (0, 16))
        if earliest <= high << 32 | low <= latest:
            self.counter = counter
        changed = [
            at for at in range(0, size - 3, 4)
            if before[at : at + 4] == b"\xff" * 4 and after[at : at + 4] == bytes((PF, 0, 0, 0))
        ]  # fmt: skip
        if len(changed) != 1:
            raise EngineError(f"unicorn {lib.version()}: the pending exception is not where it can be found")
        layout.old_exception = changed[0]
        layout.error_code = self._find_error_code(tables, before, layout)
        for register in uc.GENERAL:
            self.write(register, 0)
        base = PARKED if self.parked else 0
        self.write(uc.REG_FS_BASE, base)
        self.write(uc.REG_GS_BASE, base)
        return layout

    def _find_error_code(self, tables: list[int], clean: bytes, layout: Layout) -> int:
        """Fault twice with different error codes (a missing page: 4; a supervisor page: 5) and compare."""
        words, table = self.ram.words, tables[3]
        upper = tables[2] // 8 + (_PROBE_HOLE >> 21)
        entry = table // 8 + (_PROBE_HOLE >> 12 & 511)
        blobs = []
        for pte in (0, self.kernel_frame | PRESENT | ACCESSED | DIRTY | NX):
            words[upper] = table | PRESENT | WRITE | USER | ACCESSED
            words[entry] = pte
            ctypes.memmove(self.buffer, clean, len(clean))
            self.library.context_restore(self.handle, self.live)
            self.library.control(self.handle, uc.TLB_FLUSH)
            self.library.emu_start(self.handle, _PROBE_CODE + 0x50, 0, 0, 0)
            blobs.append(self.save())
        ctypes.memmove(self.buffer, clean, len(clean))
        c_int32.from_buffer(self.buffer, layout.old_exception).value = -1
        self.library.context_restore(self.handle, self.live)
        found = [
            at for at in range(0, len(clean) - 3, 4)
            if blobs[0][at : at + 4] == b"\4\0\0\0" and blobs[1][at : at + 4] == b"\5\0\0\0"
        ]  # fmt: skip
        if len(found) != 1:
            raise EngineError(f"unicorn {self.library.version()}: the error code is not where it can be found")
        return found[0]
