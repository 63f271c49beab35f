"""Modes: 64-bit and compatibility mode, and the hidden parts of segment registers.

A context is in the mode of its code segment. Boot enters ring 3 once in either mode and keeps what the processor made
of it; a context changes its mode by taking over the code and stack segment, and the flags derived from them, of the
other template. Only what cannot be loaded from the processor's own descriptor table (TLS and LDT entries, which are
never in it) is written into the hidden part by hand.

The saved state has, in Unicorn as in QEMU: `hflags` and a second word of flags, then ES CS SS DS FS GS, each as
selector (4 bytes, 4 of padding), base (8), limit (4) and the upper word of its descriptor (4).
"""

from __future__ import annotations

from struct import Struct

from lbw.cpu.unicorn.parking import PARKED
from lbw.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.unicorn.boot import Layout
    from lbw.cpu.unicorn.engine import UnicornEngine

ES, CS, SS, DS, FS, GS = range(6)

#: Selectors, as Linux has them: __USER_CS, __USER_DS, __USER32_CS.
USER_CS, USER_DS, USER32_CS = 0x33, 0x2B, 0x23

_SEGMENT = Struct("<I4xQII")
_SIZE = _SEGMENT.size
#: The selectors of all six.
_SELECTORS = Struct("<" + "H22x" * 6)
_DWORD = Struct("<I")

# hflags (HF_* of QEMU)
_CS32, _SS32, _ADDSEG = 1 << 4, 1 << 5, 1 << 6
CS64 = 1 << 15
_MODE = _CS32 | _SS32 | _ADDSEG | CS64


class Modes:
    """Where segments lie in a saved context, and what they are in each mode."""

    __slots__ = ("flags", "segments", "templates")

    def __init__(self, layout: Layout, native: bytes, compatible: bytes) -> None:
        """`native` and `compatible`: contexts that have just entered ring 3 in either mode.  EngineError"""
        self.segments = layout.fs_base - 8 - FS * _SIZE
        self.flags = self.segments - 8
        self.templates = {64: native, 32: self._mixed(native, compatible)}
        for bits, selector, wanted in ((64, USER_CS, CS64), (32, USER32_CS, _CS32 | _SS32)):
            blob = self.templates[bits]
            segments = [_SEGMENT.unpack_from(blob, self.segments + _SIZE * number) for number in (CS, SS)]
            flags = _DWORD.unpack_from(blob, self.flags)[0]
            if [s[0] for s in segments] != [selector, USER_DS] or flags & 3 != 3 or flags & wanted != wanted:
                raise EngineError("the segments of the processor are not where they can be found; use unicorn 2.1.4")

    def _mixed(self, native: bytes, compatible: bytes) -> bytes:
        """Return `native` with the segments and mode of `compatible`, data segments included."""
        mixed = bytearray(native)
        mixed[self.flags : self.flags + 4] = compatible[self.flags : self.flags + 4]
        end = self.segments + FS * _SIZE
        mixed[self.segments : end] = compatible[self.segments : end]
        stack = self.segments + SS * _SIZE
        for number in (DS, ES):
            at = self.segments + number * _SIZE
            mixed[at : at + _SIZE] = compatible[stack : stack + _SIZE]
        return bytes(mixed)


class SegmentRegisters:
    """The part of a context that knows about modes and segments."""

    __slots__ = ()
    if TYPE_CHECKING:
        _engine: UnicornEngine
        storage: bytearray

        def changed(self) -> None:
            """Have the state loaded before the context runs again."""

        def set_base(self, register: int, base: int) -> None:
            """Set the true base of FS or GS."""

    @property
    def _state(self) -> memoryview:
        engine = self._engine
        return engine.live_bytes if engine.loaded is self else memoryview(self.storage)

    @property
    def bits(self) -> int:
        """The mode of the code segment: 64, or 32 for compatibility mode."""
        return 64 if _DWORD.unpack_from(self._state, self._engine.processor.modes.flags)[0] & CS64 else 32

    @property
    def selectors(self) -> tuple[int, ...]:
        """What the registers ES CS SS DS FS GS show."""
        return _SELECTORS.unpack_from(self._state, self._engine.processor.modes.segments)

    def enter_mode(self, bits: int) -> None:
        """Load CS and SS with the flat segments of 64-bit or compatibility mode."""
        modes, state = self._engine.processor.modes, self._state
        template = modes.templates[bits]
        start, end = modes.segments + CS * _SIZE, modes.segments + (SS + 1) * _SIZE
        state[start:end] = template[start:end]
        flags = _DWORD.unpack_from(state, modes.flags)[0] & ~_MODE
        flags |= _DWORD.unpack_from(template, modes.flags)[0] & _MODE
        _DWORD.pack_into(state, modes.flags, flags)
        self._derive()

    def load_flat(self, register: int, selector: int) -> None:
        """Load DS, ES, FS or GS with USER_DS, or with a null selector, as the processor does by itself."""
        if selector & ~3:
            at = self._engine.processor.modes.segments + SS * _SIZE
            _, base, limit, access = _SEGMENT.unpack_from(self._engine.processor.modes.templates[64], at)
            self.load_segment(register, selector, base, limit, access)
        else:
            self.load_segment(register, selector, 0, 0, 0)

    def load_segment(self, register: int, selector: int, base: int, limit: int, access: int) -> None:
        """Load a segment register with its hidden part: `access` is the upper word of the descriptor."""
        state = self._state
        at = self._engine.processor.modes.segments + _SIZE * register
        hidden = PARKED if self._engine.parked and register in (FS, GS) else base
        _SEGMENT.pack_into(state, at, selector, hidden, limit, access)
        if register in (FS, GS):
            self.set_base(register, base)
        self._derive()

    def _derive(self) -> None:
        """Note whether any of DS, ES and SS has a base: 64-bit mode ignores it."""
        modes, state = self._engine.processor.modes, self._state
        flags = _DWORD.unpack_from(state, modes.flags)[0] & ~_ADDSEG
        if not flags & CS64 and any(
            _SEGMENT.unpack_from(state, modes.segments + _SIZE * number)[1] for number in (DS, ES, SS)
        ):
            flags |= _ADDSEG
        _DWORD.pack_into(state, modes.flags, flags)
        self.changed()


assert _SIZE == 24
