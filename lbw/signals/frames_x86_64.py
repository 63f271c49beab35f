"""Signal frames of x86-64: what the kernel pushes before a handler runs, and what rt_sigreturn takes back.

From higher to lower addresses (arch/x86 of Linux; System V ABI, AMD64 supplement, 3.2.2 for the red zone):

    RSP of the interrupted code
    red zone                    128 bytes, not touched; the top of the alternate stack instead when SA_ONSTACK switches
    FXSAVE image                512 bytes, 64-byte aligned
    siginfo_t                   128 bytes
    ucontext_t                  304 bytes: flags, link, stack, sigcontext, mask
    return address              the restorer; RSP of the handler, 8 below a 16-byte boundary

We save a plain FXSAVE image, as Linux does on a processor without XSAVE, so UC_FP_XSTATE is not set: the emulated
processor has no AVX state.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.signal import SA_ONSTACK, SA_RESTORER, SA_SIGINFO
from lbw.cpu.contracts import ALL, R8, RAX, RBP, RBX, RCX, RDI, RDX, RIP, RSI, RSP
from lbw.signals.altstack import SS_AUTODISARM
from lbw.signals.siginfo import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.signals.actions import Action
    from lbw.signals.frames import FrameMemory, Selectors
    from lbw.signals.siginfo import SigInfo
    from lbw.signals.task_signals import TaskSignals

RED_ZONE = 128
FXSAVE = 512

#: return address | uc_flags uc_link | ss_sp ss_flags ss_size | r8-r15 di si bp bx dx ax cx sp ip flags | cs gs fs ss |
#: err trapno oldmask cr2 | fpstate, reserved | uc_sigmask
_FRAME = Struct("<Q QQ QI4xQ 18Q 4H QQQQ Q64x Q")
_INFO = _FRAME.size  # offset of siginfo
FRAME_SIZE = _INFO + 128

UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS = 2, 4
USER_CS, USER_SS, USER32_CS = 0x33, 0x2B, 0x23
_CS, _SS = 1, 2  # numbers of segment registers

#: Flags that a program may set in a frame: AC OF DF TF SF ZF AF PF CF RF.
RESTORABLE_FLAGS = 0x0005_0DD5
#: Cleared for a handler: RF DF TF.
CLEARED_FLAGS = 0x0001_0500

_WORD = 2**64 - 1
#: Bits of MXCSR that exist; the others raise #GP in FXRSTOR.
_MXCSR_MASK = 0xFFFF


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
        # These two may move the registers, so they come first.
        flags = context.flags
        fpu = context.read_fpu()
        registers, selectors = context.registers, context.selectors
        altstack = signals.altstack
        stack = registers[RSP]
        on_altstack = altstack.active(stack)
        stack -= RED_ZONE
        if action.flags & SA_ONSTACK and altstack.size and not altstack.active(stack):
            stack = altstack.base + altstack.size
            on_altstack = True
        fpstate = (stack - FXSAVE) & ~63
        # As if a call had pushed the restorer onto a 16-byte aligned stack.
        frame = (((fpstate - FRAME_SIZE) & ~15) - 8) & _WORD
        if on_altstack and not altstack.covers(frame):
            raise LinuxError(EFAULT)

        saved_mask = signals.mask_to_save()
        image = _FRAME.pack(
            action.restorer,
            UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
            0,
            altstack.base,
            altstack.flags,
            altstack.size,
            *(registers[number] for number in range(R8, R8 + 8)),
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
        memory.write(fpstate & _WORD, fpu)
        if action.flags & SA_SIGINFO:
            image += pack(info, 8)
        memory.write(frame, image)

        if altstack.flags & SS_AUTODISARM:
            altstack.reset()
        context.flags = flags & ~CLEARED_FLAGS
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
    def restore(
        context: Context, memory: FrameMemory, signals: TaskSignals, selectors: Selectors | None = None
    ) -> int:  # fmt: skip
        """Undo the frame below the stack pointer (its return address is popped already) and return the mask to restore.

        LinuxError(EFAULT): the frame is unreadable or makes no sense; the caller owes the task a SIGSEGV.
        """
        words = _FRAME.unpack(memory.read((context.registers[RSP] - 8) & _WORD, _FRAME.size))
        general = words[6:24]
        code_segment, stack_segment = words[24] | 3, words[27]
        fpstate, mask = words[32], words[33]
        # Any other code segment would end in a fault of IRET, or lies in the LDT.
        strict = words[1] & UC_STRICT_RESTORE_SS
        if code_segment not in (USER_CS, USER32_CS) or (strict and stack_segment | 3 != USER_SS):
            raise LinuxError(EFAULT)
        try:  # Before RSP is restored: a handler that runs on its stack keeps it, and a senseless one is not an error.
            signals.altstack.replace(words[3], words[5], words[4], context.registers[RSP])
        except LinuxError:
            pass
        if fpstate:
            image = bytearray(memory.read(fpstate, FXSAVE))
            control = int.from_bytes(image[24:28], "little") & _MXCSR_MASK
            image[24:28] = control.to_bytes(4, "little")
            context.write_fpu(bytes(image))
        else:
            context.write_fpu(INITIAL_FPU)

        context.flags = context.flags & ~RESTORABLE_FLAGS | general[17] & RESTORABLE_FLAGS
        bits = 64 if code_segment == USER_CS else 32
        if bits != context.bits:
            context.enter_mode(bits)
        registers = context.registers
        for number in range(8):
            registers[R8 + number] = general[number]
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
        ) = general[8:17]
        context.modified = ALL
        return int(mask)


def _initial_fpu() -> bytes:
    image = bytearray(FXSAVE)
    image[0:2] = (0x37F).to_bytes(2, "little")  # FCW
    image[24:28] = (0x1F80).to_bytes(4, "little")  # MXCSR
    return bytes(image)


INITIAL_FPU = _initial_fpu()

assert _FRAME.size == 312
