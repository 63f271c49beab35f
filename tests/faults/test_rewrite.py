"""Rewriting a file: what is proven and left, that the result is a sound ELF file, refusals, damaged input."""

from __future__ import annotations

import subprocess
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

import lbw
from lbw.errors import RewriteError
from lbw.faults.lengths import instruction_length
from lbw.faults.rewrite import CHANGES, OWN_ADDRESS, SHORT
from lbw.faults.rewritten import read_image

SOURCE = r"""
#include <stdio.h>
__thread int mine = 3;
int main(void) { mine += 4; printf("%d\n", mine); return mine; }
"""
LIBRARY = "int shared(void) { return 1; }\n__thread int mine; int *where(void) { return &mine; }\n"
KINDS = {
    "static": ["-static"], "static-pie": ["-static-pie"], "no-pie": ["-no-pie"], "pie": ["-pie"],
    "32-static": ["-m32", "-static"], "32-static-pie": ["-m32", "-static-pie"], "32-pie": ["-m32", "-pie"],
    "32-no-pie": ["-m32", "-no-pie"],
}  # fmt: skip
LIBC = {64: "/lib/x86_64-linux-gnu/libc.so.6", 32: "/lib32/libc.so.6"}
LOADERS = {64: "/lib64/ld-linux-x86-64.so.2", 32: "/lib32/ld-linux.so.2"}
AREAS = [(16, 64), (64, 900), (900, 4096), (8192, 9400)]
REFUSAL = b'this program was rewritten for lbw; run it with "lbw run"\n'


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The programs of KINDS."""
    directory = tmp_path_factory.mktemp("rewrite")
    (directory / "p.c").write_text(SOURCE)
    for kind, options in KINDS.items():
        command = ["gcc", "-O1", "-fstack-protector-all", *options, "-o", directory / kind, directory / "p.c"]
        subprocess.run(command, check=True)
    return {kind: directory / kind for kind in KINDS}


def rewrite(path: Path | str, to: Path) -> lbw.RewriteResult:
    result = lbw.rewrite_elf(Path(path).read_bytes())
    to.write_bytes(result.data)
    to.chmod(0o755)
    return result


def memory(data: bytes) -> dict[int, bytes]:
    """Return what is loaded: address -> bytes of the file."""
    return {
        segment["p_vaddr"]: segment.data() for segment in ELFFile(BytesIO(data)).iter_segments("PT_LOAD")
    }  # fmt: skip


def at(loaded: dict[int, bytes], address: int, size: int) -> bytes:
    for start, content in loaded.items():
        if start <= address and address + size <= start + len(content):
            return content[address - start :][:size]
    raise KeyError(hex(address))


@pytest.mark.parametrize("kind", KINDS)
def test_sites_jump_to_their_fragments(kind, built):
    data = built[kind].read_bytes()
    result = lbw.rewrite_elf(data)
    assert result.bits == (32 if kind.startswith("32") else 64)
    assert len(result.patched) >= 2
    assert {reason for _, _, reason in result.left} <= {SHORT, OWN_ADDRESS}
    before, after = memory(data), memory(result.data)
    image = read_image(lambda offset, length: result.data[offset : offset + length])
    bias = min(after)
    records = {bias + site: (bias + start, template) for start, _, template, site in image}
    assert records.keys() == {address for address, _ in result.patched}
    for site, (fragment, template) in records.items():
        jump = at(after, site, 5)
        assert jump[0] == 0xE9
        assert site + 5 + int.from_bytes(jump[1:], "little", signed=True) == fragment
        assert at(after, fragment, template.size) == template.place(fragment, site)
        assert instruction_length(at(before, site, template.length), 0, result.bits) == template.length
    # nothing else in the code has changed
    changed = {site + offset for site in records for offset in range(5)}
    for start, content in before.items():
        segment = next(s for s in ELFFile(BytesIO(data)).iter_segments("PT_LOAD") if s["p_vaddr"] == start)
        if segment["p_flags"] & 1:
            new = after[start]
            assert all(
                old == byte or start + offset in changed
                for offset, (old, byte) in enumerate(zip(content, new, strict=True))
                if old != byte
            )


@pytest.mark.parametrize("kind", KINDS)
def test_a_rewritten_file_is_sound(kind, built, tmp_path):
    """Headers as readers expect them: the table is loaded, in order, where AT_PHDR and ld.so look for it."""
    result = rewrite(built[kind], tmp_path / kind)
    elf = ELFFile(BytesIO(result.data))
    loads = [*elf.iter_segments("PT_LOAD")]
    starts = [load["p_vaddr"] for load in loads]
    assert starts == sorted(starts)
    for load, following in pairwise(loads):
        assert load["p_vaddr"] + load["p_memsz"] <= following["p_vaddr"]
    new = loads[-1]
    assert new["p_flags"] == 5
    assert new["p_offset"] == elf["e_phoff"]
    assert new["p_vaddr"] - new["p_offset"] == loads[0]["p_vaddr"] - loads[0]["p_offset"]
    for segment in elf.iter_segments("PT_PHDR"):
        assert (segment["p_offset"], segment["p_vaddr"]) == (new["p_offset"], new["p_vaddr"])
        assert segment["p_filesz"] == elf["e_phnum"] * elf["e_phentsize"]
    reader = subprocess.run(["readelf", "-lW", tmp_path / kind], capture_output=True, text=True)
    assert "arning" not in reader.stderr + reader.stdout and "rror" not in reader.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_natively_it_says_what_it_is(kind, built, tmp_path):
    rewrite(built[kind], tmp_path / "program")
    process = subprocess.run([tmp_path / "program"], capture_output=True)
    assert (process.returncode, process.stdout, process.stderr) == (126, b"", REFUSAL)


@pytest.mark.parametrize(("bits", "kind"), [(64, "pie"), (32, "32-pie")])
def test_so_does_a_native_program_with_a_rewritten_libc(bits, kind, built, tmp_path):
    result = rewrite(LIBC[bits], tmp_path / "libc.so.6")
    assert len(result.patched) > 2000
    command = [built[kind]]
    process = subprocess.run(command, env={"LD_LIBRARY_PATH": str(tmp_path)}, capture_output=True)
    assert (process.returncode, process.stdout, process.stderr) == (126, b"", REFUSAL)


@pytest.mark.parametrize("bits", [64, 32])
def test_so_does_a_rewritten_dynamic_loader(bits, tmp_path):
    rewrite(LOADERS[bits], tmp_path / "ld.so")
    process = subprocess.run([tmp_path / "ld.so", "/bin/true"], capture_output=True)
    assert (process.returncode, process.stderr) == (126, REFUSAL)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("options", [[], ["-nostartfiles"]], ids=["with DT_INIT", "without"])
def test_so_does_a_rewritten_library(bits, options, tmp_path):
    """Of a program's own: its DT_INIT asks; one that has none gets one."""
    (tmp_path / "l.c").write_text(LIBRARY)
    (tmp_path / "p.c").write_text("int shared(void); int main(void) { return shared(); }\n")
    mode = ["-m32"] if bits == 32 else []
    library = tmp_path / "libshared.so"
    local = ["-ftls-model=initial-exec", "-fstack-protector-all"]
    subprocess.run(["gcc", *mode, *options, *local, "-shared", "-fPIC", "-o", library, tmp_path / "l.c"], check=True)
    program = tmp_path / "p"
    subprocess.run(["gcc", *mode, "-o", program, tmp_path / "p.c", library], check=True)
    assert subprocess.run([program]).returncode == 1
    assert rewrite(library, library).patched
    process = subprocess.run([program], capture_output=True)
    assert (process.returncode, process.stderr) == (126, REFUSAL)


