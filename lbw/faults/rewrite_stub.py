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


def stub(address: int, bits: int, target: int | None, *, entry: bool = False) -> bytes:
    """Return the stub for `address`, which goes on at `target`; None: it returns.

    `entry`: it is the entry point, so the stack is as the kernel made it: AT_ENTRY of the auxiliary vector becomes
    `target` if it is the stub. (By that ld.so sees that it was started as a program.)
    """
    question, restore = (_QUESTION_64, _RESTORE_64) if bits == 64 else (_QUESTION_32, _RESTORE_32)
    start = len(question) + 6
    middle = _entry(address + start, bits, address, target) if entry and target is not None else b""
    middle += restore
    if target is None:
        middle += b"\xc3"
    else:
        distance = target - (address + start + len(middle) + 5)
        middle += b"\xe9" + _word(distance)
    return question + b"\x0f\x85" + _word(len(middle)) + middle + _refusal(bits)  # jnz to the refusal


def _word(value: int) -> bytes:
    return (value & 0xFFFF_FFFF).to_bytes(4, "little")


_QUESTION_64 = b"".join((
    bytes.fromhex("5051525657 4150 4151 4152 4153"),  # push rax rcx rdx rsi rdi r8-r11
    b"\xbf", _word(PR_LBW_REWRITTEN), b"\xbe", _word(LAYOUT),  # mov edi, esi
    bytes.fromhex("31d2 4531d2 4531c0"),  # xor edx, r10d, r8d
    b"\xb8", _word(157), b"\x0f\x05",  # mov eax, prctl; syscall
    bytes.fromhex("85c0"),  # test eax, eax
))  # fmt: skip
_RESTORE_64 = bytes.fromhex("415b 415a 4159 4158 5f5e5a5958")  # pop all

_QUESTION_32 = b"".join((
    bytes.fromhex("60"),  # pusha
    b"\xbb", _word(PR_LBW_REWRITTEN), b"\xb9", _word(LAYOUT),  # mov ebx, ecx
    bytes.fromhex("31d2 31f6 31ff"),  # xor edx, esi, edi
    b"\xb8", _word(172), b"\xcd\x80",  # mov eax, prctl; int 0x80
    bytes.fromhex("85c0"),  # test eax, eax
))  # fmt: skip
_RESTORE_32 = b"\x61"  # popa


def _entry(position: int, bits: int, stub: int, target: int) -> bytes:
    """Return code for address `position` that replaces AT_ENTRY (9) in the vector behind argv and envp."""
    if bits == 64:
        code = bytes.fromhex(
            "488d4c2448"  # lea rcx, [rsp + 9 * 8], where argc is
            "488b01 488d4cc110"  # mov rax, [rcx]; lea rcx, [rcx + rax * 8 + 16]
            "4883c108 488379f800 75f5"  # add rcx, 8; cmp qword [rcx - 8], 0; jne back
            "488b01 4885c0 7422"  # mov rax, [rcx]; test rax, rax; jz to the end
            "4883c110 4883f809 75ee"  # add rcx, 16; cmp rax, 9; jne back
        )
        code += b"\x48\x8d\x05" + _word(stub - position - len(code) - 7)  # lea rax, [stub]
        code += bytes.fromhex("483941f8 750b")  # cmp [rcx - 8], rax; jne to the end
        code += b"\x48\x8d\x05" + _word(target - position - len(code) - 7)  # lea rax, [target]
        return code + bytes.fromhex("488941f8")  # mov [rcx - 8], rax
    code = bytes.fromhex(
        "e800000000 5b"  # call; pop ebx
        "8d4c2420"  # lea ecx, [esp + 8 * 4]
        "8b01 8d4c8108"  # mov eax, [ecx]; lea ecx, [ecx + eax * 4 + 8]
        "83c104 8379fc00 75f7"  # add ecx, 4; cmp dword [ecx - 4], 0; jne back
        "8b01 85c0 741c"  # mov eax, [ecx]; test eax, eax; jz to the end
        "83c108 83f809 75f2"  # add ecx, 8; cmp eax, 9; jne back
    )
    here = position + 5
    code += b"\x8d\x83" + _word(stub - here)  # lea eax, [ebx + distance of the stub]
    code += bytes.fromhex("3941fc 7509")  # cmp [ecx - 4], eax; jne to the end
    return code + b"\x8d\x83" + _word(target - here) + bytes.fromhex("8941fc")


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
