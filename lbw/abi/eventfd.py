"""Flags of eventfd2 and signalfd4, and the structure that a signalfd gives.  man 2 eventfd, signalfd"""

from __future__ import annotations

from struct import Struct

EFD_SEMAPHORE = 1
EFD_NONBLOCK = SFD_NONBLOCK = 0o4000
EFD_CLOEXEC = SFD_CLOEXEC = 0o2000000

#: struct signalfd_siginfo: signo errno code pid uid fd tid band overrun trapno status int ptr utime stime addr
#: addr_lsb, padding, syscall call_addr arch, padding. The same in every ABI.
SIGNALFD_SIGINFO = Struct("<IiiIIiIIIIiiQQQQHHiQI28x")