@pytest.mark.parametrize(("path", "short"), [(LIBC[64], 0.4), (LIBC[32], 0.45), ("/bin/bash", 0), ("/bin/true", 0)])
def test_what_is_left_in_real_files(path, short):
    """All accesses are found in proven code; only short ones and calls of position-independent code stay."""
    result = lbw.rewrite_elf(Path(path).read_bytes())
    every = len(result.patched) + len(result.left)
    assert set(result.reasons) <= {SHORT, OWN_ADDRESS}
    assert sum(result.reasons.values()) <= short * every


def test_system_calls_are_listed(built):
    result = lbw.rewrite_elf(built["static"].read_bytes())
    loaded = memory(built["static"].read_bytes())
    assert len(result.syscalls) > 50
    assert {at(loaded, address, 2) for address in result.syscalls} == {b"\x0f\x05"}
    image = read_image(lambda offset, length: result.data[offset : offset + length])
    base = min(loaded) + image.start
    assert [base + distance for distance in image.syscalls] == result.syscalls


def test_twice_is_an_error(built):
    once = lbw.rewrite_elf(built["pie"].read_bytes()).data
    with pytest.raises(RewriteError, match="rewritten already"):
        lbw.rewrite_elf(once)


def test_a_program_without_sites_stays_as_it_is(tmp_path):
    (tmp_path / "p.s").write_text(".globl _start\n_start: mov $60, %eax\nmov $7, %edi\nsyscall\n")
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", tmp_path / "p", tmp_path / "p.s"], check=True)
    data = (tmp_path / "p").read_bytes()
    result = lbw.rewrite_elf(data)
    assert (result.data, result.patched, result.left, len(result.syscalls)) == (data, [], [], 1)


