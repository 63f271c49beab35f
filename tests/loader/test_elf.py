"""Which files are programs: the rules of Linux, and nothing but a FormatError for rubbish."""

from __future__ import annotations

import pytest
from elf_files import BASE, CODE, EHDR, PHDR, dynamic, elf, phdr, program
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EINVAL, EIO, ENOEXEC, LinuxError
from lbw.abi.x86_64 import X86_64
from lbw.loader.elf import parse
from lbw.loader.image import FormatError, Image

MACHINES = ((62, 8),)


def load(data: bytes) -> Image:
    image = parse(lambda offset, length: data[offset : offset + length], MACHINES)
    image.check(len(data), X86_64.task_size)
    return image


def test_static_program():
    image = load(program(bss=100))
    assert not image.position_independent
    assert image.entry == BASE + EHDR + PHDR
    assert image.phdr_vaddr == BASE + EHDR
    assert image.interpreter is None
    assert image.stack_executable is None
    (segment,) = image.segments
    assert (segment.vaddr, segment.offset, segment.prot) == (BASE, 0, 7)
    assert segment.memsz == segment.filesz + 100


def test_dynamic_program():
    image = load(dynamic())
    assert image.position_independent
    assert image.interpreter == b"/lib/ld.so"
    assert image.start == 0
    assert image.abi((X86_64,)) is X86_64


@pytest.mark.parametrize(("flags", "executable"), [(6, False), (7, True)])
def test_stack_flags(flags, executable):
    assert load(program(more=[phdr(0x6474E551, flags, 0, 0, 0, 0)])).stack_executable is executable


@pytest.mark.parametrize(
    ("machine", "ident", "name"),
    [
        (183, b"\2\1\1", "AArch64"),
        (3, b"\1\1\1", "80386"),
        (243, b"\2\1\1", "RISC-V"),
        (8, b"\2\2\1", "MIPS"),
        (62, b"\1\1\1", "x32"),
        (0x1234, b"\2\1\1", "4660"),
    ],
)
def test_other_machines_are_named(machine, ident, name):
    data = bytearray(program(ident=ident))
    order = "little" if ident[1] == 1 else "big"
    data[16:18], data[18:20] = (2).to_bytes(2, order), machine.to_bytes(2, order)
    with pytest.raises(FormatError) as caught:
        load(bytes(data))
    assert caught.value.errno == ENOEXEC
    assert caught.value.reason.startswith("is built for ")
    assert name in caught.value.reason


@pytest.mark.parametrize(
    ("data", "errno", "reason"),
    [
        (b"", ENOEXEC, "neither"),
        (b"echo hello\n", ENOEXEC, "neither"),
        (program()[:40], ENOEXEC, "cut short"),
        (program()[: EHDR + 20], ENOEXEC, "cut short"),
        (program(type=1), ENOEXEC, "no program"),
        (program(type=4), ENOEXEC, "no program"),
        (program(ident=b"\3\1\1"), ENOEXEC, "damaged"),
        (program(ident=b"\2\7\1"), ENOEXEC, "damaged"),
        (program(phentsize=55), ENOEXEC, "damaged"),
        (program(phnum=0), ENOEXEC, "damaged"),
        (program(phnum=0xFFFF), ENOEXEC, "damaged"),
        (program(phnum=1171), ENOEXEC, "damaged"),  # more than 64 kB of program headers
        (program(phnum=1170), ENOEXEC, "cut short"),
        (program(phoff=2**64 - 1), ENOEXEC, "cut short"),
        (elf([phdr(0, 0, 0, 0, 0, 0)]), EINVAL, "nothing to load"),
        (elf([phdr(1, 5, 0, BASE, 120, 119)]), EINVAL, "larger"),
        (elf([phdr(1, 5, 0, 2**63, 120, 120)]), EINVAL, "outside"),
        (elf([phdr(1, 5, 0, BASE, 120, 2**64 - 1)]), EINVAL, "outside"),
        (elf([phdr(1, 5, 1, BASE, 100, 100)]), EINVAL, "misaligned"),
        (elf([phdr(1, 5, 2**64 - 4096, BASE, 4097, 4097)]), ENOEXEC, "cut short"),
        (elf([phdr(1, 5, 0, BASE, 8192, 8192)]), ENOEXEC, "cut short"),
        (program(entry=2**63), EINVAL, "entry point"),
        (dynamic(b"/lib/ld.so"), ENOEXEC, "interpreter"),  # no NUL
        (dynamic(b"\0"), ENOEXEC, "interpreter"),
        (dynamic(b"/" * 4096 + b"\0"), ENOEXEC, "interpreter"),
        (elf([phdr(3, 4, 10**6, 0, 20, 20)]), EIO, "cut short"),
    ],
)
def test_refused(data, errno, reason):
    with pytest.raises(FormatError) as caught:
        load(data)
    assert caught.value.errno == errno
    assert reason in caught.value.reason


def test_many_program_headers_are_fine():
    filler = [phdr(0, 0, 0, 0, 0, 0)] * 1169
    assert load(program(more=filler)).phnum == 1170


SAMPLES = [program(), program(bss=10**12), dynamic(), program(type=3, more=[phdr(0x6474E551, 6, 0, 0, 0, 0)])]


@pytest.mark.parametrize("data", SAMPLES)
def test_cut_short_anywhere(data):
    for length in range(len(data)):
        try:
            load(data[:length])
        except FormatError as error:
            assert error.reason
        else:
            assert length >= EHDR + PHDR  # the tail of the last page reads as zeros


@settings(max_examples=400)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
)
def test_damage_is_refused_or_harmless(data, edits):
    damaged = bytearray(data)
    for position, new in edits:
        damaged[position : position + len(new)] = new
    try:
        image = load(bytes(damaged))
    except LinuxError as error:
        assert isinstance(error, FormatError)
        assert error.reason
        return
    for segment in image.segments:
        assert 0 <= segment.vaddr <= segment.vaddr + segment.memsz <= X86_64.task_size
        assert segment.filesz <= segment.memsz
    assert image.alignment >= 4096
    assert image.alignment & (image.alignment - 1) == 0


@given(st.binary(max_size=300))
def test_rubbish_behind_the_magic(tail):
    with pytest.raises(FormatError):
        load(b"\x7fELF" + tail[:48])
    try:
        load(b"\x7fELF\2\1\1" + tail)
    except FormatError:
        pass


def test_code_is_what_it_says():
    assert program().endswith(CODE)
