"""The translator: one instruction with an FS or GS override becomes a fragment without.

A fragment reads the base from the thread cell, so it serves all threads. It borrows registers which the instruction
does not name, saves them in the cell, never on the guest's stack, and changes no flags. Forms, shortest first; s, t
are borrowed, B is the base, `op` the original instruction with another memory operand:

    address            fragment
    [d]                s = B; op [s + d]
    [b + d]            s = B; op [b + s + d]           also b = rsp: what `pop` says about rsp stays true
    [i*k + d]          s = B; op [s + i*k + d]
    [b + i*k + d]      s = B; lea s, [s + i*k]; op [b + s + d]
    narrow, rip, moffs t = the address; s = B; op [t + s]
    implied r          s = B; lea r, [r + s]; op; s = -B; lea r, [r + s]

A load that overwrites a whole general register borrows that one, which is saved for the roll back and not restored.
`call` and `jmp` load the target, put it into the cell and jump through it, `call` pushes the true return address.

Up to and with the main instruction everything may be rolled back; behind it there is only restoring, so a task found
there is rolled forward. For a call the push is the main instruction.
"""

from __future__ import annotations

from lbw.abi.thread_cell import FS_BASE, FS_NEGATIVE, GS_BASE, GS_NEGATIVE, SAVE_0, SAVE_1
from lbw.abi.thread_cell import TARGET as TARGET_WORD
from lbw.cpu.contracts import RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP
from lbw.faults.decode import ABSOLUTE, IMPLICIT, NARROW, PLAIN, RELATIVE, Instruction, decode
from lbw.faults.disassembler import name_of
from lbw.faults.encode import add, cell, constant, fetch, general, narrow_address, original, save, unchanged
from lbw.faults.opcodes import BIT_STRINGS
from lbw.faults.template import BEHIND, BIASED, RESTORE_0, RESTORE_1, SITE, TARGET, Fragment, Template

_CALL, _JMP = 2, 4
_LOW = (RBP, RSI, RDI, RBX, RDX, RCX, RAX)
_WIDE = (RBP, *range(8, 16))


def translate(code: bytes, bits: int) -> Template | None:
    """Return the template of the instruction at the start of `code` (up to 15 bytes), in 64- or 32-bit mode.

    None: it accesses no memory through FS or GS, or in a way that is not translated.
    """
    i = decode(code, bits)
    if i is None:
        return None
    name = name_of(i, code)
    if name == "":  # capstone does not know all orders of prefixes: ask it about a usual one
        usual = bytes((0x60 + i.segment,)) + (
            unchanged(i) if i.addressing == IMPLICIT else original(i, RBX, None, 0, 0x12)
        )
        again = decode(usual, bits)
        name = name_of(again, usual) if again else None
    if not name:
        return None
    if i.addressing == IMPLICIT:
        return _implied(i, name)
    if i.map == 0 and i.opcode == 0xFF and i.register & 7 in (_CALL, _JMP):
        return _transfer(i, name)
    return _plain(i, name)


def _base_word(i: Instruction) -> int:
    return GS_BASE if i.segment == 5 else FS_BASE


def _plain(i: Instruction, name: str) -> Template | None:
    destination = i.register if i.load() and i.register != RSP else None
    fragment = Fragment()
    operand = _address(fragment, i, destination)
    if operand is None:
        return None
    dirty = RESTORE_0 if len(fragment.borrowed) == 1 else RESTORE_0 | RESTORE_1
    fragment.step(original(i, *operand), dirty | SITE)
    if destination is not None and fragment.borrowed[0] == destination:
        dirty &= ~RESTORE_0
    _restore(fragment, i.bits, dirty)
    return fragment.finish(i.bits, i.length, i.segment, name, True)


def _restore(fragment: Fragment, bits: int, dirty: int) -> None:
    if dirty & RESTORE_1:
        fragment.step(fetch(fragment.borrowed[1], SAVE_1, bits), dirty | BEHIND)
        dirty &= ~RESTORE_1
    if dirty & RESTORE_0:
        fragment.step(fetch(fragment.borrowed[0], SAVE_0, bits), dirty | BEHIND)


def _address(
    fragment: Fragment, i: Instruction, destination: int | None
) -> tuple[int | None, int | None, int, int] | None:
    """Append what borrows registers and computes; return the operand of the main instruction."""
    bits, displacement = i.bits, i.displacement
    if i.addressing == ABSOLUTE and not i.address_size < bits:
        if bits == 64:
            displacement = displacement - (1 << 64) if displacement >> 63 else displacement
        if bits == 32 or -(1 << 31) <= displacement < 1 << 31:
            i.addressing, i.displacement = PLAIN, displacement
    free = _free(i)
    if i.addressing == PLAIN:
        if destination is not None and destination != i.base and destination != i.index:
            s = destination
        elif free:
            s = free[0]
        else:
            return None
        fragment.borrowed.append(s)
        fragment.step(save(s, SAVE_0, bits), SITE)
        fragment.step(fetch(s, _base_word(i), bits), SITE)
        if i.base is None:
            return s, i.index, i.scale, displacement
        if i.index is not None:
            fragment.step(add(s, i.index, bits, i.scale), SITE | RESTORE_0)
        return i.base, s, 0, displacement
    if _moves_its_address(i):
        return None
    t = destination if destination is not None else free.pop(0) if free else None
    if t is None or not free:
        return None
    s = free[0]
    fragment.borrowed += t, s
    fragment.step(save(t, SAVE_0, bits), SITE)
    fragment.step(save(s, SAVE_1, bits), SITE)
    if i.addressing == NARROW:
        fragment.step(narrow_address(i, t), SITE)
    elif i.addressing == RELATIVE:
        narrow = i.address_size == 32
        fragment.step(constant(t, 0, bits, narrow), SITE)
        fragment.constant(4 if narrow else 8, i.length + displacement)
    else:
        fragment.step(constant(t, i.displacement, bits, i.address_size == 32), SITE)
    fragment.step(fetch(s, _base_word(i), bits), SITE | RESTORE_0)
    return t, s, 0, 0


