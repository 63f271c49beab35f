"""The tree of /proc: processes, descriptors, links, parameters, and who may see what."""

from __future__ import annotations

import pytest
from pseudo_world import CONTENT, World, lay_out, read_all

from lbw.abi.errno import EACCES, EFAULT, EINVAL, EIO, ENOENT, EPERM, ESRCH, LinuxError
from lbw.abi.fcntl import O_CREAT, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY
from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT
from lbw.vfs.operations import (
    chmod,
    mkdir,
    open_file,
    readlink,
    rename,
    resolve,
    rmdir,
    stat,
    symlink,
    unlink,
    utimens,
)
from lbw.vfs.pipe import make_pipe
from lbw.vfs.proc.records import LIMIT


@pytest.fixture
def world() -> World:
    return World()


def read(world: World, path: bytes, ctx=None) -> bytes:
    return read_all(open_file(ctx or world.ctx, path, O_RDONLY, 0))


def failure(action) -> int:
    with pytest.raises(LinuxError) as caught:
        action()
    return caught.value.errno


def names(world: World, path: bytes) -> set[bytes]:
    return {name for name, _, _ in open_file(world.ctx, path, O_RDONLY, 0).entries()}


def test_self(world: World) -> None:
    assert readlink(world.ctx, b"/proc/self") == b"10"
    assert readlink(world.ctx, b"/proc/thread-self") == b"10/task/10"
    assert read(world, b"/proc/self/comm") == b"fake (1)\n"
    world.act_as(world.other)
    assert readlink(world.ctx, b"/proc/self") == b"20"


def test_listing_agrees_with_looking_up(world: World) -> None:
    assert {b"10", b"20", b"self", b"meminfo", b"sys", b".", b".."} <= names(world, b"/proc")
    for directory in (b"/proc", b"/proc/self", b"/proc/self/task", b"/proc/self/task/10", b"/proc/sys/kernel"):
        for name, ino, kind in open_file(world.ctx, directory, O_RDONLY, 0).entries():
            if name not in (b".", b".."):
                found = stat(world.ctx, directory + b"/" + name, follow=False)
                assert (found.ino, found.mode & S_IFMT) == (ino, kind), name


def test_every_text_can_be_read(world: World) -> None:
    def visit(path: bytes) -> None:
        for name, _, kind in open_file(world.ctx, path, O_RDONLY, 0).entries():
            if name in (b".", b"..", b"mem", b"pagemap", b"clear_refs"):
                continue
            if kind == S_IFDIR:
                visit(path + b"/" + name)
            elif kind != S_IFLNK:
                read(world, path + b"/" + name)

    visit(b"/proc")


def test_inode_numbers_differ(world: World) -> None:
    seen: dict[int, bytes] = {}
    for directory in (b"/proc", b"/proc/10", b"/proc/10/task/10", b"/proc/20", b"/proc/sys/kernel", b"/proc/sys"):
        for name, ino, _ in open_file(world.ctx, directory, O_RDONLY, 0).entries():
            if name not in (b".", b".."):
                path = directory + b"/" + name
                assert seen.setdefault(ino, path) == path


def test_inode_numbers_fit_a_small_ino_t(world: World) -> None:
    for directory in (b"/proc", b"/proc/self", b"/proc/self/fd", b"/proc/self/fdinfo", b"/proc/self/task"):
        for name, ino, _ in open_file(world.ctx, directory, O_RDONLY, 0).entries():
            assert 0 < ino < 1 << 32, name


def test_numbers_that_are_no_process(world: World) -> None:
    for name in (b"11", b"010", b"+10", b"99999999999999999999", b"1e1"):
        assert failure(lambda name=name: stat(world.ctx, b"/proc/" + name)) == ENOENT


