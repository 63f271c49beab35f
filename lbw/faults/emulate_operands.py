"""Operands of emulated instructions: registers and memory as functions that read and write them."""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import GP, PAGE, PF, PF_PRESENT, PF_USER, PF_WRITE, RIP
from lbw.faults.emulate import Refused
from lbw.mm.faults import SegmentationFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from capstone import CsInsn

    from lbw.cpu.contracts import Context
    from lbw.mm.user_copy import UserMemory

    Reader = Callable[[Context, UserMemory], int]
    Writer = Callable[[Context, UserMemory, int], None]

# capstone's kinds of operands
REGISTER, IMMEDIATE, MEMORY = 1, 2, 3

MASKS = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFF_FFFF, 8: 0xFFFF_FFFF_FFFF_FFFF}

# RFLAGS
CARRY, PARITY, ADJUST, ZERO, SIGN, OVERFLOW = 1, 4, 0x10, 0x40, 0x80, 0x800


def _numbers() -> dict[str, tuple[int, int]]:
    """Return name -> (register number, bytes) of the general registers."""
    numbers = {"rip": (RIP, 8), "eip": (RIP, 4)}
    for number, name in enumerate(("ah", "ch", "dh", "bh")):
        numbers[name] = number, 1
    for number, name in enumerate(("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")):
        numbers["r" + name], numbers["e" + name], numbers[name] = (number, 8), (number, 4), (number, 2)
        numbers[name[0] + "l" if number < 4 else name + "l"] = number, 1
    for number in range(8, 16):
        for suffix, size in (("", 8), ("d", 4), ("w", 2), ("b", 1)):
            numbers[f"r{number}{suffix}"] = number, size
    return numbers


NUMBERS = _numbers()
_HIGH = frozenset(("ah", "ch", "dh", "bh"))
#: What capstone calls an index that is encoded and is none.
_NO_INDEX = frozenset(("", "riz", "eiz"))


def register_name(instruction: CsInsn, register: int) -> str:
    """Return the name of a register by capstone's number."""
    name: Callable[[int], str] = instruction.reg_name
    return name(register)


def reader(instruction: CsInsn, index: int, bits: int) -> Reader:
    """Return a function that reads an operand, unsigned."""
    operand = instruction.operands[index]
    size: int = operand.size
    if operand.type == REGISTER:
        name = register_name(instruction, operand.reg)
        number, mask = NUMBERS[name][0], MASKS[size]
        if size == 1 and name in _HIGH:
            return lambda context, memory: context.registers[number] >> 8 & 0xFF
        return lambda context, memory: context.registers[number] & mask
    if operand.type == IMMEDIATE:
        value = operand.imm & MASKS[size]
        return lambda context, memory: value
    where = address(instruction, index, bits)
    return lambda context, memory: load(memory, where(context), size)


def writer(instruction: CsInsn, index: int, bits: int) -> Writer:
    """Return a function that writes an operand: 32-bit registers are extended by zeros, smaller ones are merged."""
    operand = instruction.operands[index]
    size: int = operand.size
    if operand.type == REGISTER:
        number = NUMBERS[register_name(instruction, operand.reg)][0]
        mask = MASKS[size]
        if size >= 4:

            def whole(context: Context, memory: UserMemory, value: int) -> None:
                context.registers[number] = value & mask

            return whole

        def part(context: Context, memory: UserMemory, value: int) -> None:
            registers = context.registers
            registers[number] = registers[number] & ~mask & MASKS[8] | value & mask

        return part
    where = address(instruction, index, bits)
    return lambda context, memory, value: store(memory, where(context), size, value)


def address(instruction: CsInsn, index: int, bits: int) -> Callable[[Context], int]:
    """Return a function that computes the linear address of a memory operand."""
    mem = instruction.operands[index].mem
    base = NUMBERS[register_name(instruction, mem.base)][0] if mem.base else None
    index_name = register_name(instruction, mem.index) if mem.index else ""
    second = NUMBERS[index_name][0] if index_name not in _NO_INDEX else None
    scale: int = mem.scale
    offset: int = mem.disp + (instruction.size if base == RIP else 0)
    mask = MASKS[instruction.addr_size]
    segment = register_name(instruction, mem.segment) if mem.segment else ""
    linear = MASKS[8] if bits == 64 else MASKS[4]

    def compute(context: Context) -> int:
        registers = context.registers
        value = offset
        if base is not None:
            value += registers[base]
        if second is not None:
            value += registers[second] * scale
        value &= mask
        if segment == "fs":
            value += context.fs_base
        elif segment == "gs":
            value += context.gs_base
        return value & linear

    return compute


def load(memory: UserMemory, where: int, size: int) -> int:
    """Read little-endian bytes.  Refused, LinuxError(ENOMEM)"""
    try:
        return int.from_bytes(memory.read(where, size), "little")
    except LinuxError:
        _fail(memory, where, size, PF_USER)
        return int.from_bytes(memory.read(where, size), "little")


def store(memory: UserMemory, where: int, size: int, value: int) -> None:
    """Write little-endian bytes: all or nothing.  Refused, LinuxError(ENOMEM)"""
    if (where & PAGE - 1) + size > PAGE:
        _fail(memory, where, size, PF_USER | PF_WRITE)
    try:
        memory.write(where, (value & MASKS[size]).to_bytes(size, "little"))
    except LinuxError:
        _fail(memory, where, size, PF_USER | PF_WRITE)
        raise


def _fail(memory: UserMemory, where: int, size: int, error_code: int) -> None:
    """Fault each page of the operand in, or raise what the processor would."""
    if where + (1 << 47) & MASKS[8] >= 1 << 48:
        raise Refused(GP)
    last = where + size - 1
    for place in (where, last & -PAGE) if last // PAGE != where // PAGE else (where,):
        try:
            memory.fault(place, error_code)
        except SegmentationFault as fault:
            if memory.mmu.view(place, 1, False) is not None:
                error_code |= PF_PRESENT
            raise Refused(PF, fault, error_code) from None
