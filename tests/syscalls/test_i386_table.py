"""The i386 table without a guest: how registers become arguments, and what the rows of its own do."""

from __future__ import annotations

from struct import pack, unpack

import pytest
from desk import PAPER, Desk

from lbw.abi.errno import EFAULT, EINVAL, ENOSYS, EOVERFLOW, EPERM, LinuxError
from lbw.abi.i386 import I386
from lbw.abi.x86_64 import X86_64
from lbw.syscalls.i386.ids import narrow_id, wide_id
from lbw.syscalls.i386.stat import store_compat_stat, store_old_stat, store_stat64
from lbw.syscalls.loading import load_rows, load_table
from lbw.syscalls.parameters import Int, Long, Offset, OptionalPath, Path, Pointer, Position, Size, UInt
from lbw.syscalls.table import Row
from lbw.vfs.inode import Stat

RUBBISH = 0xDEADBEEF << 32
ROWS = load_rows(I386)


class Desk32(Desk):
    """A desk whose first task runs a 32-bit program; registers have rubbish above their low halves."""

    def __init__(self) -> None:
        super().__init__()
        self.task.abi = I386

    def call(self, name: str, *arguments: int) -> int:  # type: ignore[override]
        registers = [RUBBISH] * 17
        for register, argument in zip(I386.argument_registers, arguments, strict=False):
            registers[register] = RUBBISH | argument & 0xFFFFFFFF
        try:
            return ROWS[name].entry(I386)(self.task, registers)  # type: ignore[return-value]
        except LinuxError as error:
            return -error.errno


@pytest.fixture
def desk() -> Desk32:
    return Desk32()


def converted(abi, registers: dict[int, int], *parameters) -> list[object]:
    """Return what a handler with `parameters` gets."""
    got: list[object] = []
    row = Row("test", parameters, lambda task, *arguments: got.extend(arguments) or 0, 0, "", "")
    values = [RUBBISH if abi is I386 else 0] * 17
    for index, value in registers.items():
        values[abi.argument_registers[index]] |= value
    row.entry(abi)(None, values)
    assert len(row.arguments(abi, None, values)) == len(parameters)
    return got


def test_words_lose_their_upper_half():
    arguments = {0: 0xFFFFFFFF, 1: 0xFFFFFFFF, 2: 0xFFFFFFFF, 3: 0x80000000, 4: 0xFFFFFFFF}
    got = converted(I386, arguments, Int("a"), UInt("b"), Long("c"), Size("d"), Pointer("e"))
    assert got == [-1, 0xFFFFFFFF, -1, 0x80000000, 0xFFFFFFFF]


def test_an_offset_is_one_register_or_two():
    assert converted(X86_64, {0: 1, 1: 2**64 - 5, 2: 7}, Int("a"), Offset("b"), Int("c")) == [1, -5, 7]
    assert converted(I386, {0: 1, 1: 5, 2: 3, 3: 7}, Int("a"), Offset("b"), Int("c")) == [1, 3 << 32 | 5, 7]
    assert converted(I386, {0: 0xFFFFFFFB, 1: 0xFFFFFFFF}, Offset("a")) == [-5]


def test_a_position_is_always_two_registers():
    assert converted(X86_64, {0: 6, 1: 99, 2: 7}, Position("a"), Int("b")) == [6, 7]
    assert converted(I386, {0: 6, 1: 1, 2: 7}, Position("a"), Int("b")) == [1 << 32 | 6, 7]


@pytest.mark.parametrize("kind", (Path, OptionalPath))
def test_the_address_of_a_path_is_a_word(kind):
    expressions = [kind("a").expression(abi, (3,)) for abi in (X86_64, I386)]
    assert "0xFFFFFFFF" not in expressions[0]
    assert expressions[1].count("0xFFFFFFFF") == expressions[1].count("r[3]")


def test_both_tables_are_complete():
    for abi in (X86_64, I386):
        for number, row in enumerate(load_table(abi)):
            if row is not None:
                assert abi.numbers[row.name] == number
                assert sum(parameter.words(abi) for parameter in row.parameters) <= 6, row.name
                assert callable(row.entry(abi))


def test_what_x86_64_has_i386_has_too():
    elsewhere = {"accept", "newfstatat", "semop", "semtimedop"}  # through socketcall; fstatat64; ipc
    elsewhere |= {"tuxcall", "security", "epoll_ctl_old", "epoll_wait_old"}  # numbers without a call
    assert {name for name in load_rows(X86_64) if name not in ROWS} <= elsewhere


def attributes(**changes: int) -> Stat:
    values = {
        "ino": 7, "mode": 0o100644, "dev": 0x803, "nlink": 2, "uid": 70000, "gid": 5, "rdev": 0x103, "size": 1234,
        "blksize": 4096, "blocks": 8, "atime": 1_000_000_005, "mtime": 2_000_000_006,
        "ctime": 5_000_000_000_000_000_000,
    }  # fmt: skip
    return Stat(**{**values, **changes})


def test_stat64(desk):
    store_stat64(desk.task, PAPER, attributes(ino=0x1_0000_0007, size=5 << 32))
    data = desk.memory.read(PAPER, 96)
    assert unpack("<Q4xIIIIIQ", data[:40]) == (0x803, 7, 0o100644, 2, 70000, 5, 0x103)
    assert unpack("<qIQ", data[44:64]) == (5 << 32, 4096, 8)
    assert unpack("<6IQ", data[64:]) == (1, 5, 2, 6, 5_000_000_000 & 0xFFFFFFFF, 0, 0x1_0000_0007)


