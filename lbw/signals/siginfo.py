"""What is known about one signal: the kernel's siginfo, and its layouts in guest memory.

`si_signo`, `si_errno` and `si_code` are common; which of the other fields exist follows from signal and code
(`layout_of`). The structure has 128 bytes in every ABI; the fields behind the common ones start at the alignment of a
pointer, so one table for each word size is enough.  man 2 sigaction, "The siginfo_t argument"; asm-generic/siginfo.h
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import E2BIG, LinuxError
from lbw.abi.signal import (
    SI_ASYNCNL,
    SI_DETHREAD,
    SI_KERNEL,
    SI_SIGIO,
    SI_TIMER,
    SI_TKILL,
    SI_USER,
    SIGBUS,
    SIGCHLD,
    SIGFPE,
    SIGILL,
    SIGPOLL,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """Where a signal comes from again and again: a timer."""

        def taken(self, info: SigInfo) -> None:
            """`info` is about to be delivered."""


SIZE = 128
#: So many of them the kernel itself knows.
KNOWN_SIZE = 48
#: How many POLL_* codes there are.
_POLL_CODES = 6

#: Layout classes.
KILL, CHILD, FAULT, TIMER, RT, POLL, SYS = range(7)

#: Highest si_code of each signal that has codes of its own, and the layout they mean. Codes above it are plain KILL.
_SPECIFIC = {
    SIGILL: (11, FAULT),
    SIGFPE: (15, FAULT),
    SIGSEGV: (10, FAULT),
    SIGBUS: (5, FAULT),
    SIGTRAP: (6, FAULT),
    SIGCHLD: (6, CHILD),
    SIGPOLL: (6, POLL),
    SIGSYS: (2, SYS),
}


def layout_of(signo: int, code: int) -> int:
    """Return the layout class that Linux uses for this signal and code."""
    if SI_USER < code < SI_KERNEL:
        highest, layout = _SPECIFIC.get(signo, (0, KILL))
        if code <= highest:
            return layout
        return POLL if code <= _POLL_CODES else KILL  # fcntl(F_SETSIG): POLL_* codes under any number
    if code < SI_USER:
        if code == SI_TIMER:
            return TIMER
        if code == SI_SIGIO:
            return POLL
        return KILL if code == SI_TKILL else RT
    return KILL


class SigInfo:
    """One occurrence of a signal."""

    __slots__ = (
        "address", "band", "code", "errno", "fd", "overrun", "pid", "raw", "raw_word", "signo", "source", "status",
        "stime", "timer", "uid", "utime", "value",
    )  # fmt: skip

    def __init__(
        self,
        signo: int,
        code: int = SI_USER,
        *,
        errno: int = 0,
        pid: int = 0,
        uid: int = 0,
        status: int = 0,
        utime: int = 0,
        stime: int = 0,
        address: int = 0,
        value: int = 0,
        timer: int = 0,
        overrun: int = 0,
        band: int = 0,
        fd: int = 0,
        raw: bytes | None = None,
        raw_word: int = 8,
        source: Source | None = None,
    ) -> None:
        self.signo = signo
        self.code = code
        self.errno = errno
        self.pid = pid  # sender, or the child
        self.uid = uid  # real uid of the sender or child
        self.status = status  # exit status, or the signal that ended or stopped the child; SYS: number of the call
        self.utime = utime  # clock ticks (100 per second) of the child
        self.stime = stime
        self.address = address  # of the fault, 64-bit guest address; SYS: of the instruction
        self.value = value  # sigval, an unsigned word
        self.timer = timer  # POSIX timer id
        self.overrun = overrun
        self.band = band  # POLL_* events
        self.fd = fd
        self.raw = raw  # the 128 bytes as rt_sigqueueinfo got them; they win over everything else ...
        self.raw_word = raw_word  # ... for an ABI with words of as many bytes
        self.source = source  # who has set room aside for it in the queue, and wants to know when it is taken

    def __repr__(self) -> str:
        from lbw.signals.names import signal_name

        return f"<{signal_name(self.signo)} code {self.code} pid {self.pid}>"


#: By word size: the layouts behind signo, errno, code (and, with 8-byte words, 4 bytes of padding).
_COMMON = {8: Struct("<iii4x"), 4: Struct("<iii")}
_LAYOUTS: dict[int, dict[int, Struct]] = {
    8: {
        KILL: Struct("<iI"),
        CHILD: Struct("<iIi4xqq"),
        FAULT: Struct("<Q"),
        TIMER: Struct("<iiQ"),
        RT: Struct("<iIQ"),
        POLL: Struct("<qi"),
        SYS: Struct("<QiI"),
    },
    4: {
        KILL: Struct("<iI"),
        CHILD: Struct("<iIiii"),
        FAULT: Struct("<I"),
        TIMER: Struct("<iiI"),
        RT: Struct("<iII"),
        POLL: Struct("<ii"),
        SYS: Struct("<IiI"),
    },
}

_AUDIT_ARCH = {8: 0xC000003E, 4: 0x40000003}


def pack(info: SigInfo, word: int) -> bytes:
    """Return the 128 bytes of `siginfo_t` for an ABI with `word`-byte words, padding zero."""
    if info.raw is not None and info.raw_word == word:
        return info.raw
    layout = layout_of(info.signo, info.code)
    if layout == POLL and info.pid:  # from a child of clone, whose exit signal is not SIGCHLD
        layout = CHILD
    rest = _LAYOUTS[word][layout]
    mask = (1 << 8 * word) - 1
    if layout == KILL:
        tail = rest.pack(info.pid, info.uid)
    elif layout == CHILD:
        tail = rest.pack(info.pid, info.uid, info.status, info.utime, info.stime)
    elif layout == FAULT:
        tail = rest.pack(info.address & mask)
    elif layout == TIMER:
        tail = rest.pack(info.timer, info.overrun, info.value & mask)
    elif layout == RT:
        tail = rest.pack(info.pid, info.uid, info.value & mask)
    elif layout == POLL:
        tail = rest.pack(info.band, info.fd)
    else:
        tail = rest.pack(info.address & mask, info.status, _AUDIT_ARCH[word])
    return (_COMMON[word].pack(info.signo, info.errno, info.code) + tail).ljust(SIZE, b"\0")


def unpack(data: bytes, signo: int, word: int) -> SigInfo:
    """Return the siginfo that a guest gave to rt_sigqueueinfo, as signal `signo`.

    A 64-bit program may have used any layout it likes in the bytes that the kernel knows, so these are kept; a 32-bit
    one gives what the layout has, as for Linux.  LinuxError(E2BIG): an unknown code, and more than the kernel knows
    """
    common = _COMMON[word]
    _, errno, code = common.unpack_from(data)
    layout = layout_of(signo, code)
    info = SigInfo(signo, code, errno=errno)
    fields = _LAYOUTS[word][layout].unpack_from(data, common.size)
    if layout == KILL:
        info.pid, info.uid = fields
    elif layout == CHILD:
        info.pid, info.uid, info.status, info.utime, info.stime = fields
    elif layout == FAULT:
        (info.address,) = fields
    elif layout == TIMER:
        info.timer, info.overrun, info.value = fields
    elif layout == RT:
        info.pid, info.uid, info.value = fields
    elif layout == POLL:
        info.band, info.fd = fields
    else:
        info.address, info.status, _ = fields
    if word == 8:
        if not _known(signo, code) and any(data[KNOWN_SIZE:]):
            raise LinuxError(E2BIG)
        raw = (signo & 0xFFFF_FFFF).to_bytes(4, "little") + data[4:KNOWN_SIZE]
        info.raw, info.raw_word = raw.ljust(SIZE, b"\0"), word
    return info


def _known(signo: int, code: int) -> bool:
    """Tell whether the kernel knows what such a siginfo looks like."""
    if SI_USER < code != SI_KERNEL:
        return code <= _SPECIFIC.get(signo, (_POLL_CODES, POLL))[0]
    return code >= SI_DETHREAD or code == SI_ASYNCNL