def test_a_process_that_ends(world: World) -> None:
    file = open_file(world.ctx, b"/proc/20/status", O_RDONLY, 0)
    directory = resolve(world.ctx, b"/proc/20")
    world.other.alive = False
    del world.source.views[20]
    assert failure(lambda: read_all(file)) == ESRCH
    assert failure(lambda: stat(world.ctx, b"/proc/20")) == ENOENT
    assert failure(lambda: stat(world.ctx, b"status", at=directory)) == ENOENT


def test_text_does_not_change_under_a_reader(world: World) -> None:
    file = open_file(world.ctx, b"/proc/self/comm", O_RDONLY, 0)
    buffer = bytearray(4)
    file.read([memoryview(buffer)])
    world.me.comm = b"changed"
    assert bytes(buffer) + read_all(file, 3) == b"fake (1)\n"
    file.seek(0, 0)
    assert read_all(file) == b"changed\n"
    assert failure(lambda: file.seek(0, 2)) == EINVAL


def test_descriptors(world: World) -> None:
    table = world.me.files
    null = open_file(world.ctx, b"/dev/null", O_RDWR, 0)
    table.install(null)
    for end in make_pipe():
        table.install(end)
    path = open_file(world.ctx, b"/tmp", O_PATH, 0)
    table.install(path)
    assert names(world, b"/proc/self/fd") == {b".", b"..", b"0", b"1", b"2", b"3"}
    assert readlink(world.ctx, b"/proc/self/fd/0") == b"/dev/null"
    assert readlink(world.ctx, b"/dev/stdin") == b"/proc/self/fd/0"
    pipe = b"pipe:[%d]" % table.get(1).inode.stat().ino
    assert readlink(world.ctx, b"/proc/self/fd/1") == readlink(world.ctx, b"/proc/self/fd/2") == pipe
    modes = [stat(world.ctx, b"/proc/self/fd/%d" % fd, follow=False).mode & 0o777 for fd in range(4)]
    assert modes == [0o700, 0o500, 0o300, 0]
    assert stat(world.ctx, b"/proc/self/fd/0").rdev == null.inode.stat().rdev
    assert resolve(world.ctx, b"/proc/self/fd/3") is resolve(world.ctx, b"/tmp")
    assert stat(world.ctx, b"/proc/self/fd/3/../dev/zero").rdev  # through the link
    for name in (b"4", b"-1", b"00", b"x"):
        assert failure(lambda name=name: readlink(world.ctx, b"/proc/self/fd/" + name)) == ENOENT


def test_a_pipe_is_opened_again_through_its_link(world: World) -> None:
    reader, writer = make_pipe()
    world.me.files.install(reader)
    world.me.files.install(writer)
    again = open_file(world.ctx, b"/proc/self/fd/1", O_WRONLY | O_NONBLOCK, 0)
    assert again is not writer
    again.write([memoryview(b"second writer")])
    buffer = bytearray(20)
    assert reader.read([memoryview(buffer)]) == 13
    assert stat(world.ctx, b"/proc/self/fd/0").ino == reader.inode.stat().ino


def test_a_closed_descriptor_is_noticed(world: World) -> None:
    table = world.me.files
    table.install(open_file(world.ctx, b"/dev/null", O_RDONLY, 0))
    assert readlink(world.ctx, b"/proc/self/fd/0") == b"/dev/null"
    table.close(0)
    assert failure(lambda: readlink(world.ctx, b"/proc/self/fd/0")) == ENOENT
    table.install(open_file(world.ctx, b"/dev/zero", O_RDONLY, 0))
    assert readlink(world.ctx, b"/proc/self/fd/0") == b"/dev/zero"


def test_a_deleted_file_says_so(world: World) -> None:
    file = open_file(world.ctx, b"/tmp/gone", O_RDWR | 0o100, 0o600)
    file.write([memoryview(b"still here")])
    world.me.files.install(file)
    unlink(world.ctx, b"/tmp/gone")
    assert readlink(world.ctx, b"/proc/self/fd/0") == b"/tmp/gone (deleted)"
    assert read(world, b"/proc/self/fd/0") == b"still here"


