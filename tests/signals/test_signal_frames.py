"""Frames: what a handler finds, and that rt_sigreturn undoes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signal_fakes import FakeContext, FakeMemory

from lbw.abi.errno import EFAULT, EINVAL, ENOMEM, EPERM, LinuxError
from lbw.abi.signal import SA_ONSTACK, SA_RESTORER, SA_SIGINFO, SEGV_ACCERR, SIGSEGV, SIGUSR1
from lbw.cpu.contracts import ALL, RAX, RDI, RDX, RIP, RSI, RSP
from lbw.signals.actions import Action
from lbw.signals.altstack import SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, AltStack
from lbw.signals.frames import FRAMES
from lbw.signals.frames_x86_64 import RESTORABLE_FLAGS, BadSegment
from lbw.signals.siginfo import SigInfo
from lbw.signals.task_signals import TaskSignals

FRAMES_64 = FRAMES["x86_64"]
STACK = (0x10000, 0x20000)
ALTSTACK = (0x40000, 0x44000)
WORD = st.integers(0, 2**64 - 1)


def setup() -> tuple[FakeContext, FakeMemory, TaskSignals]:
    context = FakeContext()
    context.registers[RSP] = 0x1F003
    context.registers[RIP] = 0x400123
    return context, FakeMemory(STACK, ALTSTACK), TaskSignals()


def action(flags: int = 0) -> Action:
    return Action(0x401000, flags | SA_RESTORER, 0x402000)


def leave(context: FakeContext, memory: FakeMemory, signals: TaskSignals) -> int:
    mask, words = FRAMES_64.read(context, memory)
    FRAMES_64.restore(context, memory, signals, words, lambda register, selector: None)
    return mask


def fpu_image(data: bytes) -> bytes:
    image = bytearray(data.ljust(512, b"\0"))
    image[26:28] = b"\0\0"  # bits of MXCSR that do not exist
    return bytes(image)


@given(
    st.lists(WORD, min_size=16, max_size=16), st.integers(0, 0xFFFFFF), st.binary(max_size=512), WORD,
    st.integers(0x14000, 0x1F000), st.booleans(),
)  # fmt: skip
def test_sigreturn_undoes_the_frame(
    general: list[int], flags: int, fpu: bytes, mask: int, stack: int, siginfo: bool
) -> None:
    context, memory, signals = setup()
    context.registers[:16] = memoryview(b"".join(word.to_bytes(8, "little") for word in general)).cast("Q")
    context.registers[RSP] = stack
    context.flags = flags & ~0x10000  # RF
    context.fpu = fpu_image(fpu)
    signals.blocked = mask
    before = context.state()
    FRAMES_64.build(context, memory, signals, action(SA_SIGINFO if siginfo else 0), SigInfo(SIGUSR1))
    # the handler scribbles over everything, then returns
    frame = context.registers[RSP]
    for number in range(17):
        context.registers[number] = 0x5555
    context.flags ^= RESTORABLE_FLAGS
    context.fpu = b"\xff" * 512
    context.registers[RSP] = frame + 8
    context.modified = 0
    assert leave(context, memory, signals) == mask
    assert context.state() == before
    assert context.modified == ALL


def test_what_the_handler_finds() -> None:
    context, memory, signals = setup()
    context.flags = 0x10702  # RF DF IF TF
    signals.blocked = 0x40
    signals.trap_number, signals.error_code, signals.fault_address = 14, 6, 0xDEAD
    FRAMES_64.build(context, memory, signals, action(SA_SIGINFO), SigInfo(SIGSEGV, SEGV_ACCERR, address=0xDEAD))
    registers = context.registers
    frame = registers[RSP]
    assert frame % 16 == 8
    assert (registers[RIP], registers[RDI], registers[RAX]) == (0x401000, SIGSEGV, 0)
    assert registers[RDX] == frame + 8
    assert registers[RSI] == frame + 312
    assert context.flags == 0x202
    assert int.from_bytes(memory.read(frame, 8), "little") == 0x402000
    info = memory.read(registers[RSI], 24)
    assert (info[0], info[8], int.from_bytes(info[16:24], "little")) == (SIGSEGV, SEGV_ACCERR, 0xDEAD)
    fpstate = int.from_bytes(memory.read(registers[RDX] + 40 + 184, 8), "little")
    assert fpstate % 64 == 0 and fpstate + 580 <= 0x1F003 - 128


def test_the_red_zone_is_left_alone() -> None:
    context, memory, signals = setup()
    zone = bytes(range(128))
    memory.write(0x1F003 - 128, zone)
    FRAMES_64.build(context, memory, signals, action(), SigInfo(SIGUSR1))
    assert memory.read(0x1F003 - 128, 128) == zone


def test_no_restorer_no_frame() -> None:
    context, memory, signals = setup()
    before = context.state()
    with pytest.raises(LinuxError):
        FRAMES_64.build(context, memory, signals, Action(0x401000), SigInfo(SIGUSR1))
    assert context.state() == before


def test_a_bad_stack_changes_nothing() -> None:
    context, memory, signals = setup()
    for stack in (0, 0x10100, 0x10000000, 2**64 - 8, 300):
        context.registers[RSP] = stack
        before = context.state()
        with pytest.raises(LinuxError) as caught:
            FRAMES_64.build(context, memory, signals, action(SA_SIGINFO), SigInfo(SIGUSR1))
        assert caught.value.errno == EFAULT
        assert context.state() == before


def test_alternate_stack() -> None:
    context, memory, signals = setup()
    signals.altstack.replace(ALTSTACK[0], 0x4000, 0, context.registers[RSP])
    FRAMES_64.build(context, memory, signals, action(), SigInfo(SIGUSR1))
    assert STACK[0] < context.registers[RSP] < STACK[1]  # not asked for
    FRAMES_64.build(context, memory, signals, action(SA_ONSTACK), SigInfo(SIGUSR1))
    first = context.registers[RSP]
    assert ALTSTACK[1] - 1100 < first < ALTSTACK[1]
    FRAMES_64.build(context, memory, signals, action(SA_ONSTACK), SigInfo(SIGUSR1))
    assert ALTSTACK[0] < context.registers[RSP] < first  # nested: goes on below


def test_an_alternate_stack_may_not_overflow() -> None:
    context, memory, signals = setup()
    memory.ranges += ((0x30000, 0x40000),)  # what lies below could be written
    signals.altstack.replace(ALTSTACK[0], 0x4000, 0, context.registers[RSP])
    context.registers[RSP] = ALTSTACK[0] + 600
    with pytest.raises(LinuxError):
        FRAMES_64.build(context, memory, signals, action(SA_ONSTACK), SigInfo(SIGUSR1))


def test_autodisarm() -> None:
    context, memory, signals = setup()
    signals.altstack.replace(ALTSTACK[0], 0x4000, SS_AUTODISARM, context.registers[RSP])
    FRAMES_64.build(context, memory, signals, action(SA_ONSTACK), SigInfo(SIGUSR1))
    assert signals.altstack.state(context.registers[RSP]) == SS_DISABLE
    context.registers[RSP] += 8
    leave(context, memory, signals)
    assert (signals.altstack.base, signals.altstack.flags) == (ALTSTACK[0], SS_AUTODISARM)


def test_frames_that_make_no_sense() -> None:
    context, memory, signals = setup()
    FRAMES_64.build(context, memory, signals, action(), SigInfo(SIGUSR1))
    frame = context.registers[RSP]
    context.registers[RSP] = frame + 8
    memory.write(frame + 8 + 40 + 144, (0x10).to_bytes(2, "little"))  # a code segment of the kernel
    with pytest.raises(BadSegment) as caught:
        leave(context, memory, signals)
    assert caught.value.selector == 0x10 and context.registers[RIP] == 0x400123
    context.registers[RSP] = 8
    with pytest.raises(LinuxError):
        leave(context, memory, signals)


def test_sigaltstack_rules() -> None:
    stack = AltStack()
    assert stack.state(0x1000) == SS_DISABLE
    with pytest.raises(LinuxError) as caught:
        stack.replace(0x1000, 100, 0, 0)
    assert caught.value.errno == ENOMEM
    with pytest.raises(LinuxError) as caught:
        stack.replace(0x1000, 0x2000, 4, 0)
    assert caught.value.errno == EINVAL
    stack.replace(0x1000, 0x2000, SS_ONSTACK, 0)
    assert stack.state(0x1000) == 0 and stack.state(0x1001) == SS_ONSTACK and stack.state(0x3000) == SS_ONSTACK
    with pytest.raises(LinuxError) as caught:
        stack.replace(0, 0, SS_DISABLE, 0x2000)
    assert caught.value.errno == EPERM
    stack.replace(0, 0, SS_DISABLE, 0x5000)
    assert stack.state(0x2000) == SS_DISABLE
