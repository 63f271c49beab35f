"""The thread cell: the page through which translated code finds the running task's segment bases.

One frame of the machine, at the same address in every address space, outside of what programs can map. The kernel
writes the bases of a task into it when the processor turns to that task; fragments read them, and save the registers
they borrow in it. Fragments name it by an absolute 32-bit displacement, which the processor extends by sign in 64-bit
mode and takes as it is in 32-bit mode: one encoding for both.

Words are 64 bits wide, little endian; 32-bit code uses their lower halves.
"""

from __future__ import annotations

#: What fragments put into the displacement field.
CELL_DISPLACEMENT = 0xFFFF_F000
#: Where that is.
CELL_64 = 0xFFFF_FFFF_FFFF_F000
CELL_32 = 0xFFFF_F000

#: Byte offsets of the words: the bases, their negatives (to take a base away again without touching flags) ...
FS_BASE, GS_BASE, FS_NEGATIVE, GS_NEGATIVE = 0, 8, 16, 24
#: ... registers that a fragment has borrowed, and where it will jump to.
SAVE_0, SAVE_1, TARGET = 32, 40, 48

#: prctl(2) option by which a program that was rewritten to use the cell asks whether it is there ("lbw!"). Argument 2:
#: `lbw.faults.rewritten.LAYOUT`. Linux, which does not know the option, answers EINVAL.
PR_LBW_REWRITTEN = 0x6C62_7721