def test_links_to_places(world: World) -> None:
    world.ctx.cwd = resolve(world.ctx, b"/tmp")
    world.me.executable = resolve(world.ctx, b"/dev/null")
    assert readlink(world.ctx, b"/proc/self/cwd") == b"/tmp"
    assert readlink(world.ctx, b"/proc/self/root") == b"/"
    assert readlink(world.ctx, b"/proc/self/exe") == b"/dev/null"
    assert resolve(world.ctx, b"/proc/self/cwd") is world.ctx.cwd
    assert failure(lambda: readlink(world.ctx, b"/proc/20/exe")) == ENOENT


def test_privacy(world: World) -> None:
    stranger = world.act_as(world.other)
    for name in (b"environ", b"fd", b"auxv", b"maps", b"mem"):
        assert failure(lambda name=name: open_file(stranger, b"/proc/10/" + name, O_RDONLY, 0)) == EACCES
    for name in (b"cwd", b"root", b"exe"):
        assert failure(lambda name=name: readlink(stranger, b"/proc/10/" + name)) == EACCES
    for name in (b"status", b"stat", b"cmdline", b"comm"):
        assert read(world, b"/proc/10/" + name, stranger) is not None
    assert stat(stranger, b"/proc/20/environ").uid == 1000
    assert read(world, b"/proc/20/environ", stranger) == b""
    world.other.dumpable = False
    assert stat(stranger, b"/proc/20/environ").uid == 0
    root = world.act_as(world.me)
    assert read(world, b"/proc/20/environ", root) == b""


def test_arguments_and_environment(world: World) -> None:
    memory = world.me.memory
    lay_out(memory, b"ls\0-l\0", b"A=1\0B=2\0")
    assert read(world, b"/proc/self/cmdline") == b"ls\0-l\0"
    assert read(world, b"/proc/self/environ") == b"A=1\0B=2\0"
    assert read(world, b"/proc/self/auxv") == b"auxv"
    lay_out(memory, b"a title ", b"of its own\0=2\0")  # a program that overwrote its arguments
    assert read(world, b"/proc/self/cmdline") == b"a title of its own"
    world.me.memory = None  # a zombie
    assert read(world, b"/proc/self/cmdline") == b""


def test_memory(world: World) -> None:
    memory = world.me.memory
    file = open_file(world.ctx, b"/proc/self/mem", O_RDWR, 0)
    file.seek(CONTENT + 0x500, 0)
    file.write([memoryview(b"poked")])
    assert memory.read(CONTENT + 0x500, 5) == b"poked"
    buffer = bytearray(5)
    assert file.pread([memoryview(buffer)], CONTENT + 0x500) == 5 and buffer == b"poked"
    assert file.pread([memoryview(buffer)], CONTENT + 0x1FFD) == 3  # then there is nothing
    assert failure(lambda: file.pread([memoryview(buffer)], 0)) == EIO
    assert failure(lambda: file.pwrite([memoryview(buffer)], 0)) == EIO


@pytest.mark.parametrize("prot", [PROT_NONE, PROT_READ])
def test_memory_that_the_program_cannot_write_is_written_and_stays_so(world: World, prot: int) -> None:
    memory = world.me.memory
    memory.write(CONTENT, b"before")
    memory.mprotect(CONTENT, 0x1000, prot)
    file = open_file(world.ctx, b"/proc/self/mem", O_RDWR, 0)
    assert file.pwrite([memoryview(b"poked")], CONTENT) == 5
    buffer = bytearray(6)
    assert file.pread([memoryview(buffer)], CONTENT) == 6 and buffer == b"pokede"
    assert failure(lambda: memory.write(CONTENT, b"x")) == EFAULT


