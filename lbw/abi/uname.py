"""What uname(2) and /proc say this kernel is.

Programs compare the release with what they need: glibc of Debian 12 asks for 3.2, systemd for 5.4.
"""

SYSNAME = b"Linux"
RELEASE = b"6.1.0-lbw"
VERSION = b"#1 PREEMPT lbw"
MACHINE = b"x86_64"
MACHINE_32 = b"i686"

#: The low byte of a personality is a kind of program; that of PER_LINUX32 is told that the machine is a 32-bit one.
PER_MASK, PER_LINUX32 = 0xFF, 0x08

#: Flags of a personality.
ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC = 0x4_0000, 0x10_0000, 0x20_0000, 0x40_0000
PER_CLEAR_ON_SETID = READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO
