"""The x86-64 Linux ABI as data: numbers, argument registers, structure layouts.

An `Abi` is a parameter of everything that depends on it, so that i386 stands beside it without an `if`. Layouts are
`struct` formats, little endian with explicit padding.  asm/stat.h, asm-generic/siginfo.h and friends
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.numbers_x86_64 import NUMBERS


class Abi:
    """What a guest architecture fixes about the interface of the kernel."""

    __slots__ = (
        "arena_zones",
        "argument_registers",
        "cmsghdr",
        "elf_machine",
        "homes",
        "iovec",
        "itimerval",
        "machine",
        "min_address",
        "mmap_windows",
        "mmsghdr",
        "msghdr",
        "name",
        "numbers",
        "pie_base",
        "pointer",
        "pollfd",
        "rlimit",
        "rusage",
        "sigaction",
        "stack_t",
        "stack_top",
        "stat",
        "statfs",
        "sysinfo",
        "task_size",
        "timespec",
        "timespec64",
        "timeval",
        "tms",
        "withheld",
        "word",
    )  # fmt: skip

    name: str
    machine: str  # uname -m
    elf_machine: int
    word: int  # bytes of a long and of a pointer
    numbers: dict[str, int]
    argument_registers: tuple[int, ...]
    pointer: Struct
    iovec: Struct  # base, length
    timespec: Struct  # seconds, nanoseconds
    timespec64: Struct  # as the *_time64 calls have it
    timeval: Struct  # seconds, microseconds
    itimerval: Struct  # interval s, us, value s, us
    rlimit: Struct  # soft, hard
    rusage: Struct  # utime s, us, stime s, us, maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, ...
    stat: Struct  # see the comment at X86_64
    statfs: Struct
    sysinfo: Struct
    tms: Struct
    pollfd: Struct  # fd, events, revents
    msghdr: Struct  # name, its length, iov, iovlen, control, its length, flags
    mmsghdr: int  # size of struct mmsghdr, bytes: a msghdr, and behind it the length of the message
    cmsghdr: Struct  # length, level, type; what follows is aligned to a word
    sigaction: Struct  # handler, flags, restorer, mask
    stack_t: Struct  # sp, flags, size
    task_size: int  # end of the user half
    stack_top: int
    mmap_windows: tuple[tuple[int, int], ...]  # where mappings go, each filled from its end, in this order
    homes: tuple[int, int]  # where files live that are mapped without a fixed address
    arena_zones: tuple[tuple[int, int], ...]  # where fragments go; programs get these addresses last
    pie_base: int
    min_address: int  # vm.mmap_min_addr
    withheld: tuple[int, int]  # addresses that programs cannot have, because segment bases are parked there


X86_64 = Abi()
X86_64.name = "x86_64"
X86_64.machine = "x86_64"
X86_64.elf_machine = 62  # EM_X86_64
X86_64.word = 8
X86_64.numbers = NUMBERS
X86_64.argument_registers = (7, 6, 2, 10, 8, 9)  # RDI RSI RDX R10 R8 R9
X86_64.pointer = Struct("<Q")
X86_64.iovec = Struct("<QQ")
X86_64.timespec = X86_64.timespec64 = Struct("<qq")
X86_64.timeval = Struct("<qq")
X86_64.itimerval = Struct("<qqqq")
X86_64.rlimit = Struct("<QQ")
X86_64.rusage = Struct("<16q" + "2q")
# dev ino nlink mode uid gid pad rdev size blksize blocks atime,ns mtime,ns ctime,ns unused[3]
X86_64.stat = Struct("<QQQIIIIQqqqqQqQqQ24x")
# type bsize blocks bfree bavail files ffree fsid[2] namelen frsize flags spare[4]
X86_64.statfs = Struct("<qqQQQQQiiqqq32x")
# uptime loads[3] totalram freeram sharedram bufferram totalswap freeswap procs pad totalhigh freehigh mem_unit
X86_64.sysinfo = Struct("<q3QQQQQQQHH4xQQI4x")
X86_64.tms = Struct("<4q")
X86_64.pollfd = Struct("<ihh")
X86_64.msghdr = Struct("<QI4xQQQQI4x")
X86_64.mmsghdr = 64
X86_64.cmsghdr = Struct("<Qii")
X86_64.sigaction = Struct("<QQQQ")
X86_64.stack_t = Struct("<Qi4xQ")
X86_64.task_size = 0x7FFF_FFFF_F000
X86_64.stack_top = 0x7FFF_FFFF_F000
# A jump reaches 2 GB, so that is how far the zones reach to both sides of the homes, of position-independent programs
# (the heap follows those, so not just behind them), and of fixed ones. Homes: one gigabyte, so one page directory.
X86_64.homes = (0x7FFE_4000_0000, 0x7FFE_8000_0000)
X86_64.arena_zones = (
    (0x6000_0000, 0x8000_0000),  # before the rest, where programs like to map at fixed addresses
    (0x1000_0000, 0x6000_0000),
    (0x5554_D555_0000, 0x5555_5555_0000),
    (0x5555_9555_0000, 0x5555_D555_0000),
    (0x7FFD_C000_0000, 0x7FFE_4000_0000),
    (0x7FFE_8000_0000, 0x7FFF_0000_0000),
)
# The processor's TLB is direct-mapped: the busiest pages, the end of the stack, of the first mappings (thread-local
# memory) and the thread cell, must differ in the low bits of their page numbers.
X86_64.mmap_windows = (
    (0x7FFF_0000_0000, 0x7FFF_F7F2_0000),
    (0x5555_D555_0000, 0x7FFD_C000_0000),
    (0x8000_0000, 0x5554_D555_0000),
    (0x10000, 0x7FFF_F7F2_0000),
)
X86_64.pie_base = 0x5555_5555_4000
X86_64.min_address = 0x10000
X86_64.withheld = (0, 0)