def test_compat_stat(desk):
    store_compat_stat(desk.task, PAPER, attributes())
    data = desk.memory.read(PAPER, 64)
    assert unpack("<II4HI4I", data[:36]) == (0x803, 7, 0o100644, 2, 65534, 5, 0x103, 1234, 4096, 8, 1)


@pytest.mark.parametrize("change", ({"size": 1 << 31}, {"ino": 1 << 32}, {"nlink": 1 << 16}), ids=str)
def test_what_struct_stat_cannot_hold(desk, change):
    with pytest.raises(LinuxError) as failed:
        store_compat_stat(desk.task, PAPER, attributes(**change))
    assert failed.value.errno == EOVERFLOW


def test_old_stat_has_small_inode_numbers(desk):
    store_old_stat(desk.task, PAPER, attributes(size=5 << 32))
    assert unpack("<7H2x4I", desk.memory.read(PAPER, 32))[7:] == (0, 1, 2, 5_000_000_000 & 0xFFFFFFFF)
    with pytest.raises(LinuxError) as failed:
        store_old_stat(desk.task, PAPER, attributes(ino=1 << 16))
    assert failed.value.errno == EOVERFLOW


def test_ids():
    assert [narrow_id(number) for number in (0, 65535, 65536, 1 << 31)] == [0, 65535, 65534, 65534]
    assert [wide_id(number) for number in (0, 5, 65534, 65535)] == [0, 5, 65534, 0xFFFFFFFF]


def test_ids_of_a_task(desk):
    desk.become(70000)
    assert desk.call("getuid") == 65534
    assert desk.call("getuid32") == 70000
    assert desk.call("getresuid", PAPER, PAPER + 2, PAPER + 4) == 0
    assert desk.memory.read(PAPER, 6) == pack("<3H", 65534, 65534, 65534)
    assert desk.call("setuid", 65535) == -EINVAL
    assert desk.call("setresuid", 65535, 65535, 65535) == 0
    assert desk.call("setuid32", 5) == -EPERM


def test_times(desk):
    assert desk.call("clock_gettime", 0, PAPER) == 0
    assert unpack("<ii", desk.memory.read(PAPER, 8)) == (1_700_000_000, 123_456_789)
    assert desk.call("clock_gettime64", 0, PAPER) == 0
    assert unpack("<qq", desk.memory.read(PAPER, 16)) == (1_700_000_000, 123_456_789)
    desk.memory.write(PAPER, b"\xee" * 8)
    assert desk.call("time", PAPER) == 1_700_000_000
    assert desk.memory.read(PAPER, 8) == pack("<i", 1_700_000_000) + b"\xee" * 4
    assert desk.call("stime", PAPER) == -EPERM
    assert desk.call("stime", 0) == -EFAULT
    assert desk.call("gettimeofday", PAPER, 0) == 0
    assert unpack("<ii", desk.memory.read(PAPER, 8)) == (1_700_000_000, 123_456)


def test_seconds_after_2038_are_cut(desk, monkeypatch):
    monkeypatch.setattr(type(desk.kernel.clock), "realtime", lambda self: 5_000_000_000 * 10**9)
    assert desk.call("clock_gettime", 0, PAPER) == 0
    assert unpack("<ii", desk.memory.read(PAPER, 8)) == (5_000_000_000 - (1 << 32), 0)
    assert desk.call("clock_gettime64", 0, PAPER) == 0
    assert unpack("<qq", desk.memory.read(PAPER, 16)) == (5_000_000_000, 0)


def test_limits(desk):
    for name, infinity in (("getrlimit", 0x7FFFFFFF), ("ugetrlimit", 0xFFFFFFFF)):
        assert desk.call(name, 3, PAPER) == 0
        assert desk.ints(2) == [8 << 20, infinity]


def test_names_of_the_system(desk):
    assert desk.call("oldolduname", PAPER) == 0
    names = [desk.memory.read(PAPER + 9 * index, 9).rstrip(b"\0") for index in range(5)]
    assert (names[0], names[1], names[4]) == (b"Linux", b"desk", b"x86_64")
    assert desk.call("personality", 8) == 0
    assert desk.call("olduname", PAPER) == 0
    assert desk.memory.read(PAPER + 4 * 65, 65).rstrip(b"\0") == b"i686"


def test_sysinfo_counts_in_pages_what_bytes_cannot_tell(desk):
    desk.kernel.frames.limit, desk.kernel.frames.available = 3 << 20, 1 << 20  # 12 GB, 4 GB
    assert desk.call("sysinfo", PAPER) == 0
    words = desk.ints(16)
    assert (words[4], words[5], words[13]) == (3 << 20, 1 << 20, 4096)
    desk.kernel.frames.limit, desk.kernel.frames.available = 1000, 600
    assert desk.call("sysinfo", PAPER) == 0
    assert (desk.ints(5)[4], desk.ints(14)[13]) == (1000 * 4096, 1)


def test_nice(desk):
    desk.become(1000)
    assert desk.call("nice", 5) == 0
    assert desk.task.scheduling.nice == 5
    assert desk.call("nice", -1) == -EPERM
    assert desk.call("nice", 100) == 0
    assert desk.task.scheduling.nice == 19


@pytest.mark.parametrize("name", ("vm86", "_sysctl", "nfsservctl", "ulimit", "create_module"))
def test_what_no_linux_has(desk, name):
    assert desk.call(name) == -ENOSYS


def test_several_calls_behind_one_number(desk):
    assert desk.call("socketcall", 0, PAPER) == -EINVAL
    assert desk.call("socketcall", 1, 0) == -EFAULT
    assert desk.call("ipc", 99) == -ENOSYS
