"""A small paged machine for fragments: ring 3, 64-bit and 32-bit code, the thread cell where fragments look for it.

It knows nothing of lbw but the addresses of the cell: what is tested shall not help with the test.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from unicorn import UC_ARCH_X86, UC_MODE_64, UC_PROT_ALL, Uc, UcError
from unicorn import x86_const as x86

from lbw.abi.thread_cell import CELL_32, CELL_64

PRESENT, WRITE, USER, READY, NX = 1, 2, 4, 0x60, 1 << 63
FRAME = 0x000F_FFFF_FFFF_F000
KERNEL = 0xFFFF_8000_0000_0000
PARKED = {64: 0x8000_0000_0000_0000, 32: 0xF480_0000}
CELL = {64: CELL_64, 32: CELL_32}

SITE, FRAGMENT, FAR = 0x40_0000, 0x1200_0000, 0x7F12_0000_0000
DATA, OTHER, STACK = 0x2000_0000, 0x3000_0000, 0x5000_0000
PAGES = {SITE: 2, FRAGMENT: 2, FAR: 2, DATA: 8, OTHER: 8, STACK: 4}

GENERAL = [
    getattr(x86, "UC_X86_REG_" + name)
    for name in ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", *(f"R{number}" for number in range(8, 16)))
]
VECTORS = [x86.UC_X86_REG_XMM0 + number for number in range(16)]
FLOATS = [x86.UC_X86_REG_FP0 + number for number in range(8)]
CONTROL = [x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPTAG, x86.UC_X86_REG_MXCSR]


class Machine:
    """The machine; registers and memory are set anew for each run."""

    def __init__(self) -> None:
        self.buffer = mmap.mmap(-1, 4 << 20)
        self.ram = memoryview(self.buffer)
        self.words = self.ram.cast("Q")
        self.uc = Uc(UC_ARCH_X86, UC_MODE_64)
        self.uc.ctl_set_tcg_buffer_size(16 << 20)
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))
        self.uc.mem_map_ptr(0, len(self.buffer), UC_PROT_ALL, pointer)
        self._next = 0x10000
        self.root = self._frame()
        kernel = self._frame()
        self._map(KERNEL, kernel, PRESENT | WRITE)
        self.frames: dict[int, int] = {}
        for address, count in PAGES.items():
            for page in range(address, address + 4096 * count, 4096):
                self.frames[page] = self._frame()
                self._map(page, self.frames[page], PRESENT | WRITE | USER)
        self.cell = self._frame()
        for address in CELL.values():
            self._map(address, self.cell, PRESENT | WRITE | USER | NX)
        self._boot(kernel)

    def _frame(self) -> int:
        self._next += 4096
        return self._next - 4096

    def _entry(self, address: int) -> int:
        table = self.root
        for shift in (39, 30, 21):
            index = (table >> 3) + (address >> shift & 511)
            if not self.words[index]:
                self.words[index] = self._frame() | PRESENT | WRITE | USER | READY
            table = self.words[index] & FRAME
        return (table >> 3) + (address >> 12 & 511)

    def _map(self, address: int, frame: int, flags: int) -> None:
        self.words[self._entry(address)] = frame | flags | READY

    def _boot(self, kernel: int) -> None:
        def segment(access: int, flags: int) -> int:
            return access << 40 | flags << 52 | 0xF << 48 | 0xFFFF

        gdt = (0, segment(0x9B, 0xA), segment(0x93, 0xC), segment(0xFB, 0xA), segment(0xF3, 0xC), segment(0xFB, 0xC))
        self.ram[kernel : kernel + 2] = b"\x48\xcf"  # iretq
        struct.pack_into("<6Q", self.ram, kernel + 0x100, *gdt)
        write = self.uc.reg_write
        write(x86.UC_X86_REG_MSR, (0xC000_0080, 1 << 8 | 1 << 10 | 1 << 11 | 1))
        write(x86.UC_X86_REG_CR3, self.root)
        write(x86.UC_X86_REG_CR4, 1 << 5 | 1 << 9 | 1 << 10)
        write(x86.UC_X86_REG_CR0, 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1)
        write(x86.UC_X86_REG_GDTR, (0, KERNEL + 0x100, 47, 0))
        for register, value in zip(CONTROL, (0, 0x37F, 0xFFFF, 0x1F80), strict=True):
            write(register, value)
        ring0 = self.uc.context_save()
        self._contexts = {}
        for bits, selector in ((64, 0x1B), (32, 0x2B)):
            self.uc.context_restore(ring0)
            struct.pack_into("<5Q", self.ram, kernel + 0x800, SITE, selector, 0x202, STACK, 0x23)
            write(x86.UC_X86_REG_RSP, KERNEL + 0x800)
            self.poke(SITE, bytes.fromhex("d9e8d9ebd9ee9090"))  # fld1, fldpi, fldz
            self.uc.emu_start(KERNEL, SITE + 6)
            for register in (x86.UC_X86_REG_DS, x86.UC_X86_REG_ES):
                write(register, 0x23)
            self._contexts[bits] = self.uc.context_save()

    def poke(self, address: int, data: bytes) -> None:
        """Write guest memory; flush code afterwards if it is some."""
        while data:
            room = 4096 - (address & 4095)
            start = (self.frames[address & ~4095]) + (address & 4095)
            self.ram[start : start + len(data[:room])] = data[:room]
            address, data = address + room, data[room:]

    def peek(self, address: int, length: int) -> bytes:
        """Read guest memory."""
        page = self.frames[address & ~4095]
        return bytes(self.ram[page + (address & 4095) : page + (address & 4095) + length])

    def region(self, address: int) -> bytes:
        """Return all bytes of a region."""
        return b"".join(self.peek(page, 4096) for page in range(address, address + 4096 * PAGES[address], 4096))

    @contextmanager
    def absent(self, address: int, pages: int) -> Iterator[None]:
        """Make pages absent meanwhile; `poke` and `peek` still see them."""
        entries = [self._entry(page) for page in range(address, address + 4096 * pages, 4096)]
        try:
            for entry in entries:
                self.words[entry] &= ~PRESENT
            self.uc.reg_write(x86.UC_X86_REG_CR3, self.root)  # flushes the TLB
            yield
        finally:
            for entry in entries:
                self.words[entry] |= PRESENT

    def fault_address(self) -> int:
        """Return CR2."""
        return self.uc.reg_read(x86.UC_X86_REG_CR2)

    def base_words(self, segment: int, base: int, bits: int) -> None:
        """Fill the cell: the base of FS (4) or GS (5), and junk everywhere else."""
        self.ram[self.cell : self.cell + 64] = bytes(range(0x81, 0xC1))
        mask = (1 << 64) - 1
        word = self.cell + 8 * (segment - 4)
        high = 0 if bits == 64 else 0x7654_3210 << 32  # 32-bit code uses the lower halves
        struct.pack_into("<Q", self.ram, word, base | high)
        struct.pack_into("<Q", self.ram, word + 16, -base & mask if bits == 64 else -base & 0xFFFF_FFFF | high)

    def load(self, state: State, base: tuple[int, int] | None = None) -> None:
        """Set all registers and memory as in `state`; `base`: segment and its base, else both are parked."""
        uc, write = self.uc, self.uc.reg_write
        uc.context_restore(self._contexts[state.bits])
        for register, value in zip(GENERAL, state.registers, strict=True):
            write(register, value)
        write(x86.UC_X86_REG_EFLAGS, state.flags)
        for register, value in zip(VECTORS, state.vectors, strict=False):
            write(register, value)
        parked = PARKED[state.bits]
        write(x86.UC_X86_REG_FS_BASE, base[1] if base and base[0] == 4 else parked)
        write(x86.UC_X86_REG_GS_BASE, base[1] if base and base[0] == 5 else parked)
        for address, data in state.memory.items():
            self.poke(address, data)

    def run(self, start: int, until: int, count: int = 0) -> int:
        """Run; return 0 or Unicorn's error number."""
        try:
            self.uc.emu_start(start, until, count=count)
        except UcError as error:
            return error.errno
        return 0

    def state(self, bits: int) -> State:
        """Return what there is now."""
        read = self.uc.reg_read
        mask = (1 << bits) - 1
        state = State(bits)
        state.registers = [read(register) & mask for register in GENERAL[: bits >> 2 if bits == 64 else 8]]
        state.registers += [0] * (16 - len(state.registers))
        state.flags = read(x86.UC_X86_REG_EFLAGS)
        state.vectors = [read(register) for register in VECTORS]
        state.floats = [read(register) for register in FLOATS + CONTROL]
        state.rip = read(x86.UC_X86_REG_RIP) & mask
        state.memory = {address: self.region(address) for address in (DATA, OTHER, STACK)}
        return state


class State:
    """Registers, flags and memory."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.rip = 0
        self.registers = [0] * 16
        self.flags = 0x202
        self.vectors: list[int] = []
        self.floats: list[object] = []
        self.memory: dict[int, bytes] = {}

    def differences(self, other: State) -> list[str]:
        """Return what differs, for people."""
        found = []
        for name in ("rip", "flags"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found.append(f"{name}: {mine:#x} {theirs:#x}")
        for name in ("registers", "vectors", "floats"):
            for number, (mine, theirs) in enumerate(zip(getattr(self, name), getattr(other, name), strict=False)):
                if mine != theirs:
                    found.append(f"{name}[{number}]: {mine} {theirs}")
        for address, mine in self.memory.items():
            theirs = other.memory[address]
            if mine != theirs:
                offset = next(i for i in range(len(mine)) if mine[i] != theirs[i])
                found.append(f"memory {address + offset:#x}: {mine[offset:][:16].hex()} {theirs[offset:][:16].hex()}")
        return found
