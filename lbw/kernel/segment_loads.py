"""Loads of TLS and LDT selectors, which trap because the processor's own tables never hold them.

`mov gs, ax` and its kin raise #GP with the selector as error code. Here the instruction is understood, the hidden part
of the register is written by hand, and the program goes on behind it. The form that every i386 program uses once, a
move from a register, is decoded without capstone, whose import takes longer than most programs.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.x86 import LEGACY_PREFIXES, TRACE_FLAG
from lbw.cpu.contracts import ALL, DB, GP, NP, RIP, RSP
from lbw.faults.instruction import instruction_bytes
from lbw.kernel.segment_descriptors import PRESENT, SYSTEM_OFF
from lbw.kernel.tls import DS, ES, FIRST, FS, GS, LAST, LOCAL, SS, descriptor_of, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.contracts import Context
    from lbw.kernel.task import Task

_LOW = 0xFFFF_FFFF
_WORD = (1 << 64) - 1

#: Opcodes that take a selector from the stack, or from behind a pointer in memory.
_POPS = {b"\x0f\xa1": FS, b"\x0f\xa9": GS, b"\x1f": DS, b"\x07": ES, b"\x17": SS}
_POINTERS = {b"\x0f\xb4": FS, b"\x0f\xb5": GS, b"\x0f\xb2": SS, b"\xc5": DS, b"\xc4": ES}


def load_trapped(task: Task, error_code: int) -> int:
    """Do the segment load that RIP is at, if it is one of the selector `error_code` and its descriptor allows it.

    Return the vector of the exception that is left, -1: none.
    """
    if not error_code & LOCAL and not FIRST <= error_code >> 3 <= LAST:
        return GP
    context = task.context
    try:
        code = instruction_bytes(task.memory, context.registers[RIP])
        if _load(task, code, context.bits):
            return DB if context.flags & TRACE_FLAG else -1
    except (LinuxError, IndexError, StopIteration):  # nothing there, or nothing that can be decoded
        return GP
    access = descriptor_of(task, error_code) >> 32
    return NP if access & SYSTEM_OFF and access >> 9 & 5 != 4 and not access & PRESENT else GP


def _load(task: Task, code: bytes, bits: int) -> bool:
    context = task.context
    at = 0
    while code[at] in LEGACY_PREFIXES:
        at += 1
    rex = 0
    if bits == 64 and code[at] & 0xF0 == 0x40:
        rex = code[at]
        at += 1
    opcode = code[at : at + 2] if code[at] == 0x0F else code[at : at + 1]
    at += len(opcode)
    if opcode == b"\x8e":
        modrm = code[at]
        register = modrm >> 3 & 7
        if modrm >= 0xC0:
            selector = context.registers[modrm & 7 | (8 if rex & 1 else 0)] & 0xFFFF
            return load(task, register, selector) and _step_over(context, at + 1, bits)
        address, length = _operand(task, code, bits)
        return load(task, register, task.memory.read_u16(address)) and _step_over(context, length, bits)
    if opcode in _POPS:
        stack = context.registers[RSP]
        size = 2 if 0x66 in code[: at - len(opcode)] else bits // 8
        if not load(task, _POPS[opcode], task.memory.read_u16(stack)):
            return False
        context.registers[RSP] = (stack + size) & (_WORD if bits == 64 else _LOW)
        return _step_over(context, at, bits)
    if opcode in _POINTERS and code[at] < 0xC0:
        address, length = _operand(task, code, bits)
        size = 8 if rex & 8 else 2 if 0x66 in code[: at - len(opcode)] else 4
        offset = int.from_bytes(task.memory.read(address, size), "little")
        if not load(task, _POINTERS[opcode], task.memory.read_u16((address + size) & _WORD)):
            return False
        number = code[at] >> 3 & 7 | (8 if rex & 4 else 0)
        registers = context.registers
        registers[number] = registers[number] & ~0xFFFF | offset if size == 2 else offset
        return _step_over(context, length, bits)
    return False


def _step_over(context: Context, length: int, bits: int) -> bool:
    registers = context.registers
    registers[RIP] = (registers[RIP] + length) & (_WORD if bits == 64 else _LOW)
    context.modified = ALL
    return True


def _operand(task: Task, code: bytes, bits: int) -> tuple[int, int]:
    """Return the linear address of the memory operand, and the length of the instruction."""
    from lbw.faults.disassembler import disassembler
    from lbw.faults.emulate_operands import MEMORY, address

    context = task.context
    instruction = next(disassembler(bits).disasm(code, context.registers[RIP]))
    index = next(index for index, operand in enumerate(instruction.operands) if operand.type == MEMORY)
    return address(instruction, index, bits)(context), instruction.size
