"""Emulated instructions that ask about the processor or set segment bases.  Intel SDM vol. 2"""

from __future__ import annotations

from lbw.cpu.contracts import GP
from lbw.faults.emulate import Refused
from lbw.faults.emulate_operands import MASKS, reader, writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from capstone import CsInsn

    from lbw.cpu.contracts import Context
    from lbw.faults.emulate import Action, Maker
    from lbw.mm.user_copy import UserMemory

#: TSC_AUX as Linux sets it: node << 12 | processor.
PROCESSOR = 0


def _read_base(name: str) -> Maker:
    def make(instruction: CsInsn, bits: int) -> Action | None:
        if bits != 64:
            return None
        target = writer(instruction, 0, bits)
        return lambda context, memory: target(context, memory, getattr(context, name))

    return make


def _write_base(name: str) -> Maker:
    def make(instruction: CsInsn, bits: int) -> Action | None:
        if bits != 64:
            return None
        source = reader(instruction, 0, bits)

        def act(context: Context, memory: UserMemory) -> None:
            value = source(context, memory)
            if value + (1 << 47) & MASKS[8] >= 1 << 48:
                raise Refused(GP)
            setattr(context, name, value)

        return act

    return make


def _rdpid(instruction: CsInsn, bits: int) -> Action:
    target = writer(instruction, 0, bits)
    return lambda context, memory: target(context, memory, PROCESSOR)


MAKERS: dict[str, Maker] = {
    "rdfsbase": _read_base("fs_base"),
    "rdgsbase": _read_base("gs_base"),
    "wrfsbase": _write_base("fs_base"),
    "wrgsbase": _write_base("gs_base"),
    "rdpid": _rdpid,
}
