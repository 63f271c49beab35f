"""What capstone says about an instruction: its name, and whether our own decoder understood it.

Both must agree on the length and on every part of the memory operand; where they differ one of them is wrong, and the
instruction is better single-stepped. Capstone is imported when the first instruction is looked at (45 ms), which a
warm template store saves.
"""

from __future__ import annotations

from lbw.faults.decode import ABSOLUTE, IMPLICIT, RELATIVE, Instruction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from capstone import CsInsn

    class Disassembler(Protocol):
        """`capstone.Cs`, which has no types."""

        detail: bool

        def disasm(self, code: bytes, offset: int, count: int = 0) -> Iterator[CsInsn]: ...

_engines: dict[int, Disassembler] = {}
#: Capstone's numbers of address registers -> (ours, bits); the instruction pointer is 16.
_registers: dict[int, tuple[int, int]] = {}


def disassembler(bits: int) -> Disassembler:
    """Return capstone for 64- or 32-bit code, with details on."""
    engine = _engines.get(bits)
    if engine is None:
        import capstone

        mode = capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32
        create: Callable[[int, int], Disassembler] = capstone.Cs
        engine = _engines[bits] = create(capstone.CS_ARCH_X86, mode)
        engine.detail = True
        if not _registers:
            _name_registers()
    return engine


def _name_registers() -> None:
    from capstone import x86_const

    names = vars(x86_const)
    for number, name in enumerate(("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")):
        for prefix, bits in (("", 16), ("E", 32), ("R", 64)):
            _registers[names["X86_REG_" + prefix + name]] = number, bits
    for number in range(8, 16):
        _registers[names[f"X86_REG_R{number}D"]] = number, 32
        _registers[names[f"X86_REG_R{number}"]] = number, 64
    _registers[names["X86_REG_EIP"]] = 16, 32
    _registers[names["X86_REG_RIP"]] = 16, 64


def name_of(i: Instruction, code: bytes) -> str | None:
    """Return the mnemonic of `i`, which was decoded from `code`.

    Empty: capstone sees no instruction there; None: it sees another one.
    """
    for instruction in disassembler(i.bits).disasm(code[: i.length], 0, 1):
        if instruction.size == i.length and _agrees(i, instruction):
            return str(instruction.mnemonic)
        return None
    return ""


def _agrees(i: Instruction, instruction: CsInsn) -> bool:
    if i.addressing == IMPLICIT:
        return True
    for operand in instruction.operands:
        if operand.type != 3:  # X86_OP_MEM
            continue
        mem = operand.mem
        if not mem.base and not mem.index:
            base = index = None
        else:
            base = _registers.get(mem.base, (None, 0))[0]
            index = _registers.get(mem.index, (None, 0))[0]
        if i.addressing == RELATIVE:
            return base == 16 and index is None and mem.disp == i.displacement
        size = i.address_size
        if i.addressing == ABSOLUTE:
            return base is None and (mem.disp - i.displacement) % (1 << size) == 0
        return (
            base == i.base and index == i.index and (index is None or mem.scale == 1 << i.scale)
            and (mem.disp - i.displacement) % (1 << size) == 0
        )  # fmt: skip
    return False
