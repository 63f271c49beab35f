"""The Unicorn library through ctypes: prototypes, and the few numbers that lbw needs.

The Python binding is not imported: its per-register wrappers cost 2 to 20 us a call and its import 50 ms; only the
shared library in its wheel is used. `long_call` releases the GIL and serves `uc_emu_start` alone; everything else is
shorter than a GIL hand-over and goes through `short_call`. Numbers are those of unicorn/unicorn.h and unicorn/x86.h,
version 2.1.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from importlib.machinery import PathFinder

from lbw.errors import EngineError

ARCH_X86, MODE_64, PROT_ALL = 4, 8, 7
OK, INVALID_INSTRUCTION, EXCEPTION = 0, 10, 21
HOOK_INSN = 2
INS_SYSCALL, INS_SYSENTER, INS_IN, INS_OUT = 699, 700, 218, 500
TB_REMOVE_CACHE, TB_FLUSH, TLB_FLUSH, TCG_BUFFER_SIZE, USE_EXITS, CPU_MODEL = 9, 10, 11, 13, 4, 7
_WRITE = 1 << 30

# Register numbers (uc_x86_reg), general registers in the processor's own order
GENERAL = (35, 38, 40, 37, 44, 36, 43, 39, 106, 107, 108, 109, 110, 111, 112, 113)
REG_RIP, REG_EFLAGS, REG_CS, REG_SS = 41, 25, 11, 49
REG_CR0, REG_CR2, REG_CR3, REG_CR4 = 50, 52, 53, 54
REG_GDTR, REG_MSR, REG_FS_BASE, REG_GS_BASE = 243, 248, 250, 251
REG_FPSW, REG_FPCW, REG_FPTAG, REG_MXCSR = 31, 246, 247, 249
REG_FP0, REG_XMM0 = 82, 122

#: Arguments for functions without prototypes.
BARE_NO_LIMITS, BARE_EFLAGS = (c_uint64(0), c_uint64(0), c_uint64(0)), c_int(REG_EFLAGS)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Function = Any  # of the library: ctypes knows its arguments


class Library:
    """libunicorn, with prototypes."""

    # set by name in __init__; each returns a uc_err except context_size
    open: Function
    close: Function
    mem_map_ptr: Function
    hook_add: Function
    hook_del: Function
    ctl: Function
    context_alloc: Function
    context_save: Function
    context_restore: Function
    context_size: Function
    reg_read: Function
    reg_write: Function
    reg_read_batch: Function
    reg_write_batch: Function

    # The same without prototypes, for the trap's way: arguments are ctypes objects, nothing is converted, half the time
    bare_emu_start: Function
    bare_emu_stop: Function
    bare_context_save: Function
    bare_context_restore: Function
    bare_reg_read: Function
    bare_reg_write_batch: Function

    def __init__(self) -> None:
        path = _find()
        try:
            long_call = ctypes.CDLL(path)
            short_call = ctypes.PyDLL(path)
        except OSError as error:
            raise EngineError(f"the Unicorn library cannot be loaded: {error}") from None
        self.path = path
        self.emu_start = long_call.uc_emu_start
        self.emu_start.argtypes = (c_void_p, c_uint64, c_uint64, c_uint64, c_size_t)
        self.emu_stop = short_call.uc_emu_stop
        self.emu_stop.argtypes = (c_void_p,)
        self.emu_stop_address = ctypes.cast(long_call.uc_emu_stop, c_void_p)
        self.context_save_address = ctypes.cast(long_call.uc_context_save, c_void_p)
        for name, arguments in (
            ("open", (c_int, c_int, POINTER(c_void_p))),
            ("close", (c_void_p,)),
            ("mem_map_ptr", (c_void_p, c_uint64, c_size_t, c_uint32, c_void_p)),
            ("hook_add", (c_void_p, POINTER(c_size_t), c_int, c_void_p, c_void_p, c_uint64, c_uint64)),
            ("hook_del", (c_void_p, c_size_t)),
            ("ctl", (c_void_p, c_int)),
            ("context_alloc", (c_void_p, POINTER(c_void_p))),
            ("context_save", (c_void_p, c_void_p)),
            ("context_restore", (c_void_p, c_void_p)),
            ("context_size", (c_void_p,)),
            ("reg_read", (c_void_p, c_int, c_void_p)),
            ("reg_write", (c_void_p, c_int, c_void_p)),
            ("reg_read_batch", (c_void_p, c_void_p, c_void_p, c_int)),
            ("reg_write_batch", (c_void_p, c_void_p, c_void_p, c_int)),
        ):
            function = getattr(short_call, "uc_" + name)
            function.argtypes = arguments
            setattr(self, name, function)
        self.context_size.restype = c_size_t
        self.bare_emu_start = long_call["uc_emu_start"]
        for name in ("emu_stop", "context_save", "context_restore", "reg_read", "reg_write_batch"):
            setattr(self, "bare_" + name, short_call["uc_" + name])
        self._short = short_call

    def counter(self) -> Callable[[], int] | None:
        """Return the function behind `rdtsc`, 50 ns a call; None: the library hides it."""
        try:
            return ctypes.PYFUNCTYPE(c_uint64)(("cpu_get_ticks_x86_64", self._short))
        except AttributeError:
            return None

    def version(self) -> str:
        """Return the version of the library, like "2.1.4"."""
        number = self._short.uc_version(None, None)
        return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}"

    def control(self, handle: c_void_p, request: int, *arguments: object) -> None:
        """Write a control (uc_ctl)."""
        error = self.ctl(handle, request | len(arguments) << 26 | _WRITE, *arguments)
        check(error, f"uc_ctl {request}")


def check(error: int, what: str) -> None:
    """EngineError unless `error` is zero."""
    if error:
        raise EngineError(f"unicorn: {what} failed with error {error}")


def _find() -> str:
    spec = PathFinder.find_spec("unicorn")
    folder = os.path.join(os.path.dirname(spec.origin), "lib") if spec and spec.origin else ""
    for name in ("libunicorn.so.2", "libunicorn.2.dylib", "unicorn.dll", "libunicorn.so", "libunicorn.dylib"):
        path = os.path.join(folder, name)
        if folder and os.path.exists(path):
            return path
    raise EngineError("the Unicorn library is missing; install it with: pip install unicorn==2.1.4")