def assemble(tmp_path: Path, text: str, *options: str) -> lbw.RewriteResult:
    (tmp_path / "p.s").write_text(text)
    command = ["gcc", "-nostdlib", "-static", *options, "-o", tmp_path / "p", tmp_path / "p.s"]
    subprocess.run(command, check=True)
    return lbw.rewrite_elf((tmp_path / "p").read_bytes())


START = ".globl _start\n.type _start, @function\n_start:\n"


def test_a_branch_into_a_site_keeps_it(tmp_path):
    result = assemble(tmp_path, START + "jmp 1f\n.byte 0x64\n1: mov 0x28, %rax\nmov %fs:0x30, %rbx\nhlt\n")
    assert [reason for _, _, reason in result.left] == ["a branch may lead into it"]
    assert len(result.patched) == 1


def test_what_comes_behind_data_is_not_proven(tmp_path):
    text = START + "mov %fs:0x30, %rbx\nhlt\n.byte 6, 6, 6\nmov %fs:0x30, %rcx\nhlt\n.size _start, . - _start\n"
    result = assemble(tmp_path, text)
    assert [reason for _, _, reason in result.left] == ["not proven to be code"]
    assert len(result.patched) == 1


def test_a_stripped_program_is_proven_by_its_unwind_information(built, tmp_path):
    subprocess.run(["strip", "-s", "-o", tmp_path / "p", built["static"]], check=True)
    whole, stripped = (lbw.rewrite_elf(path.read_bytes()) for path in (built["static"], tmp_path / "p"))
    assert len(stripped.patched) >= len(whole.patched) * 0.95


def test_prefixes_without_an_access_are_no_sites(tmp_path):
    result = assemble(tmp_path, START + ".byte 0x64\nnopw 0(%rax)\nlea %fs:0x1234, %rax\nhlt\n")
    assert (result.patched, result.left) == ([], [])


BAD = {
    b"": "not an ELF file",
    b"#!/bin/sh\n": "not an ELF file",
    b"\x7fELF\x02\x01\x01": "not a little-endian ELF file",
    b"\x7fELF\x01\x02\x01" + bytes(60): "not a little-endian ELF file",
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\xb7\0" + bytes(60): "not built for x86-64 or i386",
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0\x3e\0" + bytes(60): "link it first",
}


@pytest.mark.parametrize("data", BAD)
def test_bad_input_is_refused(data):
    with pytest.raises(RewriteError, match=BAD[data]):
        lbw.rewrite_elf(data)


@settings(max_examples=150)
@given(st.data())
def test_damaged_files_are_refused_or_rewritten(built, data):
    original = built["pie"].read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        area = data.draw(st.sampled_from([*AREAS, (len(original) - 2200, len(original))]))
        offset = data.draw(st.integers(*area)) % len(original)
        value = data.draw(st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\x7f", b"\xff" * 4, b"\x01", b"\0\0\0\x80"]))
        damaged[offset : offset + len(value)] = value
    cut = data.draw(st.sampled_from([len(damaged), len(damaged), data.draw(st.integers(0, len(damaged)))]))
    try:
        result = lbw.rewrite_elf(bytes(damaged[:cut]))
    except RewriteError as error:
        assert "\n" not in str(error)
    else:
        assert result.data[:4] == b"\x7fELF"


def test_code_that_changes_is_left(tmp_path):
    """Relocated text, as libraries that are not position-independent have it; segments that are writable."""
    (tmp_path / "l.s").write_text(
        ".globl f\n.type f, @function\nf: mov %gs:mine@ntpoff, %eax\nmov %gs:0x1234, %ecx\nret\n.size f, . - f\n"
        '.section .tbss, "awT", @nobits\n.globl mine\n.type mine, @object\n.size mine, 4\nmine: .zero 4\n'
    )
    library = tmp_path / "l.so"
    options = ["-m32", "-nostdlib", "-shared", "-Wl,-z,notext"]
    subprocess.run(["gcc", *options, "-o", library, tmp_path / "l.s"], check=True)
    result = lbw.rewrite_elf(library.read_bytes())
    assert [reason for _, _, reason in result.left] == [CHANGES]
    assert len(result.patched) == 1
    result = assemble(tmp_path, START + "mov %fs:0x30, %rbx\nhlt\n", "-Wl,-N")
    assert ([reason for _, _, reason in result.left], result.patched) == ([CHANGES], [])
