"""The stub of a rewritten file: asks whether the kernel is lbw, and if not, says so and ends the program.

The question is prctl with an option that Linux does not have: it answers EINVAL, and so does another version of lbw.
All registers are as before when the stub jumps on.
"""

from __future__ import annotations

from lbw.abi.thread_cell import PR_LBW_REWRITTEN
from lbw.faults.rewritten import LAYOUT

MESSAGE = b'this program was rewritten for lbw; run it with "lbw run"\n'
#: The exit status: it cannot be executed.
STATUS = 126


def stub(address: int, bits: int, target: int | None) -> bytes:
    """Return the stub for `address`, which goes on at `target`; None: it returns."""
    question = _QUESTION_64 if bits == 64 else _QUESTION_32
    answer = _refusal(bits)
    onward = 5 if target is not None else 1
    code = question + b"\x0f\x85" + onward.to_bytes(4, "little")  # jnz to the refusal
    if target is None:
        code += b"\xc3"
    else:
        distance = target - (address + len(code) + 5)
        code += b"\xe9" + (distance & 0xFFFF_FFFF).to_bytes(4, "little")
    return code + answer


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little")


_QUESTION_64 = b"".join((
    bytes.fromhex("5051525657 4150 4151 4152 4153"),  # push rax rcx rdx rsi rdi r8-r11
    b"\xbf", _word(PR_LBW_REWRITTEN), b"\xbe", _word(LAYOUT),  # mov edi, esi
    bytes.fromhex("31d2 4531d2 4531c0"),  # xor edx, r10d, r8d
    b"\xb8", _word(157), b"\x0f\x05",  # mov eax, prctl; syscall
    bytes.fromhex("85c0 415b 415a 4159 4158 5f5e5a5958"),  # test eax, eax; pop all
))  # fmt: skip

_QUESTION_32 = b"".join((
    bytes.fromhex("60"),  # pusha
    b"\xbb", _word(PR_LBW_REWRITTEN), b"\xb9", _word(LAYOUT),  # mov ebx, ecx
    bytes.fromhex("31d2 31f6 31ff"),  # xor edx, esi, edi
    b"\xb8", _word(172), b"\xcd\x80",  # mov eax, prctl; int 0x80
    bytes.fromhex("85c0 61"),  # test eax, eax; popa
))  # fmt: skip


def _refusal(bits: int) -> bytes:
    """Return code that writes the message to descriptor 2 and ends the process."""
    size = _word(len(MESSAGE))
    if bits == 64:
        leave = b"\xbf" + _word(STATUS) + b"\xb8" + _word(231) + b"\x0f\x05\xf4"  # exit_group; hlt
        write = b"\xba" + size + b"\xbf" + _word(2) + b"\xb8" + _word(1) + b"\x0f\x05"
        return b"\x48\x8d\x35" + _word(len(write) + len(leave)) + write + leave + MESSAGE  # lea rsi, [message]
    leave = b"\xbb" + _word(STATUS) + b"\xb8" + _word(252) + b"\xcd\x80\xf4"
    write = b"\xba" + size + b"\xbb" + _word(2) + b"\xb8" + _word(4) + b"\xcd\x80"
    add = 3 + len(write) + len(leave)  # from the pop on, which has one byte, as the addition has three
    return b"\xe8\0\0\0\0\x59\x83\xc1" + bytes((add + 1,)) + write + leave + MESSAGE  # call; pop ecx; add ecx
