"""Signal frames of x86-64: what the kernel pushes before a handler runs, and what rt_sigreturn takes back.

From higher to lower addresses (arch/x86 of Linux; System V ABI, AMD64 supplement, 3.2.2 for the red zone):

    RSP of the interrupted code
    red zone                    128 bytes, not touched; the top of the alternate stack instead when SA_ONSTACK switches
    XSAVE image                 580 bytes with its second magic number, 64-byte aligned (`lbw.signals.xstate`)
    siginfo_t                   128 bytes
    ucontext_t                  304 bytes: flags, link, stack, sigcontext, mask
    return address              the restorer; RSP of the handler, 8 below a 16-byte boundary

On the way back nothing is taken on trust. What cannot be read is a SIGSEGV before anything has changed but the mask. A
code or stack segment that cannot be returned to is found by the processor's IRET only when everything else is restored
(`BadSegment`), and so is an RIP without memory behind it: the program sees that fault where it would have gone on.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.signal import SA_ONSTACK, SA_RESTORER, SA_SIGINFO
from lbw.cpu.contracts import ALL, R8, RAX, RBP, RBX, RCX, RDI, RDX, RIP, RSI, RSP
from lbw.signals.altstack import SS_AUTODISARM
from lbw.signals.siginfo import pack
from lbw.signals.xstate import FRAMED, INITIAL, for_frame, from_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.signals.actions import Action
    from lbw.signals.frames import FrameMemory, Selectors
    from lbw.signals.siginfo import SigInfo
    from lbw.signals.task_signals import TaskSignals

RED_ZONE = 128

#: return address | uc_flags uc_link | ss_sp ss_flags ss_size | r8-r15 di si bp bx dx ax cx sp ip flags | cs gs fs ss |
#: err trapno oldmask cr2 | fpstate, reserved | uc_sigmask
_FRAME = Struct("<Q QQ QI4xQ 18Q 4H QQQQ Q64x Q")
_INFO = _FRAME.size  # offset of siginfo
FRAME_SIZE = _INFO + 128

UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS = 1, 2, 4
USER_CS, USER_SS, USER32_CS = 0x33, 0x2B, 0x23
_CS, _SS = 1, 2  # numbers of segment registers

#: Flags that a program may set in a frame: AC OF DF TF SF ZF AF PF CF. (And RF, which only matters to breakpoint
#: registers: the processor would show it to a PUSHF right behind the return, where a real one has cleared it already.)
RESTORABLE_FLAGS = 0x0004_0DD5
#: Cleared for a handler: RF DF TF. Its floating-point state is that of a fresh program.
CLEARED_FLAGS = 0x0001_0500

_WORD = 2**64 - 1


class BadSegment(Exception):
    """The frame names a segment that IRET refuses; everything else is restored."""

    def __init__(self, selector: int) -> None:
        super().__init__(hex(selector))
        self.selector = selector


class FramesX86_64:
    """Builds and undoes the frames of x86-64."""

    __slots__ = ()

    @staticmethod
    def build(context: Context, memory: FrameMemory, signals: TaskSignals, action: Action, info: SigInfo) -> None:
        """Push a frame for `info` and let the task continue in the handler of `action`.

        LinuxError(EFAULT): the stack is not writable, the alternate stack would overflow, or there is no restorer.
        Nothing but the stack has changed then.
        """
        if not action.flags & SA_RESTORER:
            raise LinuxError(EFAULT)
        fpu, flags = context.read_state()  # may move the registers, so this comes first
        registers, selectors = context.registers, context.selectors
        altstack = signals.altstack
        stack = registers[RSP]
        on_altstack = altstack.active(stack)
        stack -= RED_ZONE
        if action.flags & SA_ONSTACK and altstack.size and not altstack.active(stack):
            stack = altstack.base + altstack.size
            on_altstack = True
        fpstate = (stack - FRAMED) & ~63
        # As if a call had pushed the restorer onto a 16-byte aligned stack.
        frame = (((fpstate - FRAME_SIZE) & ~15) - 8) & _WORD
        if on_altstack and not altstack.covers(frame):
            raise LinuxError(EFAULT)

        saved_mask = signals.mask_to_save()
        image = _FRAME.pack(
            action.restorer,
            _FLAGS if context.bits == 64 else UC_FP_XSTATE | UC_SIGCONTEXT_SS,
            0,
            altstack.base,
            altstack.flags,
            altstack.size,
            *registers[R8 : R8 + 8],
            registers[RDI],
            registers[RSI],
            registers[RBP],
            registers[RBX],
            registers[RDX],
            registers[RAX],
            registers[RCX],
            registers[RSP],
            registers[RIP],
            flags,
            selectors[_CS],
            0,
            0,
            selectors[_SS],
            signals.error_code,
            signals.trap_number,
            saved_mask,
            signals.fault_address,
            fpstate & _WORD,
            saved_mask,
        )
        memory.write(fpstate & _WORD, for_frame(fpu))
        if action.flags & SA_SIGINFO:
            image += pack(info, 8)
        memory.write(frame, image)

        if altstack.flags & SS_AUTODISARM:
            altstack.reset()
        context.write_state(INITIAL, flags & ~CLEARED_FLAGS)
        if context.bits != 64:
            context.enter_mode(64)
        registers = context.registers
        registers[RDI] = info.signo
        registers[RSI] = frame + _INFO
        registers[RDX] = frame + 8
        registers[RAX] = 0
        registers[RSP] = frame
        registers[RIP] = action.handler
        context.modified = ALL

    @staticmethod
    def read(context: Context, memory: FrameMemory) -> tuple[int, tuple[int, ...]]:
        """Return the mask and the words of the frame below the stack pointer, whose return address is popped already.

        LinuxError(EFAULT): it is unreadable
        """
        words = _FRAME.unpack(memory.read((context.registers[RSP] - 8) & _WORD, _FRAME.size))
        return words[33], words

    @staticmethod
    def restore(
        context: Context, memory: FrameMemory, signals: TaskSignals, words: tuple[int, ...],
        selectors: Selectors | None = None,
    ) -> None:  # fmt: skip
        """Let the task go on as a frame says.

        LinuxError(EFAULT): its floating-point state is unreadable or makes no sense; the caller owes the task a
        SIGSEGV. BadSegment: the caller owes it a #GP.
        """
        code_segment, stack_segment, fpstate = words[24] | 3, words[27] | 3, words[32]
        flags = context.flags & ~RESTORABLE_FLAGS | words[23] & RESTORABLE_FLAGS
        refused = None
        try:
            if fpstate & 63:
                raise LinuxError(EFAULT)
            context.write_state(from_frame(memory.read(fpstate, FRAMED)) if fpstate else INITIAL, flags)
        except LinuxError as error:
            refused = error
            context.flags = flags
        bits = 32 if code_segment == USER32_CS else 64
        if bits != context.bits:
            context.enter_mode(bits)
        registers = context.registers
        stack = registers[RSP]
        for number in range(8):
            registers[R8 + number] = words[6 + number]
        (
            registers[RDI],
            registers[RSI],
            registers[RBP],
            registers[RBX],
            registers[RDX],
            registers[RAX],
            registers[RCX],
            registers[RSP],
            registers[RIP],
        ) = words[14:23]
        context.modified = ALL
        if refused is not None:
            raise refused
        altstack = signals.altstack
        if (words[3], words[5], words[4]) != (altstack.base, altstack.size, altstack.flags):
            try:  # By the stack pointer of before: a handler that runs on its stack keeps it. Nonsense is no error.
                altstack.replace(words[3], words[5], words[4], stack)
            except LinuxError:
                pass
        if code_segment not in (USER_CS, USER32_CS):
            raise BadSegment(words[24])
        if stack_segment != USER_SS and (words[1] & UC_STRICT_RESTORE_SS or bits == 32):
            raise BadSegment(words[27])


_FLAGS = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS

assert _FRAME.size == 312
