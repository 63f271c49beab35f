"""Contexts: the processor state of one task, kept as the blob that Unicorn itself saves and restores.

While a context is loaded its registers are the engine's live buffer, which every trap fills; otherwise they are its
own storage. Either way `registers` is plain memory: reading one costs an index operation, and nothing is copied until
another task runs. What the blob holds in an inconvenient form (RFLAGS, evaluated lazily by the translator; x87 and
SSE state) goes through Unicorn's register functions, for which the context is loaded first.
"""

from __future__ import annotations

import ctypes
from ctypes import c_uint16, c_uint32, c_uint64, c_void_p
from struct import Struct, unpack_from

from lbw.cpu.contracts import ALL, RIP, RSP
from lbw.cpu.unicorn import library as uc
from lbw.cpu.unicorn.modes import FS, SegmentRegisters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.mmu import Mmu
    from lbw.cpu.unicorn.engine import UnicornEngine

_QWORD = Struct("<Q")
#: Of an FXSAVE64 image: control, status, valid registers, opcode, address of instruction and operand, MXCSR, its mask.
_HEAD = Struct("<HHBxHQQII")
#: What follows its registers.
_REST = bytes(96)
#: Its x87 registers.
_X87 = Struct("<" + "10s6x" * 8)
#: The tag word when no x87 register is in use.
_EMPTY = 0xFFFF


class UnicornContext(SegmentRegisters):
    """The state of one task: integer registers, segment bases, x87 and SSE."""

    __slots__ = ("_engine", "mmu", "modified", "own_registers", "parked_fs", "parked_gs", "registers", "storage")

    def __init__(self, engine: UnicornEngine, mmu: Mmu, blob: bytes) -> None:
        self._engine = engine
        #: The bases that the processor does not have, when the engine withholds them.
        self.parked_fs = self.parked_gs = 0
        self.mmu = mmu
        self.storage = bytearray(blob)
        at = engine.layout.registers
        self.own_registers = memoryview(self.storage)[at : at + 17 * 8].cast("Q")
        self.registers = self.own_registers
        self.modified = ALL

    def blob(self) -> bytes | bytearray:
        """Return the current state as a blob."""
        if self._engine.loaded is self:
            return bytes(self._engine.processor.buffer.raw)
        return self.storage

    def clone(self) -> UnicornContext:
        """Return a copy, FP and SIMD state included."""
        copy = UnicornContext(self._engine, self.mmu, bytes(self.blob()))
        copy.parked_fs, copy.parked_gs = self.parked_fs, self.parked_gs
        return copy

    def reset(self, entry: int, stack: int, bits: int = 64) -> None:
        """State of a fresh program: registers zero, RIP and RSP as given, default FP control words, bases zero.

        `bits`: 64, or 32 for compatibility mode.
        """
        template = self._engine.processor.modes.templates[bits]
        if self._engine.loaded is self:
            ctypes.memmove(self._engine.processor.buffer, template, len(template))
            self._engine.unload()
        self.storage[:] = template
        self.parked_fs = self.parked_gs = 0
        registers = self.registers
        for number in range(16):
            registers[number] = 0
        registers[RSP] = stack
        registers[RIP] = entry
        self.modified = ALL

    # Values that lie in the blob as they are

    def _get(self, offset: int) -> int:
        if self._engine.loaded is self:
            return int(_QWORD.unpack_from(self._engine.processor.buffer, offset)[0])
        return int(_QWORD.unpack_from(self.storage, offset)[0])

    def _set(self, offset: int, value: int) -> None:
        target = self._engine.processor.buffer if self._engine.loaded is self else self.storage
        _QWORD.pack_into(target, offset, value & 0xFFFF_FFFF_FFFF_FFFF)
        self.modified = ALL

    @property
    def fs_base(self) -> int:
        """The base of FS, a 64-bit linear address."""
        if self._engine.parked:
            return self.parked_fs
        return self._get(self._engine.layout.fs_base)

    @fs_base.setter
    def fs_base(self, value: int) -> None:
        if self._engine.parked:
            self._park(value, self.parked_gs)
            return
        self._set(self._engine.layout.fs_base, value)
        self._mirror()

    @property
    def gs_base(self) -> int:
        """The base of GS."""
        if self._engine.parked:
            return self.parked_gs
        return self._get(self._engine.layout.gs_base)

    @gs_base.setter
    def gs_base(self, value: int) -> None:
        if self._engine.parked:
            self._park(self.parked_fs, value)
            return
        self._set(self._engine.layout.gs_base, value)
        self._mirror()

    def _park(self, fs: int, gs: int) -> None:
        self.parked_fs, self.parked_gs = fs, gs
        if self._engine.loaded is self:
            self._engine.upper.set_bases(fs, gs)

    def _mirror(self) -> None:
        if self._engine.mirrored and self._engine.loaded is self:
            self._engine.upper.set_bases(self.fs_base, self.gs_base)

    def swap_bases(self, fs: int, gs: int) -> tuple[int, int]:
        """Give the processor these bases, whatever programs see; return the ones it had."""
        layout = self._engine.layout
        old = self._get(layout.fs_base), self._get(layout.gs_base)
        self._set(layout.fs_base, fs)
        self._set(layout.gs_base, gs)
        return old

    def set_base(self, register: int, base: int) -> None:
        """Set the true base of FS or GS."""
        if register == FS:
            self.fs_base = base
        else:
            self.gs_base = base

    def changed(self) -> None:
        """Have the state loaded before the context runs again."""
        self.modified = ALL

    # Values that Unicorn has to compute

    @property
    def flags(self) -> int:
        """RFLAGS."""
        self._engine.synchronise(self)
        return self._engine.processor.read(uc.REG_EFLAGS) & 0xFFFF_FFFF

    @flags.setter
    def flags(self, value: int) -> None:
        self._engine.synchronise(self)
        self._engine.processor.write(uc.REG_EFLAGS, value | 2)
        self._engine.refresh()

    def read_fpu(self) -> bytes:
        """Return the x87 and SSE state as a 512-byte FXSAVE64 image (Intel SDM vol. 1, 10.5.1)."""
        return self.read_state()[0]

    def read_state(self) -> tuple[bytes, int]:
        """Return the FXSAVE64 image and RFLAGS, at once."""
        self._engine.synchronise(self)
        state = _FPU
        library, handle = self._engine.processor.library, self._engine.processor.handle
        library.reg_read_batch(handle, state.ids, state.pointers, state.count)
        return self._image(state), state.flags.value & 0xFFFF_FFFF

    @staticmethod
    def _image(state: _FpuTransfer) -> bytes:
        image = bytearray(512)
        status, tags = state.status.value, state.tags.value
        top = status >> 11 & 7
        if top == 0 and tags == _EMPTY:  # nearly always: programs of today have nothing in x87 registers
            return (
                _HEAD.pack(state.control.value, status, 0, 0, 0, 0, state.mxcsr.value, 0xFFFF)
                + state.x87.raw + state.xmm.raw + _REST
            )  # fmt: skip
        image = bytearray(512)
        valid = 0
        for physical in range(8):
            valid |= (tags >> 2 * physical & 3 != 3) << physical
        _HEAD.pack_into(image, 0, state.control.value, status, valid, 0, 0, 0, state.mxcsr.value, 0xFFFF)
        for number in range(8):  # FXSAVE stores in stack order, Unicorn in physical order
            at = (top + number & 7) * 16
            image[32 + 16 * number : 42 + 16 * number] = state.x87.raw[at : at + 10]
        image[160:416] = state.xmm.raw
        return bytes(image)

    def write_fpu(self, image: bytes) -> None:
        """Load a 512-byte FXSAVE64 image."""
        self.write_state(image, self.flags)

    def write_state(self, image: bytes, flags: int) -> None:
        """Load an FXSAVE64 image and RFLAGS, at once."""
        self._engine.synchronise(self)
        state = _FPU
        state.flags.value = flags | 2
        control, status, valid, _, _, _, mxcsr, _ = _HEAD.unpack_from(image)
        top = status >> 11 & 7
        if top == 0 and not valid:
            x87 = _X87.pack(*_X87.unpack_from(image, 32))
            tags = _EMPTY
        else:
            x87, tags = _in_physical_order(image, top, valid)
        state.control.value, state.status.value, state.tags.value = control, status, tags
        state.mxcsr.value = mxcsr & 0xFFFF
        state.x87.raw = x87
        state.xmm.raw = image[160:416]
        library, handle = self._engine.processor.library, self._engine.processor.handle
        library.reg_write_batch(handle, state.ids, state.pointers, state.count)
        self._engine.refresh()


