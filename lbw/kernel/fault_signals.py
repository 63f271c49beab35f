"""From processor exceptions to signals, with the codes and addresses that Linux gives (measured on Linux 6, x86-64).

    vector               signal    si_code                   si_addr
    #DE #XM #MF          SIGFPE    from the status words     RIP
    #DB                  SIGTRAP   TRAP_TRACE, TRAP_BRKPT    RIP
    #BP                  SIGTRAP   SI_KERNEL
    #OF #BR #GP #TS      SIGSEGV   SI_KERNEL
    #UD                  SIGILL    ILL_ILLOPN                RIP
    #NP #SS              SIGBUS    SI_KERNEL
    #AC                  SIGBUS    BUS_ADRALN                0
    #PF                  as the address space decided        CR2

`int n` without a gate is #GP with the error code 8 * n + 2, and RIP on the instruction. The engine says #GP for all
non-canonical addresses; those of the stack are #SS.
"""

from __future__ import annotations

from lbw.abi.signal import (
    BUS_ADRALN,
    FPE_FLTDIV,
    FPE_FLTINV,
    FPE_FLTOVF,
    FPE_FLTRES,
    FPE_FLTUND,
    FPE_INTDIV,
    ILL_ILLOPN,
    SEGV_ACCERR,
    SEGV_MAPERR,
    SI_KERNEL,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGTRAP,
    TRAP_BRKPT,
    TRAP_TRACE,
)
from lbw.abi.x86 import IN_GATES, RESUME_FLAG
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import (
    AC,
    ALL,
    BP,
    DB,
    DE,
    DF,
    GP,
    MF,
    NP,
    OF,
    PF,
    PF_FETCH,
    PF_PRESENT,
    PF_USER,
    PF_WRITE,
    RBP,
    RIP,
    RSP,
    SINGLE_STEP,
    SS,
    TS,
    UD,
    XM,
)
from lbw.kernel.fault_path import fault_is_ours
from lbw.kernel.segment_loads import load_trapped
from lbw.kernel.signal_send import force_signal
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Trap
    from lbw.kernel.task import Task
    from lbw.mm.faults import SegmentationFault

#: No address of a program is higher, whatever the mode.
HIGHEST = 1 << 47

#: Exceptions that come with an error code.
_WITH_ERROR_CODE = frozenset({DF, TS, NP, SS, GP, PF, AC})

#: Exceptions whose RIP is behind the instruction; the processor does not set RF in the flags that it saves for them.
_TRAPS = frozenset({DB, BP, OF})


def processor_fault(task: Task, trap: Trap) -> None:
    """Send the signal for a FAULT trap of `task`; a spurious floating-point exception sends none."""
    if fault_is_ours(task, trap):
        return
    if trap.vector == UD:
        from lbw.kernel.illegal import emulated

        if emulated(task, trap):
            return
    elif trap.vector == GP and task.kernel.repeatable is not None and task.kernel.repeatable.counter_read(task):
        return
    vector = trap.vector
    error_code = trap.error_code if vector in _WITH_ERROR_CODE else 0
    if vector == GP and error_code and not error_code & IN_GATES:
        vector = load_trapped(task, error_code)
        if vector < 0:
            return
        if vector == DB:
            trap.error_code, error_code = SINGLE_STEP, 0
    if vector == GP and not error_code and _is_stack_access(task):
        vector = SS
    info = exception_info(task, vector, trap.error_code)
    if info is not None:
        _force(task, info, vector, error_code)


def segmentation_fault(task: Task, fault: SegmentationFault, trap: Trap) -> None:
    """Send the signal for a page fault that the address space could not serve."""
    code, address = fault.code, fault.address
    if trap.error_code & PF_FETCH and address >> 32 and task.context.bits == 32:
        # a conditional jump across 4 GB, which the translator does not cut off
        task.context.registers[RIP] = address & 0xFFFF_FFFF
        task.context.modified = ALL
        return
    error_code = trap.error_code | PF_USER
    if address >= X86_64.task_size:  # Linux hides whether the kernel has a page there
        error_code |= PF_PRESENT
        if fault.signo == SIGSEGV:
            code = SEGV_MAPERR
    elif code == SEGV_MAPERR and fault.signo == SIGSEGV:  # nor do we tell of pages of our own
        error_code &= ~PF_PRESENT
    elif error_code & PF_FETCH and code == SEGV_ACCERR:
        vma = task.memory.find(address)
        if vma is not None and vma.prot:  # Linux brings the page in and finds out at the second fault
            error_code |= PF_PRESENT
    if not error_code & (PF_WRITE | PF_FETCH) and _updates_memory(task):
        error_code |= PF_WRITE
    task.signals.fault_address = address
    _force(task, SigInfo(fault.signo, code, address=address), PF, error_code)


def _updates_memory(task: Task) -> bool:
    """Tell whether the instruction at RIP writes what it reads."""
    from lbw.faults.instruction import instruction_bytes
    from lbw.faults.memory_update import updates_memory

    return updates_memory(instruction_bytes(task.memory, task.context.registers[RIP]), task.context.bits)


def _is_stack_access(task: Task) -> bool:
    """Tell whether a #GP is really a #SS: by a non-canonical address in RSP or RBP."""
    registers = task.context.registers
    if (registers[RSP] - 8 < HIGHEST and registers[RBP] < HIGHEST) or task.context.bits != 64:
        return False
    from lbw.faults.stack_access import is_stack_access

    return is_stack_access(task.context, task.memory)


def exception_info(task: Task, vector: int, detail: int = 0) -> SigInfo | None:
    """Return the siginfo for exception `vector` in the present state of `task`; `detail` of #DB is as in DR6."""
    rip = task.context.registers[RIP]
    if vector == DE:
        return SigInfo(SIGFPE, FPE_INTDIV, address=rip)
    if vector == UD:
        return SigInfo(SIGILL, ILL_ILLOPN, address=rip)
    if vector == DB:
        return SigInfo(SIGTRAP, TRAP_TRACE if detail & SINGLE_STEP else TRAP_BRKPT, address=rip)
    if vector == BP:
        return SigInfo(SIGTRAP, SI_KERNEL)
    if vector in (MF, XM):
        code = floating_point_code(task.context.read_fpu(), vector)
        return SigInfo(SIGFPE, code, address=rip) if code else None
    if vector == AC:
        return SigInfo(SIGBUS, BUS_ADRALN)
    if vector in (NP, SS):
        return SigInfo(SIGBUS, SI_KERNEL)
    return SigInfo(SIGSEGV, SI_KERNEL)


def floating_point_code(image: bytes, vector: int) -> int:
    """Return the FPE_* code for the exceptions that an FXSAVE image says are raised and unmasked, 0 for none."""
    if vector == MF:
        control = int.from_bytes(image[0:2], "little")
        raised = int.from_bytes(image[2:4], "little") & ~control
    else:
        mxcsr = int.from_bytes(image[24:28], "little")
        raised = mxcsr & ~(mxcsr >> 7)
    if raised & 0x01:
        return FPE_FLTINV
    if raised & 0x04:
        return FPE_FLTDIV
    if raised & 0x08:
        return FPE_FLTOVF
    if raised & 0x12:  # underflow, denormal operand
        return FPE_FLTUND
    return FPE_FLTRES if raised & 0x20 else 0


def _force(task: Task, info: SigInfo, vector: int, error_code: int) -> None:
    signals = task.signals
    signals.trap_number, signals.error_code = vector, error_code
    if vector not in _TRAPS:
        task.context.flags |= RESUME_FLAG
    force_signal(task, info)
