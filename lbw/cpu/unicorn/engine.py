"""The Unicorn engine: run a context until it traps.

Fast path of a system call, 1.2 us: `uc_emu_start` runs; at `syscall` two native hooks fire, `uc_context_save` into
the live buffer and `uc_emu_stop`; Python reads the number and arguments out of the buffer, and on the way back only
RAX, RCX and R11 are written. Python code never runs inside of the emulation.

Which of the two stopped the run, a system call or `interrupt`? The hook leaves the address of the `syscall` in the
buffer's RIP, which was zeroed before the run. A fault is told by the return value and by the pending exception in the
saved context, which has to be cleared there, or the next fault would be a double fault.

`interrupt` may come from any thread at any moment. Three things make it exact. Blocks are stopped at their start
only, and system calls are caught whatever else is under way (hooks.py). A stop that reaches Unicorn before its loop is
entered is lost, so it is repeated until the run has ended.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import c_int, c_int32, c_uint32, c_uint64, c_void_p

from lbw.abi.cpuid import Identity
from lbw.cpu.contracts import (
    ALL,
    FAULT,
    INTERRUPT_32,
    INTERRUPT_64,
    PAGE_FAULT,
    PF,
    PREEMPTED,
    R11,
    RAX,
    RCX,
    RESULT,
    RIP,
    SYSCALL,
    UNMODIFIED,
)  # fmt: skip
from lbw.cpu.unicorn import library as uc
from lbw.cpu.unicorn.bases import TrueBases
from lbw.cpu.unicorn.boot import Processor
from lbw.cpu.unicorn.code import CodeMemory
from lbw.cpu.unicorn.context import UnicornContext
from lbw.cpu.unicorn.flush_causes import GROWN, SWITCHED
from lbw.cpu.unicorn.modes import CS64
from lbw.cpu.unicorn.page_tables import PageTables
from lbw.cpu.unicorn.parking import UpperHalf
from lbw.cpu.unicorn.trap import UnicornTrap
from lbw.cpu.unicorn.vectors import behind_call, exception_vector, interrupt_vector, undefined_vector
from lbw.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.cpu.mmu import Mmu
    from lbw.host.memory import Ram
    from lbw.mm.frames import Frames

#: Host memory for translated code, bytes. Reserved, not used at once.
CODE_CACHE = 256 << 20
#: The TLB may grow after so many preemptions at the latest.
PATIENCE = 128


class UnicornEngine(CodeMemory, TrueBases):
    """One emulated processor; runs one context at a time."""

    capacity = 1

    def __init__(
        self, ram: Ram, frames: Frames, code_cache: int = CODE_CACHE, *, parked: bool = False,
        predictable: bool = False,
    ) -> None:  # fmt: skip
        """Boot the processor on `ram`. `parked`: withhold the bases of FS and GS (`lbw.cpu.unicorn.parking`).

        `predictable`: refuse what differs from run to run, the time-stamp counter (#GP) and random numbers (#UD).
        """
        self.frames = frames
        self.parked = parked
        self.mirrored = False  # the cell has the bases although the processor has them
        kernel = frames.allocate_granule()
        scratch = [frames.allocate() for _ in range(4)]
        #: What the processor says about itself.
        self.identity = Identity(fsgsbase=not parked, random=not predictable)
        self.processor = processor = Processor(ram, code_cache, kernel, scratch, self.identity, parked, predictable)
        for frame in scratch:
            frames.drop(frame)
        self.upper = UpperHalf(frames)
        self.counter = processor.counter
        self.cell = self.upper.words
        self.cell_frame = self.upper.cell
        self.layout = layout = processor.layout
        self.loaded: UnicornContext | None = None
        self.active: PageTables | None = None  # whose CR3 is loaded
        self.spaces: set[PageTables] = set()  # all that live
        self.originals: dict[int, int] = {}
        self.flush_pending = 0  # why the TLB is to be flushed before the next run: bits of `flush_causes`
        self._quiet, self._patience = 0, 1  # preemptions since the TLB could grow, and how many are too many
        self.flushes: dict[int, int] = {}  # how often it was, by causes that came together
        self.code_flushes = 0
        self._next: UnicornContext | None = None
        self._trap = UnicornTrap()
        self._ram = frames.view
        self._runs = 0  # odd while a run is under way
        self._interrupted = False
        buffer = processor.buffer
        self.live_bytes = memoryview(buffer).cast("B")
        self.live_registers = self.live_bytes[layout.registers : layout.registers + 17 * 8].cast("Q")
        self._pending = c_int32.from_buffer(buffer, layout.old_exception)
        self._error_code = c_int32.from_buffer(buffer, layout.error_code)
        self._by_interrupt = c_int32.from_buffer(buffer, layout.error_code + 4)  # exception_is_int follows it in QEMU
        self._mode_flags = c_uint32.from_buffer(buffer, processor.modes.flags)
        self._cr2 = c_uint64.from_buffer(buffer, layout.cr2)
        self._cr3 = c_uint64.from_buffer(buffer, layout.cr2 + 8)
        base = ctypes.addressof(buffer) + layout.registers
        results = (RAX, RCX, R11)
        ids = (c_int * 3)(*(uc.GENERAL[number] for number in results))
        self._results = ids, (c_void_p * 3)(*(base + 8 * number for number in results)), c_int(3)
        self._flags, self._start = c_uint64(), c_uint64()
        self._flags_pointer = ctypes.byref(self._flags)
        frames.flush_code = self.flush_code

    def create_mmu(self) -> PageTables:
        """Return an empty address space."""
        return PageTables(self)

    def create_context(self, mmu: Mmu) -> UnicornContext:
        """Return a context in reset state."""
        context = UnicornContext(self, mmu, self.processor.modes.templates[64])
        context.reset(0, 0)
        return context

    def resume(self, context: Context) -> None:
        """Let the context run."""
        self._next = context  # type: ignore[assignment]  # one of ours; a check here costs every trap

    def wait(self) -> tuple[UnicornContext, UnicornTrap]:
        """Run the resumed context until its next trap."""
        context = self._next
        assert context is not None
        trap = self._trap
        processor = self.processor
        registers = self.live_registers
        if context is not self.loaded or context.mmu is not self.active:
            self._load(context)
        modified = context.modified
        if modified == RESULT:
            processor.library.bare_reg_write_batch(processor.handle, *self._results)
            context.modified = UNMODIFIED
        elif modified:
            processor.library.bare_context_restore(processor.handle, processor.live)
            context.modified = UNMODIFIED
        if self.flush_pending:
            self.flush_tlb()
        self._runs += 1
        if self._interrupted:  # looked at after `_runs` was set, as `interrupt` does it the other way round
            self._runs += 1
            self._interrupted = False
            trap.kind = PREEMPTED
            return context, trap
        started = registers[RIP]
        registers[RIP] = 0
        self._start.value = started
        error = processor.library.bare_emu_start(processor.handle, self._start, *uc.BARE_NO_LIMITS)
        self._runs += 1
        if processor.port_access is not None:
            return self._refuse_port_access(context)
        rip = registers[RIP]
        if rip:  # also when it was a single step, which Unicorn reports as a fault behind the call
            rip += 2
            registers[RIP] = rip
            registers[RCX] = rip  # as the instruction leaves them (Intel SDM vol. 2, SYSCALL)
            processor.library.bare_reg_read(processor.handle, uc.BARE_EFLAGS, self._flags_pointer)
            registers[R11] = self._flags.value & 0xFFFF_FFFF
            trap.kind = SYSCALL
            return context, trap
        if error == 0:
            processor.library.context_save(processor.handle, processor.live)
            self._interrupted = False
            trap.kind = PREEMPTED
            self._quiet += 1
            if self._quiet >= self._patience:
                self._quiet, self._patience = 0, min(2 * self._patience, PATIENCE)
                self.flush_pending |= GROWN
            return context, trap
        processor.library.context_save(processor.handle, processor.live)
        vector = self._pending.value
        if vector < 0 and self._by_interrupt.value and error == uc.EXCEPTION:
            rip = registers[RIP]
            known = self.active.readable.get(rip - 1 >> 12) if self.active is not None and rip & 0xFFF != 1 else None
            at = known + (rip - 2 & 0xFFF) if known is not None else 0
            if (self._ram[at] == 0xCD and self._ram[at + 1] == 0x80) if at else behind_call(context):
                trap.kind = INTERRUPT_64 if self._mode_flags.value & CS64 else INTERRUPT_32
                return context, trap
        context.modified = ALL  # clears the pending exception
        self._pending.value = -1
        if error == uc.EXCEPTION:
            if vector == PF:
                trap.kind = PAGE_FAULT
                trap.vector = PF
                trap.error_code = self._error_code.value
                trap.address = self._cr2.value
                return context, trap
            trap.kind = FAULT
            trap.error_code = self._error_code.value
            if vector >= 0:
                trap.vector = vector
            elif self._by_interrupt.value:
                trap.vector, trap.error_code = interrupt_vector(context)
            else:
                trap.vector, trap.error_code = exception_vector(context, started)
            trap.address = 0
            return context, trap
        trap.kind = FAULT
        trap.vector, trap.error_code = undefined_vector(context, self._by_interrupt.value)
        trap.address = 0
        if error != uc.INVALID_INSTRUCTION:  # physical memory errors: a page table is wrong
            raise EngineError(f"unicorn stopped at {rip:#x} with error {error}")
        return context, trap

    def expect_interrupts(self) -> None:
        """Other threads will call `interrupt` from now on: make that exact. Not while a context runs."""
        self.processor.hooks.expect_interrupts()

    def interrupt(self) -> None:
        """Make the running context trap as PREEMPTED soon. Safe from any thread, and when nothing runs."""
        self._interrupted = True
        run = self._runs
        if not run & 1:
            return  # the next run looks at `_interrupted`
        stop, handle = self.processor.library.emu_stop, self.processor.handle
        while self._runs == run and self._interrupted:  # no other thread has Python's lock here: it is this run
            stop(handle)
            time.sleep(0.0002)

    def nudge(self) -> None:
        """As `interrupt`, once: for a caller that comes again soon, as a stop can be lost before the run has begun.

        Insisting takes another wake-up of the calling thread, and each costs 20 to 100 us on a virtual host.
        """
        self._interrupted = True
        if self._runs & 1:
            self.processor.library.emu_stop(self.processor.handle)

    def _refuse_port_access(self, context: UnicornContext) -> tuple[UnicornContext, UnicornTrap]:
        """Turn `in`, `out` and `sysenter` into the exception that ring 3 gets, with the state they were met in."""
        blob, self.processor.port_access = self.processor.port_access, None
        assert blob is not None
        ctypes.memmove(self.processor.buffer, blob, len(blob))
        self._pending.value = -1
        context.modified = ALL
        trap = self._trap
        trap.kind, trap.vector, trap.error_code, trap.address = FAULT, self.processor.refused_vector, 0, 0
        return context, trap

    # Loading

    def _load(self, context: UnicornContext) -> None:
        if context is not self.loaded:
            self.unload()
            self.live_bytes[:] = context.storage
            context.registers = self.live_registers
            self.loaded = context
            if self.parked:
                self.upper.set_bases(context.parked_fs, context.parked_gs)
            elif self.mirrored:
                self.upper.set_bases(context.fs_base, context.gs_base)
        mmu = context.mmu
        assert isinstance(mmu, PageTables)
        self._cr3.value = mmu.root
        if mmu is not self.active:  # threads of one process keep what the TLB knows
            self.flush_pending |= SWITCHED
            self.active = mmu
            self._quiet, self._patience = 0, 1
        context.modified = ALL

    def unload(self) -> None:
        """Move the loaded context's state into its own storage."""
        context = self.loaded
        if context is not None:
            context.storage[:] = self.live_bytes
            context.registers = context.own_registers
            context.modified = ALL
            self.loaded = None

    def synchronise(self, context: UnicornContext) -> None:
        """Bring the context's state into the processor, so that register functions see it."""
        if context is not self.loaded or context.mmu is not self.active:
            self._load(context)
        if context.modified:
            self.processor.library.context_restore(self.processor.handle, self.processor.live)
            self.processor.write(uc.REG_RIP, context.registers[RIP])
            context.modified = UNMODIFIED

    def refresh(self) -> None:
        """Fetch the processor's state after register functions changed it."""
        assert self.loaded is not None
        rip = self.live_registers[RIP]
        self.processor.library.context_save(self.processor.handle, self.processor.live)
        self.live_registers[RIP] = rip
        self.loaded.modified = ALL

    def deactivate(self, mmu: PageTables) -> None:
        """Forget an address space that is going away."""
        if self.active is mmu:
            self.active = None

    def close(self) -> None:
        """Shut the processor down and let guest RAM go."""
        self.loaded = self.active = self._next = None
        self.upper.close()
        self.processor.close()
