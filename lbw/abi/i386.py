"""The i386 Linux ABI as data, as a 64-bit kernel gives it to 32-bit programs: numbers, argument registers, layouts.

A `long` and a pointer have four bytes, and a 64-bit member is aligned to four. What a structure has in two versions
(old 32-bit and "64") stands here with its old one; the others are beside the calls that have them, in
`lbw.syscalls.i386`.
Linux arch/x86/include/asm/compat.h, include/linux/compat.h
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.numbers_i386 import NUMBERS
from lbw.abi.words import Words
from lbw.abi.x86_64 import Abi

#: Segment bases of tasks are parked in this window, so nothing is ever mapped there.
PARKED_LOW, PARKED_HIGH = 0xF000_0000, 0xF800_0000

I386 = Abi()
I386.name = "i386"
I386.machine = "i686"
I386.elf_machine = 3  # EM_386
I386.word = 4
I386.numbers = NUMBERS
I386.argument_registers = (3, 1, 2, 6, 7, 5)  # EBX ECX EDX ESI EDI EBP
I386.pointer = Struct("<I")
I386.iovec = Struct("<II")
I386.timespec = Words(2)
I386.timespec64 = Struct("<qI4x")  # the upper half of the nanoseconds is padding
I386.timeval = Words(2)
I386.itimerval = Words(4)
I386.rlimit = Struct("<II")
I386.rusage = Words(18)
# dev ino mode nlink uid gid rdev size blksize blocks atime,ns mtime,ns ctime,ns unused[2]
I386.stat = Struct("<IIHHHHIIIIIIIIII8x")
# type bsize blocks bfree bavail files ffree fsid[2] namelen frsize flags spare[4]
I386.statfs = Struct("<iiIIIIIiiiii16x")
# uptime loads[3] totalram freeram sharedram bufferram totalswap freeswap procs pad totalhigh freehigh mem_unit
I386.sysinfo = Struct("<i3IIIIIIIHHIII8x")
I386.tms = Words(4)
I386.pollfd = Struct("<ihh")
I386.msghdr = Struct("<7I")
I386.mmsghdr = 32
I386.cmsghdr = Struct("<Iii")
I386.sigaction = Struct("<IIIQ")
I386.stack_t = Struct("<IiI")
I386.task_size = 0xFFFF_E000
I386.stack_top = 0xFFFF_E000
I386.homes = (0xE800_0000, 0xF000_0000)
#: Most punned jumps lead from libc, low in `homes`, to addresses whose upper half is the next instruction's.
I386.arena_zones = (
    (0xF000_0000, 0xF200_0000), (0x6000_0000, 0xC000_0000), (0xDE00_0000, 0xE800_0000), (0x0C00_0000, 0x5600_0000),
)  # fmt: skip
I386.mmap_windows = ((0x10000, 0xDDF2_0000), (0x10000, 0xF000_0000))
I386.pie_base = 0x5655_5000
I386.min_address = 0x10000
I386.withheld = (PARKED_LOW, PARKED_HIGH)
