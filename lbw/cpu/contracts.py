"""The two contracts of the processor: engines run contexts, Mmus realise mappings.

Everything above this floor is written against these protocols, so that the Unicorn machine, the scripted fake of the
tests and a later native engine are interchangeable. Nothing here has behaviour except the small value classes.

Registers. A context's integer registers are `context.registers`, a mutable sequence of unsigned 64-bit words in the
processor's own numbering (Intel SDM vol. 2, table 3-1), followed by RIP:

    RAX RCX RDX RBX RSP RBP RSI RDI R8 ... R15 RIP
     0   1   2   3   4   5   6   7  8  ...  15  16

Whoever writes a register says so in `context.modified`: RESULT when only RAX, RCX and RIP changed (the way back from
a system call), ALL for anything else. The engine loads nothing that was not announced.
"""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, RIP = range(17)

#: What `Context.modified` may say.
UNMODIFIED, RESULT, ALL = range(3)

#: Kinds of traps; the last two are `int 0x80` in compatibility mode and in 64-bit mode.
SYSCALL, PAGE_FAULT, FAULT, PREEMPTED, INTERRUPT_32, INTERRUPT_64 = range(6)

#: Page-fault error code bits (Intel SDM vol. 3, 4.7).
PF_PRESENT, PF_WRITE, PF_USER, PF_RESERVED, PF_FETCH = 1, 2, 4, 8, 16

#: DR6.BS: the #DB is a single step (Intel SDM vol. 3, 17.2.3).
SINGLE_STEP = 0x4000

#: Exception vectors (Intel SDM vol. 3, table 6-1).
DE, DB, NMI, BP, OF, BR, UD, NM, DF = range(9)
TS, NP, SS, GP, PF = range(10, 15)
MF, AC, MC, XM = range(16, 20)

#: Access wanted from a page.
READ, WRITE, EXECUTE = PROT_READ, PROT_WRITE, PROT_EXEC

PAGE = 4096
GRANULE = 65536

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol, overload

    from lbw.cpu.mmu import Mmu

    class Registers(Protocol):
        """The 17 integer registers, unsigned, by number."""

        @overload
        def __getitem__(self, number: int, /) -> int: ...
        @overload
        def __getitem__(self, numbers: slice, /) -> Iterable[int]: ...
        def __setitem__(self, number: int, value: int, /) -> None: ...

    class Context(Protocol):
        """The processor state of one task."""

        modified: int
        mmu: Mmu

        @property
        def registers(self) -> Registers:
            """The integer registers; look again after the context has run."""

        def clone(self) -> Context:
            """Return a copy (fork, clone), FP and SIMD state included."""

        @property
        def flags(self) -> int:
            """RFLAGS."""

        @flags.setter
        def flags(self, value: int) -> None: ...

        @property
        def fs_base(self) -> int:
            """The base of FS, a 64-bit linear address."""

        @fs_base.setter
        def fs_base(self, value: int) -> None: ...

        @property
        def gs_base(self) -> int:
            """The base of GS."""

        @gs_base.setter
        def gs_base(self, value: int) -> None: ...

        @property
        def bits(self) -> int:
            """The mode of the code segment: 64, or 32 for compatibility mode."""

        @property
        def selectors(self) -> tuple[int, ...]:
            """What the registers ES CS SS DS FS GS show."""

        def enter_mode(self, bits: int) -> None:
            """Load CS and SS with the flat segments of 64-bit or compatibility mode."""

        def load_flat(self, register: int, selector: int) -> None:
            """Load DS, ES, FS or GS, by its number, with USER_DS or with a null selector."""

        def load_segment(self, register: int, selector: int, base: int, limit: int, access: int) -> None:
            """Load a segment register with its hidden part: `access` is the upper word of the descriptor."""

        def read_fpu(self) -> bytes:
            """Return the x87 and SSE state as a 512-byte FXSAVE64 image (Intel SDM vol. 1, 10.5.1)."""

        def write_fpu(self, image: bytes) -> None:
            """Load a 512-byte FXSAVE64 image."""

        def read_state(self) -> tuple[bytes, int]:
            """Return the FXSAVE64 image and RFLAGS, at once."""

        def write_state(self, image: bytes, flags: int) -> None:
            """Load an FXSAVE64 image and RFLAGS, at once."""

        def reset(self, entry: int, stack: int, bits: int = 64) -> None:
            """State of a fresh program: registers zero, RIP and RSP as given, default FP control words, bases zero.

            `bits`: 64, or 32 for compatibility mode.
            """

    class Trap(Protocol):
        """Why the processor stopped. The engine reuses one object: read it before the next `wait`."""

        kind: int  # SYSCALL, PAGE_FAULT, FAULT, PREEMPTED, INTERRUPT_32, INTERRUPT_64
        vector: int  # exception vector of a FAULT or PAGE_FAULT
        error_code: int  # of #DB what DR6 says: SINGLE_STEP or nothing
        address: int  # CR2 of a PAGE_FAULT

    class Engine(Protocol):
        """Runs contexts and reports their traps."""

        capacity: int  # how many contexts may run at once
        parked: bool  # programs do not get FS and GS bases of their own: each use of one traps
        cell: memoryview[int]  # the words of the thread cell, `lbw.abi.thread_cell`
        cell_frame: int  # its physical address
        originals: dict[int, int]  # frame of a patched copy -> the frame it was made of, which kernel accesses see

        def show_bases(self) -> None:
            """Keep the bases of whatever runs in the thread cell from now on, also if the processor has them itself."""

        def create_mmu(self) -> Mmu:
            """Return an empty address space."""

        def create_context(self, mmu: Mmu) -> Context:
            """Return a context in reset state."""

        def resume(self, context: Context) -> None:
            """Let the context run."""

        def wait(self) -> tuple[Context, Trap]:
            """Return the next trap of any running context."""

        def step(self, context: Context) -> Trap:
            """Run one instruction of `context` with its true bases; return the trap it ends with, #DB if it is done."""

        def exchange(self, address: int, original: int, copy: int) -> None:
            """Show frame `copy` at `address` wherever `original` is mapped there as unchanged code."""

        def withdraw(self, address: int) -> None:
            """Take a revealed page away from all address spaces."""

        def share_code(self, address: int, frame: int) -> None:
            """Show `frame` as code at `address`, in the upper half, in every address space.  LinuxError(ENOMEM)"""

        def unshare_code(self, address: int) -> None:
            """Take it away again."""

        def flush_code(self) -> None:
            """Forget all translations."""

        def forget_code(self, mmu: Mmu, address: int, length: int) -> None:
            """Forget translations of bytes that the kernel has changed, in a frame that `mmu` maps at `address`."""

        def flush_counts(self) -> list[tuple[str, int]]:
            """Return how often caches of the processor were emptied, and why, for people."""

        def expect_interrupts(self) -> None:
            """Prepare for `interrupt` from other threads; before the first of them, while nothing runs."""

        def interrupt(self) -> None:
            """Make the running context trap as PREEMPTED soon. Safe from any thread, and when nothing runs."""
