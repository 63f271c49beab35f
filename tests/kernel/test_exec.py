"""execve: what changes, what stays, what a failure leaves alone."""

from __future__ import annotations

from struct import pack

import pytest
from kernel_harness import DATA, SIZE, Guest, exit_code

from lbw.abi.errno import E2BIG, EACCES, EFAULT, ENOENT, ENOEXEC, ENOMEM, ETXTBSY, LinuxError
from lbw.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_RDONLY, O_WRONLY
from lbw.abi.mman import MAP_ANONYMOUS, MAP_PRIVATE
from lbw.abi.sched import CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM
from lbw.abi.signal import SIGCHLD, SIGUSR1, SIGUSR2
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import RSP
from lbw.cpu.scripted import Call
from lbw.errors import NotExecutableError, ProgramNotFoundError
from lbw.kernel.fds import FileTable
from lbw.vfs.credentials import Credentials

PATH, ARGV, ENVP = DATA, DATA + 0x1000, DATA + 0x2000


def elf(entry: int) -> bytes:
    """Return a static program of one page that begins at `entry`, which need not be inside."""
    header = b"\x7fELF\2\1\1" + bytes(9) + pack("<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return (header + pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 4096, 4096, 4096)).ljust(4096, b"\0")


def put(guest: Guest, name: bytes, content: bytes, mode: int = 0o755, uid: int = 0):
    """Create a file in the root."""
    inode = guest.vfs.context().root.inode.create(name, 0o100000 | mode, uid, uid)
    file = inode.open(O_WRONLY).acquire()
    file.pwrite([memoryview(bytearray(content))], 0)
    file.release()
    return inode


def strings(guest, address, *texts):
    """Store an array of strings at `address`."""
    at, pointers = address + 0x100, []
    for text in texts:
        pointers.append(at)
        guest.memory.write(at, text + b"\0")
        at += len(text) + 1
    guest.memory.write(address, pack(f"<{len(pointers) + 1}Q", *pointers, 0))
    return address


def execve(guest, path, *argv, envp=()):
    """Script fragment: execute `path`."""
    guest.string(PATH, path)
    arguments = strings(guest, ARGV, *(argv or (path,)))
    return (yield Call("execve", PATH, arguments, strings(guest, ENVP, *envp)))


def test_the_new_program_sees_its_arguments(guest):
    def program(cpu):
        memory = guest.memory
        stack = cpu.registers[RSP]
        assert memory.read_u64(stack) == 2
        first, second = memory.read_u64(stack + 8), memory.read_u64(stack + 16)
        assert (memory.read_cstring(first, 99), memory.read_cstring(second, 99)) == (b"/prog", b"x")
        assert memory.find(DATA) is None
        assert (yield Call("getpid")) == 2
        task = guest.kernel.current
        assert (task.comm, task.process.comm, task.process.argv) == (b"prog", b"prog", [b"/prog", b"x"])
        return 5

    put(guest, b"prog", elf(guest.script_at(program)))

    def main(cpu):
        yield from execve(guest, b"/prog", b"/prog", b"x", envp=(b"A=1",))
        raise AssertionError("execve returned")

    assert exit_code(guest.run(main)) == 5
    assert guest.engine.mmus == 0


def test_close_on_exec_and_signal_actions(guest):
    def handler(cpu):
        yield Call("getpid")

    def program(cpu):
        assert (yield Call("close", 0)) == 0
        assert (yield Call("close", 1)) == -9
        actions = guest.kernel.current.process.actions
        assert (actions[SIGUSR1].handler, actions[SIGUSR2].handler) == (0, 1)

    put(guest, b"prog", elf(guest.script_at(program)))

    def main(cpu):
        guest.string(PATH, b"/prog")
        assert (yield Call("open", PATH, O_RDONLY, 0)) == 0
        assert (yield Call("open", PATH, O_RDONLY | O_CLOEXEC, 0)) == 1
        yield from guest.handle(SIGUSR1, handler)
        yield from guest.handle(SIGUSR2, 1)
        yield from execve(guest, b"/prog")

    assert exit_code(guest.run(main)) == 0


def test_failures_leave_the_caller_untouched(guest):
    put(guest, b"text", b"hello\n")
    put(guest, b"private", elf(0x1000), mode=0o700)
    put(guest, b"noexec", elf(0x1000), mode=0o644)
    put(guest, b"cut", elf(0x1000)[:100])
    guest.vfs.context().root.inode.mkdir(b"dir", 0o755, 0, 0)
    busy = put(guest, b"busy", elf(0x1000)).open(O_WRONLY).acquire()

    def main(cpu):
        memory = guest.memory
        for path, errno in (
            (b"/nothing", ENOENT), (b"", ENOENT), (b"/text", ENOEXEC), (b"/private", EACCES), (b"/noexec", EACCES),
            (b"/cut", ENOEXEC), (b"/dir", EACCES), (b"/busy", ETXTBSY),
        ):  # fmt: skip
            assert (yield from execve(guest, path)) == -errno, path
        guest.string(PATH, b"/text")
        assert (yield Call("execve", 0x10, 0, 0)) == -EFAULT
        assert (yield Call("execve", PATH, 0x10, 0)) == -EFAULT
        assert guest.memory is memory
        assert guest.kernel.current.comm == b""

    assert exit_code(guest.run(main, uid=1000)) == 0
    busy.release()


def test_endless_arguments_and_missing_memory_leave_the_caller_untouched(guest):
    inode = put(guest, b"prog", elf(0x1000))

    def main(cpu):
        guest.string(PATH, b"/prog")
        for address in range(DATA + 0x1000, DATA + SIZE, 8):
            guest.memory.write_u64(address, PATH)
        assert (yield Call("execve", PATH, DATA + 0x1000, 0)) == -EFAULT  # no NULL before the end of the mapping
        big = yield Call("mmap", 0, 1 << 24, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        for address in range(big, big + (2 << 20), 4096):
            guest.memory.write(address, PATH.to_bytes(8, "little") * 512)
        assert (yield Call("execve", PATH, big, 0)) == -E2BIG
        create = guest.kernel._create_memory
        guest.kernel._create_memory = no_memory
        assert (yield Call("execve", PATH, 0, 0)) == -ENOMEM
        guest.kernel._create_memory = create
        guest.vfs.require_writable(inode)  # nobody is said to execute it

    assert exit_code(guest.run(main)) == 0


def no_memory(abi):
    raise LinuxError(ENOMEM)


def test_vfork_child_lets_its_parent_go_when_it_executes(guest):
    order = []

    def program(cpu):
        order.append("program")
        yield Call("nanosleep", 0, 0)
        return 6

    put(guest, b"prog", elf(guest.script_at(program)))

    def child(cpu):
        order.append("child")
        yield Call("sched_yield")
        yield from execve(guest, b"/prog")

    def main(cpu):
        pid = yield Call("clone", CLONE_VM | CLONE_VFORK | SIGCHLD, DATA + 0x8000, child=child)
        order.append("parent")
        assert guest.memory.find(DATA) is not None
        assert (yield Call("wait4", pid, DATA, 0, 0)) == pid
        assert guest.memory.read_u32(DATA) == 6 << 8

    assert exit_code(guest.run(main)) == 0
    assert order[0] == "child"
    assert set(order) == {"child", "parent", "program"}


def test_exec_in_a_thread_ends_the_others(guest):
    def program(cpu):
        assert (yield Call("getpid")) == (yield Call("gettid")) == 2
        assert len(guest.kernel.tasks) == 1
        return 7

    put(guest, b"prog", elf(guest.script_at(program)))

    def thread(cpu):
        yield from execve(guest, b"/prog")

    def main(cpu):
        flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
        yield Call("clone", flags, DATA + 0x8000, child=thread)
        yield Call("pause")

    assert exit_code(guest.run(main)) == 7


def test_scripts(guest):
    def program(cpu):
        assert guest.kernel.current.process.argv == [b"/interp", b"-x y", b"/script", b"arg"]
        assert guest.kernel.current.comm == b"script"
        yield Call("getpid")
        return 8

    put(guest, b"interp", elf(guest.script_at(program)))
    put(guest, b"script", b"#! /interp -x y \nwhatever\n")

    def main(cpu):
        yield from execve(guest, b"/script", b"name", b"arg")

    assert exit_code(guest.run(main)) == 8


def test_set_user_id(guest):
    def program(cpu):
        assert (yield Call("geteuid")) == 0
        assert (yield Call("getuid")) == 1000

    put(guest, b"su", elf(guest.script_at(program)), mode=0o4755)

    def main(cpu):
        assert (yield Call("geteuid")) == 1000
        yield from execve(guest, b"/su")

    assert exit_code(guest.run(main, uid=1000)) == 0


def test_execveat_by_descriptor(guest):
    def program(cpu):
        yield Call("getpid")
        return 9

    put(guest, b"prog", elf(guest.script_at(program)))

    def main(cpu):
        guest.string(PATH, b"/prog")
        fd = yield Call("open", PATH, O_RDONLY, 0)
        empty = guest.string(PATH, b"")
        assert (yield Call("execveat", fd, empty, 0, 0, 0)) == -ENOENT
        assert (yield Call("execveat", AT_FDCWD, empty, 0, 0, AT_EMPTY_PATH)) == -EACCES
        yield Call("execveat", fd, empty, strings(guest, ARGV, b"p"), 0, AT_EMPTY_PATH)

    assert exit_code(guest.run(main)) == 9


def test_starting_the_main_program(guest):
    def program(cpu):
        yield Call("getpid")
        return 3

    put(guest, b"prog", elf(guest.script_at(program)))
    put(guest, b"text", b"no program")
    ctx = guest.vfs.context(Credentials())
    for path, error in ((b"/nothing", ProgramNotFoundError), (b"/text", NotExecutableError)):
        with pytest.raises(error):
            guest.kernel.start(X86_64, ctx, FileTable(), path, [path], [])
    assert guest.engine.mmus == 0
    guest.kernel.start(X86_64, ctx, FileTable(), b"/prog", [b"prog"], [])
    assert exit_code(guest.kernel.run()) == 3
