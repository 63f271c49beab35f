"""qiling_peer.py ROOT PROGRAM ARGS...: run a program under Qiling, as quietly and as quickly as it can."""

from __future__ import annotations

import struct
import sys
import time

from qiling import Qiling
from qiling.const import QL_VERBOSE


def clock_gettime(machine: Qiling, clock: int, address: int, *_: object) -> int:
    """Tell the time in full: Qiling's own answer is in whole seconds, too coarse for a guest that measures itself."""
    now = time.clock_gettime_ns(clock)
    machine.mem.write(address, struct.pack("<qq", now // 10**9, now % 10**9))
    return 0


machine = Qiling(sys.argv[2:], sys.argv[1], verbose=QL_VERBOSE.DISABLED)
machine.os.set_syscall("clock_gettime", clock_gettime)
machine.run()
sys.stdout.flush()