def _in_physical_order(image: bytes, top: int, valid: int) -> tuple[bytes, int]:
    """Return the x87 registers of an FXSAVE image as Unicorn has them, 16 bytes each, and their tags."""
    x87, tags = bytearray(128), 0
    for number in range(8):
        physical = top + number & 7
        register = image[32 + 16 * number : 42 + 16 * number]
        x87[physical * 16 : physical * 16 + 10] = register
        tags |= (_tag(register) if valid >> physical & 1 else 3) << 2 * physical
    return bytes(x87), tags


def _tag(register: bytes) -> int:
    """Return the tag of an 80-bit register: 0 valid, 1 zero, 2 special (Intel SDM vol. 1, 8.1.7)."""
    exponent = unpack_from("<H", register, 8)[0] & 0x7FFF
    if exponent == 0x7FFF:
        return 2
    if exponent == 0:
        return 2 if any(register[:8]) else 1
    return 0 if register[7] & 0x80 else 2


class _FpuTransfer:
    """Prebuilt arrays for one batch transfer of all x87 and SSE registers."""

    def __init__(self) -> None:
        self.control, self.status, self.tags = c_uint16(), c_uint16(), c_uint16()
        self.mxcsr = c_uint32()
        self.flags = c_uint64()
        self.x87 = ctypes.create_string_buffer(128)  # 8 x 16 bytes, 10 used
        self.xmm = ctypes.create_string_buffer(256)
        targets = [
            (uc.REG_FPCW, ctypes.addressof(self.control)),
            (uc.REG_FPSW, ctypes.addressof(self.status)),
            (uc.REG_FPTAG, ctypes.addressof(self.tags)),
            (uc.REG_MXCSR, ctypes.addressof(self.mxcsr)),
            (uc.REG_EFLAGS, ctypes.addressof(self.flags)),
            *((uc.REG_FP0 + i, ctypes.addressof(self.x87) + 16 * i) for i in range(8)),
            *((uc.REG_XMM0 + i, ctypes.addressof(self.xmm) + 16 * i) for i in range(16)),
        ]
        self.count = len(targets)
        self.ids = (ctypes.c_int * self.count)(*(number for number, _ in targets))
        self.pointers = (c_void_p * self.count)(*(address for _, address in targets))


_FPU = _FpuTransfer()
