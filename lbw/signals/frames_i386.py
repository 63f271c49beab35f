"""Signal frames of i386, as a 64-bit Linux builds them for handlers that 32-bit code has installed.

A handler without SA_SIGINFO gets the old frame, which ends in `sigreturn`; one with SA_SIGINFO the new one, which
ends in `rt_sigreturn`. From higher to lower addresses (arch/x86 of Linux):

    ESP of the interrupted code; there is no red zone; the top of the alternate stack instead when SA_ONSTACK switches
    XSAVE image                 580 bytes with its second magic number, 64-byte aligned (`lbw.signals.xstate`)
    FSAVE image                 112 bytes, the older form of the same, directly below; the x87 part of it counts
    retcode                     8 bytes of code that make the call, for debuggers and for those who have no restorer
    old: mask bits 32 to 63; an unused FSAVE and FXSAVE image (624 bytes); sigcontext; signal number
    new: ucontext; siginfo; their addresses; signal number
    return address              ESP of the handler, 4 below a 16-byte boundary
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.signal import SA_ONSTACK, SA_RESTORER, SA_SIGINFO
from lbw.cpu.contracts import ALL, RAX, RCX, RDI, RDX, RIP, RSP
from lbw.signals.altstack import SS_AUTODISARM
from lbw.signals.fpu_i386 import FSAVE, from_fsave, to_fsave
from lbw.signals.frames_x86_64 import CLEARED_FLAGS, RESTORABLE_FLAGS, UC_FP_XSTATE, BadSegment
from lbw.signals.siginfo import pack
from lbw.signals.xstate import ENDING_32, FRAMED, INITIAL, for_frame, from_compat_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.signals.actions import Action
    from lbw.signals.frames import FrameMemory, Selectors
    from lbw.signals.siginfo import SigInfo
    from lbw.signals.task_signals import TaskSignals

#: gs fs es ds | di si bp sp bx dx cx ax | trapno err ip cs flags sp_at_signal ss | fpstate oldmask cr2
SIGCONTEXT = Struct("<4I 8I 7I 3I")
_OLD_HEAD = Struct("<Ii")  # return address, signal number
_NEW_HEAD = Struct("<IiII")  # return address, signal number, address of siginfo, address of ucontext
#: uc_flags uc_link | ss_sp ss_flags ss_size
_UCONTEXT = Struct("<II IiI")
_UNUSED = 624

OLD_SIZE = _OLD_HEAD.size + SIGCONTEXT.size + _UNUSED + 4 + 8
NEW_SIZE = _NEW_HEAD.size + 128 + _UCONTEXT.size + SIGCONTEXT.size + 8 + 8

#: pop eax; mov eax, 119 (sigreturn); int 0x80
OLD_RETCODE = bytes.fromhex("58 b877000000 cd80")
#: mov eax, 173 (rt_sigreturn); int 0x80
NEW_RETCODE = bytes.fromhex("b8ad000000 cd80 00")

USER_CS, USER_DS, USER32_CS = 0x33, 0x2B, 0x23
ES, CS, SS, DS, FS, GS = range(6)

_LOW = 0xFFFF_FFFF


class FramesI386:
    """Builds and undoes the frames of i386."""

    __slots__ = ()

    @staticmethod
    def build(context: Context, memory: FrameMemory, signals: TaskSignals, action: Action, info: SigInfo) -> None:
        """Push a frame for `info` and let the task continue in the handler of `action`.

        LinuxError(EFAULT): the stack is not writable, or the alternate stack would overflow. Nothing but the stack
        has changed then.
        """
        image, flags = context.read_state()
        registers = context.registers
        selectors = context.selectors
        altstack = signals.altstack
        before = registers[RSP] & _LOW
        stack, on_altstack = _stack_for(before, action, signals, selectors[SS])
        fpstate = ((stack - FRAMED) & ~63) - FSAVE
        new = action.flags & SA_SIGINFO
        size = NEW_SIZE if new else OLD_SIZE
        frame = ((fpstate - size + 4 & ~15) - 4) & _LOW
        fpstate &= _LOW
        if on_altstack and not altstack.covers(frame):
            raise LinuxError(EFAULT)

        mask = signals.mask_to_save()
        sigcontext = SIGCONTEXT.pack(
            selectors[GS], selectors[FS], selectors[ES], selectors[DS],
            *[value & _LOW for value in registers[RDI::-1]],  # DI SI BP SP BX DX CX AX: their numbers from 7 down to 0
            signals.trap_number, signals.error_code & _LOW, registers[RIP] & _LOW, selectors[CS], flags & _LOW,
            before, selectors[SS], fpstate, mask & _LOW, signals.fault_address & _LOW,
        )  # fmt: skip
        if new:
            data = (
                _NEW_HEAD.pack(0, info.signo, frame + _NEW_HEAD.size, frame + _NEW_HEAD.size + 128)
                + pack(info, 4)
                + _UCONTEXT.pack(
                    UC_FP_XSTATE, 0, altstack.base & _LOW, _signed(altstack.flags), altstack.size & _LOW
                )
                + sigcontext + mask.to_bytes(8, "little") + NEW_RETCODE
            )  # fmt: skip
        else:
            data = (
                _OLD_HEAD.pack(0, info.signo)
                + sigcontext + bytes(_UNUSED) + (mask >> 32).to_bytes(4, "little") + OLD_RETCODE
            )  # fmt: skip
        restorer = action.restorer if action.flags & SA_RESTORER else frame + size - 8
        memory.write(fpstate, to_fsave(image, selectors[CS], selectors[DS]) + for_frame(image, ENDING_32))
        memory.write(frame, (restorer & _LOW).to_bytes(4, "little") + data[4:])

        if altstack.flags & SS_AUTODISARM:
            altstack.reset()
        context.write_state(INITIAL, flags & ~CLEARED_FLAGS)
        if context.bits != 32 or selectors[SS] != USER_DS or selectors[CS] != USER32_CS:
            context.enter_mode(32)
        for register in (DS, ES):
            if selectors[register] != USER_DS:
                context.load_flat(register, USER_DS)
        registers = context.registers
        registers[RAX] = info.signo
        registers[RDX] = frame + _NEW_HEAD.size if new else 0
        registers[RCX] = frame + _NEW_HEAD.size + 128 if new else 0
        registers[RSP] = frame
        registers[RIP] = action.handler & _LOW
        context.modified = ALL

    @staticmethod
    def read(context: Context, memory: FrameMemory) -> tuple[int, tuple[int, ...]]:
        """Return the mask, and the words, of the new frame below the stack pointer (its return address is popped).

        LinuxError(EFAULT): it is unreadable
        """
        data = memory.read((context.registers[RSP] - 4) & _LOW, NEW_SIZE)
        at = _NEW_HEAD.size + 128 + _UCONTEXT.size
        mask = int.from_bytes(data[at + SIGCONTEXT.size : at + SIGCONTEXT.size + 8], "little")
        return mask, SIGCONTEXT.unpack_from(data, at) + _UCONTEXT.unpack_from(data, at - _UCONTEXT.size)[2:]

    @staticmethod
    def read_old(context: Context, memory: FrameMemory) -> tuple[int, tuple[int, ...]]:
        """Return the same for the old frame, whose return address and signal number are popped already."""
        data = memory.read((context.registers[RSP] - 8) & _LOW, OLD_SIZE)
        words = SIGCONTEXT.unpack_from(data, _OLD_HEAD.size)
        high = int.from_bytes(data[_OLD_HEAD.size + SIGCONTEXT.size + _UNUSED :][:4], "little")
        return high << 32 | words[20], words

    @staticmethod
    def restore(
        context: Context, memory: FrameMemory, signals: TaskSignals, words: tuple[int, ...], selectors: Selectors
    ) -> None:
        """Let the task go on as a frame says.

        LinuxError(EFAULT): its floating-point state is unreadable or makes no sense; the caller owes the task a
        SIGSEGV. BadSegment: the caller owes it a #GP.
        """
        flags = context.flags & ~RESTORABLE_FLAGS | words[16] & RESTORABLE_FLAGS
        fpstate, refused = words[19], None
        try:
            image = INITIAL
            if fpstate:
                saved = memory.read(fpstate, FSAVE + FRAMED)
                image = _floating_point(saved[:FSAVE], saved[FSAVE:])
            context.write_state(image, flags)
        except LinuxError as error:
            refused = error
            context.flags = flags
        bits = 64 if words[15] | 3 == USER_CS else 32
        if bits != context.bits:
            context.enter_mode(bits)
        current = context.selectors
        for register, selector in ((GS, words[0]), (FS, words[1]), (DS, words[3]), (ES, words[2])):
            selector = selector & 0xFFFF | (3 if selector & 0xFFFC else 0)
            if selector != current[register]:
                selectors(register, selector)
        registers = context.registers
        for number in range(8):
            registers[RDI - number] = words[4 + number]
        registers[RIP] = words[14]
        context.modified = ALL
        if refused is not None:
            raise refused
        if len(words) > _SIGCONTEXT_WORDS:
            # After ESP was restored, unlike in x86-64: so a handler on that stack may give it another size.
            base, mode, size = words[_SIGCONTEXT_WORDS:]
            try:
                signals.altstack.replace(base, size, mode & _LOW, context.registers[RSP] & _LOW)
            except LinuxError:
                pass
        if words[15] | 3 not in (USER_CS, USER32_CS):
            raise BadSegment(words[15])
        if words[18] | 3 != USER_DS:
            raise BadSegment(words[18])


def _floating_point(old: bytes, data: bytes) -> bytes:
    """Return the FXSAVE image for both images of a frame: the x87 part of the FSAVE image counts, if there is one."""
    image, holds_x87 = from_compat_frame(data)
    return from_fsave(old, image) if holds_x87 else image


def _stack_for(stack: int, action: Action, signals: TaskSignals, stack_segment: int) -> tuple[int, bool]:
    """Return where the frame begins, and whether that is on the alternate stack, so that it may overflow."""
    altstack = signals.altstack
    active = altstack.active(stack)
    if action.flags & SA_ONSTACK:
        if altstack.size and not active:
            return altstack.base + altstack.size, True
    elif not active and stack_segment != USER_DS and not action.flags & SA_RESTORER and action.restorer:
        return action.restorer, False  # how stacks were switched before sigaltstack
    return stack, active


def _signed(flags: int) -> int:
    return (flags ^ 1 << 31) - (1 << 31)


_SIGCONTEXT_WORDS = 22

assert SIGCONTEXT.size == 88 and OLD_SIZE == 732 and NEW_SIZE == 268