def _moves_its_address(i: Instruction) -> bool:
    """Tell whether the instruction computes its address in a way that the borrowed registers would not follow."""
    if i.map == 1 and i.opcode in BIT_STRINGS and i.address_size != i.bits:
        return True  # the bit number is added within the address size
    return i.map == 0 and i.opcode == 0x8F and RSP in (i.base, i.index)


def _free(i: Instruction) -> list[int]:
    """Return the registers that may be borrowed, best first: neither named nor implied by the instruction."""
    used = {i.base, i.index, i.vvvv} | _implied_registers(i)
    if i.map != 3 or i.opcode >= 0xF0:  # there it is a vector
        used.add(i.register - 4 if i.high_bytes else i.register)
    low = i.bits == 32 or i.high_bytes or i.vex
    return [register for register in (_LOW if low else _WIDE) if register not in used]


def _implied_registers(i: Instruction) -> set[int]:
    """Return general registers that the instruction reads or writes without naming them; at least those."""
    opcode, field = i.opcode, i.register & 7
    if i.map == 0:
        if opcode in (0xF6, 0xF7) and field >= 4:  # mul imul div idiv
            return {RAX, RDX}
        return {RCX} if opcode in (0xD2, 0xD3) else {RAX} if opcode >= 0xD8 else set()
    if i.map == 1:
        if opcode in (0xB0, 0xB1):  # cmpxchg
            return {RAX}
        if opcode in (0xA5, 0xAD):  # shld shrd
            return {RCX}
        if opcode == 0xC7:  # cmpxchg8b cmpxchg16b xsavec
            return {RAX, RDX, RCX, RBX}
        return {RAX, RDX} if opcode == 0xAE else set()  # xsave
    if i.map == 2:
        return {RDX} if opcode == 0xF6 else set()  # mulx
    return {RAX, RDX, RCX} if opcode in (0x60, 0x61, 0x62, 0x63) else set()  # pcmpestri..


def _implied(i: Instruction, name: str) -> Template | None:
    """Translate a string instruction, xlat or maskmov: the implied register is biased by the base meanwhile."""
    bits = i.bits
    if i.address_size != bits:
        return None
    biased = RDI if i.map == 1 else RBX if i.opcode == 0xD7 else RSI
    s, negative = RBP, GS_NEGATIVE if i.segment == 5 else FS_NEGATIVE
    fragment = Fragment()
    fragment.borrowed.append(s)
    fragment.step(save(s, SAVE_0, bits), SITE)
    fragment.step(fetch(s, _base_word(i), bits), SITE)
    fragment.step(add(biased, s, bits), SITE | RESTORE_0)
    fragment.step(unchanged(i), SITE | RESTORE_0 | BIASED)
    fragment.step(fetch(s, negative, bits), BEHIND | RESTORE_0 | BIASED)
    fragment.step(add(biased, s, bits), BEHIND | RESTORE_0 | BIASED)
    _restore(fragment, bits, RESTORE_0)
    return fragment.finish(bits, i.length, i.segment, name, True, biased)


def _transfer(i: Instruction, name: str) -> Template | None:
    """Translate a near call or jmp through memory."""
    bits = i.bits
    if i.operand16:
        return None
    fragment = Fragment()
    operand = _address(fragment, i, None)
    if operand is None:
        return None
    dirty = RESTORE_0 if len(fragment.borrowed) == 1 else RESTORE_0 | RESTORE_1
    s = fragment.borrowed[0]
    fragment.step(general(0x8B, s, *operand, bits), dirty | SITE)
    fragment.step(save(s, TARGET_WORD, bits), dirty | SITE)
    if dirty & RESTORE_1:
        fragment.step(fetch(fragment.borrowed[1], SAVE_1, bits), dirty | SITE)
    fragment.step(fetch(s, SAVE_0, bits), RESTORE_0 | SITE)
    jump = cell(0xFF, 4, TARGET_WORD, bits, wide=False)
    if i.register & 7 == _JMP:
        fragment.step(jump, SITE)
    elif bits == 32:
        fragment.step(b"\x68\0\0\0\0", SITE)
        fragment.constant(4, i.length)
        fragment.step(jump, TARGET)
    else:
        fragment.step(b"\xff\x35" + len(jump).to_bytes(4, "little"), SITE)
        fragment.step(jump, TARGET)
        fragment.data(8)
        fragment.constant(8, i.length)
    return fragment.finish(bits, i.length, i.segment, name, False)
