"""The Executable and Linkable Format, as far as a kernel reads it.  man 5 elf"""

from __future__ import annotations

EI_CLASS = 4
EI_DATA = 5
ELFCLASS32 = 1
ELFCLASS64 = 2
ELFDATA2LSB = 1
ELFMAG = b"\x7fELF"
EM_386 = 3
EM_X86_64 = 62
ET_EXEC = 2
ET_DYN = 3
EV_CURRENT = 1
PF_X = 1
PF_W = 2
PF_R = 4
PT_LOAD = 1
PT_INTERP = 3
PT_GNU_STACK = 0x6474E551
