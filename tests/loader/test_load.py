"""From a path to a program that runs, on the real address space and processor, with files in a tmpfs."""

from __future__ import annotations

import pytest
from elf_files import BASE, CODE, EHDR, PHDR, dynamic, elf, phdr, program

from lbw.abi.auxv import AT_BASE, AT_ENTRY, AT_PHDR, AT_PHNUM, AT_SECURE, AT_UID
from lbw.abi.cpuid import Identity
from lbw.abi.errno import (
    E2BIG,
    EACCES,
    ELIBBAD,
    ELOOP,
    ENOENT,
    ENOEXEC,
    ENOMEM,
    ENOTDIR,
    LinuxError,
)  # fmt: skip
from lbw.abi.fcntl import O_CREAT, O_TRUNC, O_WRONLY
from lbw.abi.fs import MS_NOEXEC, MS_NOSUID
from lbw.abi.mman import MAP_GROWSDOWN, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import PAGE_FAULT, RAX, SYSCALL
from lbw.loader.image import FormatError
from lbw.loader.images import Images
from lbw.loader.load import Hardware, load_program
from lbw.loader.privileges import credentials_after_exec
from lbw.loader.program import find_program
from lbw.vfs.credentials import Credentials
from lbw.vfs.operations import chmod, mkdir, open_file, resolve
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs

RANDOM = bytes(range(16))


class World:
    """A tree in memory, and programs started from it."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.vfs = Vfs(TmpFileSystem(frames=bench.frames))
        self.ctx = self.vfs.context()
        self.images = Images((X86_64,))
        mkdir(self.ctx, b"/lib", 0o755)

    def put(self, path: bytes, data: bytes, mode: int = 0o755) -> None:
        file = open_file(self.ctx, path, O_WRONLY | O_CREAT | O_TRUNC, mode).acquire()
        file.write([memoryview(data)])
        file.release()
        chmod(self.ctx, resolve(self.ctx, path), mode)

    def find(self, path: bytes, argv=(b"name",), **keywords):
        return find_program(self.ctx, self.images, resolve(self.ctx, path), path, list(argv), **keywords)

    def load(self, path: bytes, argv=(b"name",), envp=(), stack_limit=8 << 20, secure=False):
        program = self.find(path, argv)
        space = self.bench.space()
        loaded = load_program(
            space, program, list(envp), self.ctx.credentials, secure=secure, page_cache=self.bench.page_cache,
            hardware=Hardware(Identity(fsgsbase=True)), stack_limit=stack_limit, random=RANDOM,
        )  # fmt: skip
        return space, loaded

    def run_to_syscall(self, space, loaded) -> int:
        engine = self.bench.engine
        context = engine.create_context(space.mmu)
        context.reset(loaded.entry, loaded.stack_pointer)
        while True:
            engine.resume(context)
            _, trap = engine.wait()
            if trap.kind == SYSCALL:
                return context.registers[RAX]
            assert trap.kind == PAGE_FAULT
            space.fault(trap.address, trap.error_code)


@pytest.fixture
def world(bench) -> World:
    return World(bench)


def auxv(space) -> dict[int, int]:
    words = [int.from_bytes(space.auxv[i : i + 8], "little") for i in range(0, len(space.auxv), 8)]
    return dict(zip(words[::2], words[1::2], strict=True))


def errno_of(call, *arguments, **keywords) -> int:
    with pytest.raises(LinuxError) as caught:
        call(*arguments, **keywords)
    return caught.value.errno


# Loading


def test_static_program_runs(world):
    world.put(b"/p", program())
    space, loaded = world.load(b"/p")
    assert loaded.entry == BASE + EHDR + PHDR
    assert world.run_to_syscall(space, loaded) == 60
    vector = auxv(space)
    assert vector[AT_PHDR] == BASE + EHDR
    assert (vector[AT_PHNUM], vector[AT_BASE], vector[AT_ENTRY]) == (1, 0, loaded.entry)
    assert space.read(vector[AT_PHDR], 8) == program()[EHDR : EHDR + 8]


def test_position_independent_program_with_interpreter(world):
    world.put(b"/lib/ld.so", program(type=3))
    world.put(b"/p", dynamic())
    space, loaded = world.load(b"/p")
    vector = auxv(space)
    assert vector[AT_PHDR] == X86_64.pie_base + EHDR
    assert loaded.entry == vector[AT_BASE] + EHDR + PHDR
    assert vector[AT_ENTRY] == X86_64.pie_base + EHDR + 2 * PHDR
    assert world.run_to_syscall(space, loaded) == 60


def test_images_land_at_the_same_place_every_time(world):
    world.put(b"/lib/ld.so", program(type=3))
    world.put(b"/lib/other.so", program(CODE + b"other", type=3))
    world.put(b"/p", dynamic())
    world.put(b"/q", dynamic(b"/lib/other.so\0"))
    first = auxv(world.load(b"/p")[0])
    other = auxv(world.load(b"/q")[0])
    assert auxv(world.load(b"/p")[0]) == first
    assert other[AT_BASE] != first[AT_BASE]


def test_bss_is_zero_and_the_heap_follows(world):
    body = CODE + b"\xff" * 100  # what follows the segment in its last page must not show
    size = EHDR + PHDR + len(CODE)
    world.put(b"/p", elf([phdr(1, 7, 0, BASE, size, size + 10000)], body))
    space, _ = world.load(b"/p")
    assert space.read(BASE + size, 10000) == bytes(10000)
    assert space.start_brk == space.brk_end == (BASE + size + 10000 + 4095) & ~4095
    assert space.brk(space.start_brk + 5000) == space.start_brk + 5000


def test_enormous_bss_costs_nothing(world):
    world.bench.frames.limit = 4096
    world.put(b"/p", program(bss=14 << 20))
    space, _ = world.load(b"/p")
    assert space.read(BASE + (13 << 20), 4) == bytes(4)


def test_segments_get_their_protection(world):
    pages = [phdr(1, flags, 4096 * i, BASE + 4096 * i, 4096, 4096) for i, flags in enumerate((4, 5, 6, 0))]
    world.put(b"/p", elf(pages, bytes(4 * 4096)))
    space, _ = world.load(b"/p")
    prots = [space.find(BASE + 4096 * i).prot for i in range(4)]
    assert prots == [PROT_READ, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE, 0]


@pytest.mark.parametrize(("more", "executable"), [([], 0), ([6], 0), ([7], PROT_EXEC)])
def test_stack(world, more, executable):
    world.put(b"/p", program(more=[phdr(0x6474E551, flags, 0, 0, 0, 0) for flags in more]))
    space, loaded = world.load(b"/p", [b"a", b"bc"], [b"X=1"])
    vma = space.find(loaded.stack_pointer)
    assert vma.end == X86_64.stack_top
    assert vma.flags & MAP_GROWSDOWN
    assert vma.name == b"[stack]"
    assert vma.prot & PROT_EXEC == executable
    assert space.start_stack == loaded.stack_pointer
    assert space.read_u64(loaded.stack_pointer) == 2
    assert space.read(space.arg_start, space.arg_end - space.arg_start) == b"a\0bc\0"
    assert space.read(space.env_start, space.env_end - space.env_start) == b"X=1\0"
    space.write(loaded.stack_pointer - (1 << 20), b"grows")


def test_big_arguments(world):
    world.put(b"/p", program())
    space, loaded = world.load(b"/p", [b"x" * 100_000] * 15)
    assert space.read_u64(loaded.stack_pointer) == 15
    assert errno_of(world.load, b"/p", [b"x" * 131072]) == E2BIG
    assert errno_of(world.load, b"/p", [b"x" * 100_000] * 22) == E2BIG


def test_no_arguments_become_one(world):
    world.put(b"/p", program())
    space, loaded = world.load(b"/p", [])
    assert space.read_u64(loaded.stack_pointer) == 1
    assert space.read(space.arg_start, 1) == b"\0"


@pytest.mark.parametrize(
    ("data", "errno"),
    [
        (elf([phdr(1, 5, 0, 0, 100, 100)]), ENOMEM),  # below vm.mmap_min_addr
        (elf([phdr(1, 7, 0, BASE, 100, 0x7FFF_FFFF_F000 - BASE)]), ENOMEM),  # over the stack
        (elf([phdr(1, 7, 0, 0, 100, 100), phdr(1, 7, 0, 0x7F00_0000_0000, 1, 1)], type=3), ENOMEM),
        (elf([phdr(1, 7, 0, 0, 100, 100, 1 << 62)], type=3), ENOMEM),
    ],
)
def test_no_room(world, data, errno):
    world.put(b"/p", data)
    assert errno_of(world.load, b"/p") == errno


def test_identity_reaches_the_program(world):
    world.put(b"/p", program())
    world.ctx.credentials = Credentials(1000, 1000)
    space, _ = world.load(b"/p", secure=True)
    assert (auxv(space)[AT_UID], auxv(space)[AT_SECURE]) == (1000, 1)


# Finding


def test_scripts(world):
    world.put(b"/p", program())
    world.put(b"/s1", b"#!/p -x y\n")
    world.put(b"/s2", b"#! /s1\n")
    found = world.find(b"/s2", [b"zero", b"one"])
    assert found.argv == [b"/p", b"-x y", b"/s1", b"/s2", b"one"]
    assert found.filename == b"/s2"
    assert found.comm == b"s2"
    assert found.location is resolve(world.ctx, b"/p")


@pytest.mark.parametrize(("depth", "fits"), [(5, True), (6, False)])
def test_scripts_of_scripts(world, depth, fits):
    world.put(b"/s0", program())
    for level in range(1, depth + 1):
        world.put(b"/s%d" % level, b"#!/s%d\n" % (level - 1))
    if fits:
        assert len(world.find(b"/s%d" % depth).argv) == depth + 1
    else:
        assert errno_of(world.find, b"/s%d" % depth) == ELOOP


def test_script_that_nobody_could_open(world):
    world.put(b"/p", program())
    world.put(b"/s", b"#!/p\n")
    assert errno_of(world.find, b"/s", unreachable=True) == ENOENT
    assert world.find(b"/p", unreachable=True).image


def test_comm_is_cut(world):
    world.put(b"/lib/a-rather-long-name", program())
    assert world.find(b"/lib/a-rather-long-name").comm == b"a-rather-long-n"


@pytest.mark.parametrize(
    ("interpreter", "errno", "reason"),
    [
        (b"/lib/missing", ENOENT, "/lib/missing, which does not exist"),
        (b"/text/x", ENOTDIR, "does not exist"),
        (b"/text", ELIBBAD, "/text, which is neither"),
        (b"/script", ELIBBAD, "does not fit"),
        (b"/arm", ELIBBAD, "AArch64"),
        (b"/cut", ELIBBAD, "cut short"),
    ],
)
def test_bad_interpreters(world, interpreter, errno, reason):
    world.put(b"/text", b"text")
    world.put(b"/script", b"#!/bin/sh\n")
    world.put(b"/arm", program(machine=183))
    world.put(b"/cut", program()[:100])
    world.put(b"/p", dynamic(interpreter + b"\0"))
    with pytest.raises(FormatError) as caught:
        world.find(b"/p")
    assert caught.value.errno == errno
    assert reason in caught.value.reason


def test_script_without_its_interpreter(world):
    world.put(b"/s", b"#!/bin/nothing\n")
    with pytest.raises(FormatError) as caught:
        world.find(b"/s")
    assert caught.value.errno == ENOENT
    assert "/bin/nothing" in caught.value.reason


def test_permission(world):
    world.put(b"/p", program(), 0o644)
    assert errno_of(world.find, b"/p") == EACCES  # not even root
    world.put(b"/p", program(), 0o700)
    assert world.find(b"/p")
    world.ctx.credentials = Credentials(1000, 1000)
    assert errno_of(world.find, b"/p") == EACCES
    assert errno_of(world.find, b"/lib") == EACCES


def test_interpreter_needs_permission_too(world):
    world.put(b"/lib/ld.so", program(type=3), 0o644)
    world.put(b"/p", dynamic())
    assert errno_of(world.find, b"/p") == EACCES


def test_noexec_mount(world):
    mkdir(world.ctx, b"/mnt", 0o755)
    world.vfs.mount(TmpFileSystem(frames=world.bench.frames), resolve(world.ctx, b"/mnt"), MS_NOEXEC)
    world.put(b"/mnt/p", program())
    assert errno_of(world.find, b"/mnt/p") == EACCES


def test_rubbish_is_enoexec(world):
    world.put(b"/empty", b"")
    world.put(b"/text", b"hello")
    assert errno_of(world.find, b"/empty") == ENOEXEC
    assert errno_of(world.find, b"/text") == ENOEXEC


# Privileges


def after(world, mode, uid=1000, path=b"/p", **attributes):
    world.put(path, program(), mode)
    old = Credentials(uid, uid)
    for name, value in attributes.items():
        setattr(old, name, value)
    return credentials_after_exec(old, resolve(world.ctx, path))


def test_ordinary_program(world):
    new, secure = after(world, 0o755)
    assert (new.euid, new.effective, secure) == (1000, 0, False)
    new, secure = after(world, 0o755, 0)
    assert new.effective == new.permitted == new.bounding
    assert not secure


def test_set_user_id(world):
    new, secure = after(world, 0o4755)
    assert (new.ruid, new.euid, new.suid, new.fsuid) == (1000, 0, 0, 0)
    assert new.effective == new.bounding
    assert secure


def test_set_group_id_needs_group_execute(world):
    assert after(world, 0o2755)[0].egid == 0
    assert after(world, 0o2745)[0].egid == 1000


def test_no_new_privileges(world):
    new, secure = after(world, 0o6755, no_new_privileges=True)
    assert (new.euid, new.egid, secure) == (1000, 1000, False)


def test_nosuid_mount(world):
    mkdir(world.ctx, b"/mnt", 0o755)
    world.vfs.mount(TmpFileSystem(frames=world.bench.frames), resolve(world.ctx, b"/mnt"), MS_NOSUID)
    assert after(world, 0o4755, path=b"/mnt/p")[0].euid == 1000


def test_capabilities_do_not_survive_without_root(world):
    new, secure = after(world, 0o755, permitted=0xFF, effective=0xFF)
    assert (new.permitted, new.effective, secure) == (0, 0, False)
    new, _ = after(world, 0o755, permitted=1, inheritable=1, ambient=1)
    assert (new.permitted, new.effective) == (1, 1)


