"""Superblocks of a real library, checked against a disassembler; and programs whose code is full of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from lbw import PIPE, Bind, Machine
from lbw.faults.disassembler import disassembler
from lbw.faults.superblock import Superblock, build
from lbw.faults.template import SITE
from lbw.faults.template_store import TemplateStore

PAGE = 4096
LIBRARIES = {64: Path("/lib/x86_64-linux-gnu/libc.so.6"), 32: Path("/usr/lib32/libc.so.6")}
BASE = {64: 0x7FFE_4000_0000, 32: 0xE800_0000}
STORE = TemplateStore(None)


def sites(bits: int) -> list[tuple[int, bytes, int]]:
    """Return (address, bytes of its page, address of the page) of what look like segment accesses in the C library."""
    with LIBRARIES[bits].open("rb") as file:
        section = ELFFile(file).get_section_by_name(".text")
        code, start = section.data(), section["sh_addr"]
    prefix = b"\x64" if bits == 64 else b"\x65"
    found = []
    at = code.find(prefix)
    while at >= 0:
        first = (start + at) // PAGE * PAGE
        page = code[max(first - start, 0) : first - start + PAGE]
        if first >= start and STORE.get(code[at : at + 15], bits) is not None:
            found.append((BASE[bits] + start + at, page, BASE[bits] + first))
        at = code.find(prefix, at + 1)
    return found[::7]


@pytest.mark.parametrize("bits", [64, 32])
def test_every_copy_stands_for_its_original(bits):
    md = disassembler(bits)
    checked = 0
    for address, page, start in sites(bits):
        first = STORE.get(page[address - start :][:15], bits)
        if first is None or address - start + first.length > len(page):
            continue
        block = build(first, address, page, start, bits, STORE.get)
        place = address - 0x1000_0000
        code = block.place(place)
        assert len(code) == block.size
        offset = 0
        while offset < block.size:
            located = block.locate(offset)
            instruction = next(md.disasm(code[offset:], place + offset, 1), None)
            if located is None or instruction is None:
                break  # the constant behind a call
            recovery, original, length = located
            if block.begins(offset) and length and not recovery.restores and recovery.resume == SITE:
                same(md, instruction, page[original - start :][:length], original, block, place)
                checked += 1
            offset += instruction.size
    assert checked > 1000


def same(md, copy, code: bytes, address: int, block: Superblock, place: int) -> None:
    """Check that an instruction of the copy does what the original does."""
    if bytes(copy.bytes) == code:
        return
    theirs = next(md.disasm(code, address, 1))
    text = theirs.op_str
    if "fs:" in text or "gs:" in text or theirs.mnemonic.endswith("call"):
        return  # translated: test_translate_machine
    if theirs.mnemonic.startswith("j"):
        if copy.bytes[0] >> 4 == 7:  # 32-bit: the opposite, around a jump
            assert copy.bytes[0] ^ 1 == (0x70 | (code[1] if code[0] == 0x0F else code[0]) & 15)
            offset = copy.address - place + 2
            copy = next(md.disasm(block.place(place)[offset:], copy.address + 2, 1))
            assert copy.mnemonic == "jmp" and block.locate(offset)[1] == int(text, 16)
        else:
            assert copy.mnemonic == theirs.mnemonic
        target, wanted = int(copy.op_str, 16), int(text, 16)
        inside = block.locate(target - place) if 0 <= target - place < block.size else (None, target, 0)
        assert inside is not None and inside[1] == wanted
        return
    assert "rip" in text and copy.mnemonic == theirs.mnemonic and copy.size == theirs.size
    assert copy.address + copy.size + copy.disp == theirs.address + theirs.size + theirs.disp


SOURCE = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread long counter, table[64];
static __thread char text[256];
__attribute__((noinline)) static long work(int kind, long n) {
    long sum = 0, i;
    switch (kind) {
    case 0: for (i = 0; i < n; i++) { counter += i; table[i & 63] ^= counter; sum += table[(i * 7) & 63]; } break;
    case 1: for (i = 0; i < n; i++) { if (counter & 1) counter = counter * 3 + 1; else counter /= 2; sum += counter; }
            break;
    case 2: for (i = 0; i < n; i++) { snprintf(text, sizeof text, "%ld:%ld", i, counter); errno = sum += strlen(text); }
            break;
    case 3: if (n > 1) return work(3, n - 1) + (counter += n); return counter;
    case 4: for (i = 0; i < n; i++) { void *p = malloc(16 + i % 400); table[i & 63] = !p; free(p); sum += !p; }
    }
    return sum + counter + errno;
}
int main(void) {
    for (int round = 0; round < 3; round++)
        for (int kind = 0; kind < 5; kind++) printf("%d %ld\n", kind, work(kind, 200 + 37 * round));
    return 0;
}
"""


@pytest.mark.parametrize("options", [["-O0"], ["-O2"], ["-O2", "-m32"], ["-Os", "-static"]])
def test_code_around_thread_local_variables_computes_the_same(options, tmp_path):
    program = tmp_path / "program"
    command = ["gcc", *options, "-fstack-protector-all", "-x", "c", "-", "-o", program]
    subprocess.run(command, input=SOURCE.encode(), check=True)
    expected = subprocess.run([program], capture_output=True, check=True).stdout
    with Machine("/", binds=[Bind(tmp_path, "/mnt")], segments="patch") as machine:
        result = machine.run(["/mnt/program"], stdout=PIPE, stderr=PIPE)
    assert (result.status, result.stdout, result.stderr) == (0, expected, b"")
