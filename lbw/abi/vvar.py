"""The page of clocks that the vDSO reads (Linux calls its own `[vvar]`): where what lies. All little endian.

    0   u32  sequence: another number after each change; who reads across one begins again
    4   u32  active: 0 when every question must be a system call, and the time-stamp counter must not be read
    8   u64  what the time-stamp counter showed when the entries were true
    16  u32  for how many ticks from then on they may be used
    32       one entry for each clock from 0 to 11: u64 seconds, u32 nanoseconds,
             u32 nanoseconds of a tick, times 2^32; 0: this clock is not here

lbw/loader/vdso/vvar.h says the same to the assembler.
"""

from __future__ import annotations

from struct import Struct

SEQUENCE, ACTIVE, BASE_TICKS, LIMIT, ENTRIES = 0, 4, 8, 16, 32

#: Number of entries.
CLOCKS = 12

#: What precedes the entries: sequence, active, base, limit.
HEAD = Struct("<IIQI12x")
ENTRY = Struct("<QII")
