"""Facts of the x86 processor that several mechanisms need: flags, and what an instruction may begin with.

Intel SDM vol. 1, 3.4.3; vol. 2, 2.1.1; vol. 3, 6.13
"""

from __future__ import annotations

#: TF in RFLAGS: trap after each instruction. RF: the next one does not meet a breakpoint.
TRACE_FLAG, RESUME_FLAG = 0x100, 0x1_0000

#: Bit 1 of an error code: it names a gate, not a segment.
IN_GATES = 2

#: Bytes of the longest instruction; longer ones are #GP.
LONGEST = 15

#: Prefixes other than REX and VEX.
LEGACY_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
#: REX, in 64-bit mode.
REX_PREFIXES = frozenset(range(0x40, 0x50))
