"""The decoder knows every instruction of which capstone shows an FS or GS operand, and what processors really do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.x86 import LONGEST
from lbw.faults.decode import decode
from lbw.faults.disassembler import disassembler
from lbw.faults.translate import translate

PREFIXES = (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3)
#: What is left to a single step, and what accesses no memory, by capstone's names.
LEFT = {
    "outsb", "outsw", "outsd", "mov", "ljmp", "lcall", "les", "lds", "lss", "lfs", "lgs",  # ports, segments
    "ltr", "lldt", "lmsw", "invlpg", "lidt", "lgdt", "rstorssp", "vmread", "vmwrite", "xrstors", "xrstors64", "xsaves",
    "xsaves64", "vmxon", "vmptrld", "vmptrst", "vmclear", "invept", "invvpid", "invpcid",  # of the kernel
    "movdir64b", "vmovss",
}  # fmt: skip
HARMLESS = ("lea", "nop", "prefetch", "bnd", "cldemote")


def opcodes(bits: int) -> Iterator[tuple[bytes, int]]:
    for escape in (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"):
        for opcode in range(256):
            if escape == b"" and (opcode in PREFIXES or opcode == 0x0F or (bits == 64 and opcode & 0xF0 == 0x40)):
                continue
            if escape == b"\x0f" and opcode in (0x38, 0x3A):
                continue
            yield escape, opcode


@pytest.mark.parametrize("bits", [64, 32])
def test_all_opcodes_that_capstone_knows(bits):
    """Same set of instructions, same lengths."""
    engine = disassembler(bits)
    left = set()
    for escape, opcode in opcodes(bits):
        for prefix in (b"", b"\x66", b"\xf2", b"\xf3"):
            for field in range(8):
                code = b"\x64" + prefix + escape + bytes((opcode, 0x46 | field << 3, 0x10)) + bytes(11)
                code = code[:LONGEST]
                mine = decode(code, bits)
                theirs = next(engine.disasm(code, 0, 1), None)
                if theirs is None or "fs:" not in theirs.op_str:
                    assert mine is None or theirs is None or theirs.mnemonic.endswith("xlatb"), code.hex()
                elif mine is None:
                    left.add(theirs.mnemonic.split()[-1])
                else:
                    assert (mine.length, mine.segment) == (theirs.size, 4), code.hex()
    far = {"call", "jmp"}  # FF /3 and /5 with a prefix that capstone does not know there
    assert {name for name in left - LEFT - far if not name.startswith(HARMLESS)} == set()


@pytest.mark.parametrize(
    "code, bits, segment",
    [
        ("642e8b00", 64, 4), ("65368b00", 64, 5), ("2e648b00", 64, 4), ("64658b00", 64, 5), ("65648b00", 64, 4),
        ("642e8b00", 32, 0), ("2e648b00", 32, 4), ("64653e8b00", 32, 0), ("3e65648b00", 32, 4), ("8b00", 64, 0),
    ],
)  # fmt: skip
def test_the_last_override_counts(code, bits, segment):
    """Overrides that 64-bit mode ignores do not undo one of FS or GS."""
    instruction = decode(bytes.fromhex(code), bits)
    assert (instruction.segment if instruction else 0) == segment


def test_rex_counts_only_before_the_opcode():
    assert decode(bytes.fromhex("48648b00"), 64).rex == 0
    assert decode(bytes.fromhex("64488b00"), 64).rex == 0x48
    assert decode(bytes.fromhex("6441488b00"), 64).rex == 0x48
    assert decode(bytes.fromhex("64488b00"), 32) is None  # dec eax; in 32-bit mode


@pytest.mark.parametrize("bits", [64, 32])
@given(code=st.binary(max_size=16), prefix=st.sampled_from((b"", b"\x64", b"\x65", b"\x65\x66", b"\x64\x0f")))
def test_any_bytes(bits, code, prefix):
    """Nothing raises; what is translated fits in the bytes that were given, and does not depend on others."""
    code = (prefix + code)[:16]
    template = translate(code, bits)
    if template is not None:
        assert template.length <= min(len(code), LONGEST)
        again = translate(code[: template.length] + b"\xcc" * 4, bits)
        assert again is not None and again.to_bytes() == template.to_bytes()
        assert translate(code[: template.length - 1], bits) is None


def segment_instructions(file: str) -> Iterator[tuple[bytes, str]]:
    """Disassemble a program by objdump; yield what has an FS or GS operand."""
    command = ["objdump", "-d", "-w", "--insn-width=16", "-M", "intel", file]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if "fs:" in line or "gs:" in line:
            _, code, text = line.split("\t", 2)
            yield bytes.fromhex(code), text


def host_files() -> list[str]:
    """Return programs and libraries of the host that are full of segment accesses, as far as it has them."""
    folders = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/bin", "/usr/lib32")
    names = ("libc.so.6", "ld-linux-x86-64.so.2", "ld-linux.so.2", "libm.so.6", "python3", "perl", "bash")
    if shutil.which("objdump") is None:
        return []
    found = (Path(folder, name) for folder in folders for name in names)
    return sorted({str(path.resolve()) for path in found if path.is_file()})


@pytest.mark.parametrize("file", host_files())
def test_all_of_the_host_s_own_programs(file):
    """Every segment access that objdump shows is translated, with the right length."""
    failed = []
    bits = 64 if Path(file).read_bytes()[4] == 2 else 32
    for code, text in segment_instructions(file):
        if text.startswith(("lea ", "(bad)")) or "nop" in text:
            continue
        template = translate(code + bytes(3), bits)
        if template is None or template.length != len(code):
            failed.append((code.hex(), text))
    assert failed == []