def test_memory_of_a_program_that_is_gone(world: World) -> None:
    names = (b"mem", b"maps", b"smaps", b"smaps_rollup", b"numa_maps", b"pagemap")
    files = [open_file(world.ctx, b"/proc/self/" + name, O_RDONLY, 0) for name in names]
    memory, world.me.memory = world.me.memory, None
    memory.release()
    assert [file.pread([memoryview(bytearray(8))], 0) for file in files] == [0] * len(files)
    assert read(world, b"/proc/self/maps") == read(world, b"/proc/self/smaps") == b""
    assert failure(lambda: open_file(world.ctx, b"/proc/self/mem", O_RDWR, 0)) == ESRCH
    assert failure(lambda: open_file(world.ctx, b"/proc/self/pagemap", O_RDONLY, 0)) == ESRCH


def test_maps_in_pieces(world: World) -> None:
    memory = world.me.memory
    for index in range(600):
        prot = PROT_READ if index % 2 else PROT_READ | PROT_WRITE
        memory.mmap(0x100000 + index * 0x1000, 0x1000, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    path = b"/proc/self/maps"
    whole = read(world, path)
    assert whole.count(b"\n") == 601
    little = read_all(open_file(world.ctx, b"/proc/self/smaps", O_RDONLY, 0), 100)
    everything = open_file(world.ctx, b"/proc/self/smaps", O_RDONLY, 0)
    assert LIMIT <= everything.read([memoryview(bytearray(1 << 20))]) < LIMIT + 2000 < len(little)
    file = open_file(world.ctx, path, O_RDONLY, 0)
    assert read_all(file, 7) == whole
    buffer = bytearray(100)
    for offset in (5000, 0, 4999, 15000, len(whole) - 10, len(whole), len(whole) + 7, 1):
        count = file.pread([memoryview(buffer)], offset)
        assert buffer[:count] == whole[offset : offset + 100]
    file = open_file(world.ctx, path, O_RDONLY, 0)
    first = bytearray(whole.index(b"\n") + 1)
    file.read([memoryview(first)])
    memory.munmap(0x100000 + 599 * 0x1000, 0x1000)  # the last one: not made yet
    assert first + read_all(file) + whole.splitlines(keepends=True)[-1] == whole


def test_advice_about_the_out_of_memory_killer(world: World) -> None:
    file = open_file(world.ctx, b"/proc/self/oom_adj", O_RDWR, 0)
    for old, new in ((0, 0), (15, 1000), (-17, -1000), (8, 470), (-1, -58)):
        file.pwrite([memoryview(b"%d\n" % old)], 0)
        assert read(world, b"/proc/self/oom_score_adj") == b"%d\n" % new
    for bad in (b"16", b"-18", b"x", b""):
        assert failure(lambda bad=bad: file.pwrite([memoryview(bad)], 0)) == EINVAL
    open_file(world.ctx, b"/proc/self/oom_score_adj", O_WRONLY, 0).write([memoryview(b"300")])
    assert read(world, b"/proc/self/oom_adj") == b"5\n"
    assert read(world, b"/proc/self/oom_score") == b"866\n"


def test_what_clear_refs_takes(world: World) -> None:
    file = open_file(world.ctx, b"/proc/self/clear_refs", O_WRONLY, 0)
    assert [file.write([memoryview(text)]) for text in (b"1", b" 2", b"3 ", b"4\n", b"5")] == [1, 2, 2, 2, 1]
    for bad in (b"0", b"6", b"x", b""):
        assert failure(lambda bad=bad: file.write([memoryview(bad)])) == EINVAL


def test_naming_oneself(world: World) -> None:
    file = open_file(world.ctx, b"/proc/self/comm", O_WRONLY | O_TRUNC, 0)
    assert file.write([memoryview(b"a name that is too long\n")]) == 24
    assert world.me.comm == b"a name that is "
    file.write([memoryview(b"short\n")])
    assert read(world, b"/proc/self/comm") == b"short\n\n"  # Linux keeps the newline too
    assert failure(lambda: open_file(world.ctx, b"/proc/20/comm", O_WRONLY, 0)) == EINVAL


def test_parameters(world: World) -> None:
    assert read(world, b"/proc/sys/kernel/hostname") == b"guest\n"
    file = open_file(world.ctx, b"/proc/sys/kernel/hostname", O_WRONLY | O_TRUNC, 0)
    file.write([memoryview(b"renamed\n")])
    assert read(world, b"/proc/sys/kernel/hostname") == b"renamed\n"
    assert failure(lambda: file.write([memoryview(bytes(65).replace(b"\0", b"x"))])) == EINVAL
    stranger = world.act_as(world.other)
    assert failure(lambda: open_file(stranger, b"/proc/sys/kernel/hostname", O_WRONLY, 0)) == EACCES
    boot = b"/proc/sys/kernel/random/boot_id"
    uuid = b"/proc/sys/kernel/random/uuid"
    assert read(world, boot) == read(world, boot) != read(world, uuid) != read(world, uuid)
    assert [len(part) for part in read(world, uuid).strip().split(b"-")] == [8, 4, 4, 4, 12]
    assert read(world, b"/proc/sys/fs/pipe-max-size") == b"1048576\n"


def test_parameters_of_the_kernel(world: World) -> None:
    made_up = b"/proc/sys/kernel/made/up"
    file = open_file(world.ctx, made_up, O_WRONLY | O_TRUNC, 0)

    def write(data: bytes) -> bytes:
        file.write([memoryview(data)])
        return read(world, made_up)

    assert read(world, made_up) == b"1\t2\t3\n"
    assert write(b"9 8\n") == b"9\t8\t3\n"
    assert write(b" 0x10\t010 100 5") == b"16\t8\t100\n"
    assert write(b"") == b"16\t8\t100\n"
    for bad in (b" \n", b"1\0", b"1 2 101", b"-1", b"x", b"1x", b"1_0", b"--1", b"+1", b"08"):
        assert failure(lambda bad=bad: write(bad)) == EINVAL
    assert read(world, made_up) == b"16\t8\t100\n"
    assert failure(lambda: open_file(world.ctx, b"/proc/sys/kernel/fixed", O_WRONLY, 0)) == EACCES
    open_file(world.ctx, b"/proc/sys/fs/pipe-max-size", O_WRONLY, 0).write([memoryview(b"5000\n")])
    assert read(world, b"/proc/sys/fs/pipe-max-size") == b"8192\n"


def test_nothing_can_be_made_or_removed(world: World) -> None:
    ctx = world.ctx
    assert failure(lambda: open_file(ctx, b"/proc/new", O_RDWR | O_CREAT, 0o600)) == ENOENT
    assert failure(lambda: mkdir(ctx, b"/proc/new", 0o700)) == ENOENT
    assert failure(lambda: symlink(ctx, b"target", b"/proc/self/new")) == ENOENT
    assert failure(lambda: rename(ctx, b"/proc/uptime", b"/proc/new")) == ENOENT
    assert failure(lambda: rename(ctx, b"/proc/uptime", b"/proc/version")) == EPERM
    assert failure(lambda: unlink(ctx, b"/proc/meminfo")) == EPERM
    assert failure(lambda: rmdir(ctx, b"/proc/sys")) == EPERM


def test_writing_what_cannot_be_written(world: World) -> None:
    file = open_file(world.ctx, b"/proc/uptime", O_WRONLY | O_TRUNC, 0)  # root may open anything
    assert failure(lambda: file.write([memoryview(b"x")])) == EIO
    for flags in (O_WRONLY, O_WRONLY | O_TRUNC):
        assert failure(lambda flags=flags: open_file(world.ctx, b"/proc/sys/kernel/ostype", flags, 0)) == EACCES


def test_attributes(world: World) -> None:
    ctx = world.ctx
    for path in (b"/proc/self/status", b"/proc/sys/kernel/ostype", b"/proc/self"):
        assert failure(lambda path=path: chmod(ctx, resolve(ctx, path), 0o600)) == EPERM
        utimens(ctx, resolve(ctx, path), 1, 1)
    chmod(ctx, resolve(ctx, b"/proc/version"), 0o400)
    assert stat(ctx, b"/proc/version").mode & 0o777 == 0o400
