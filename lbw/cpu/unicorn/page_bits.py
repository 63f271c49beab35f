"""Bits of page-table entries.  Intel SDM vol. 3, table 4-20"""

from __future__ import annotations

PRESENT, WRITE, USER, ACCESSED, DIRTY, NX = 1, 2, 4, 0x20, 0x40, 1 << 63
#: The physical address in an entry.
FRAME = 0x000F_FFFF_FFFF_F000
